#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "common/files/files.h"
#include "common/provenance/digest.h"
#include "common/provenance/manifest.h"
#include "common/provenance/random_stream.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade {
namespace {

using ::testing::HasSubstr;

TEST(DigestTest, AgreesWithThePublishedVectors) {
  // FIPS 180-2, appendix B.1, and the empty message.
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 pieces;
  pieces.Update("a");
  pieces.Update("bc");
  EXPECT_EQ(pieces.Hex(), Sha256Hex("abc"));
}

TEST(DigestTest, AFolderIsItsPathsAndBytes) {
  const std::string a = TempFolder(), b = TempFolder();
  for (const std::string& folder : {a, b}) {
    ALIDADE_ASSERT_OK(MakeFolder(JoinPath(folder, "deep")));
    ALIDADE_ASSERT_OK(WriteFile(JoinPath(folder, "deep/x"), "1"));
  }
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string digest, FolderDigest(a));
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(b, ".lock"), "7"));
  EXPECT_THAT(FolderDigest(b), IsOkAndHolds(digest));
  ALIDADE_ASSERT_OK(WriteFile(JoinPath(b, "deep/x"), "2"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string other, FolderDigest(b));
  EXPECT_NE(other, digest);
  EXPECT_FALSE(FolderDigest(JoinPath(a, "absent")).ok());
}

TEST(RandomStreamTest, SeedAndNameDecide) {
  RandomStream a(1, "data"), same(1, "data"), other_name(1, "init"), other_seed(2, "data");
  const uint64_t first = a.Next();
  EXPECT_EQ(first, same.Next());
  EXPECT_NE(first, other_name.Next());
  EXPECT_NE(first, other_seed.Next());
}

TEST(RandomStreamTest, StateRoundTripsInTheMiddleOfANormalPair) {
  RandomStream a(3, "x");
  a.Normal();
  RandomStream b(4, "y");
  ALIDADE_ASSERT_OK(b.RestoreState(a.SerializeState()));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.Normal(), b.Normal());
  EXPECT_THAT(b.RestoreState("1 2"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("got '1 2'")));
}

TEST(RandomStreamTest, MomentsAreRight) {
  // Five standard errors of the mean of 100,000 draws; the stream is fixed, so the test is too.
  constexpr int kDraws = 100000;
  RandomStream stream(5, "moments");
  double uniform = 0, normal = 0, square = 0, gumbel = 0;
  std::vector<int> counts(3, 0), weighted(3, 0);
  for (int i = 0; i < kDraws; ++i) {
    uniform += stream.Uniform();
    const double z = stream.Normal();
    normal += z;
    square += z * z;
    gumbel += stream.Gumbel();
    ++counts[stream.UniformInt(3)];
    ++weighted[stream.Categorical({1, 0, 3})];
  }
  const double root = std::sqrt(kDraws);
  EXPECT_NEAR(uniform / kDraws, 0.5, 5 * 0.2887 / root);
  EXPECT_NEAR(normal / kDraws, 0, 5 / root);
  EXPECT_NEAR(square / kDraws, 1, 5 * std::sqrt(2.0) / root);
  EXPECT_NEAR(gumbel / kDraws, 0.5772, 5 * 1.2826 / root);
  for (int count : counts) EXPECT_NEAR(count, kDraws / 3.0, 5 * root * 0.4714);
  EXPECT_EQ(weighted[1], 0);
  EXPECT_NEAR(weighted[2], 0.75 * kDraws, 5 * root * 0.433);
}

TEST(RandomStreamTest, ShuffleKeepsTheElements) {
  RandomStream stream(6, "shuffle");
  std::vector<int> values(100);
  std::iota(values.begin(), values.end(), 0);
  std::vector<int> shuffled = values;
  stream.Shuffle(shuffled);
  EXPECT_NE(shuffled, values);
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, values);
}

TEST(ManifestTest, ReadsCodeAndHardware) {
  const std::string folder = TempFolder();
  EXPECT_EQ(ReadCodeVersion(JoinPath(folder, "absent")).commit, "unknown");
  const Hardware hardware = ReadHardware();
  EXPECT_GE(hardware.num_processors, 1);
  EXPECT_GT(hardware.memory_gib, 0.1);
  EXPECT_THAT(UtcNow(), ::testing::MatchesRegex("....-..-..T..:..:..Z"));
  EXPECT_THAT(BuildDescription(), HasSubstr("clang"));
}

}  // namespace
}  // namespace alidade
