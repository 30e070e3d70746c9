#include "common/testing/testing.h"

#include <cmath>
#include <filesystem>
#include <limits>

#include "gtest/gtest.h"

namespace alidade {
namespace {

TEST(TestingTest, TempFoldersAreNewAndEmpty) {
  const std::string a = TempFolder(), b = TempFolder();
  EXPECT_NE(a, b);
  EXPECT_TRUE(std::filesystem::is_empty(a));
}

TEST(TestingTest, RelativeErrorIsTheNormOfTheDifferenceOverTheNorm) {
  EXPECT_DOUBLE_EQ(RelativeError({3.0, 4.0}, {0.0, 4.0}), 0.75);
  EXPECT_TRUE(std::isinf(RelativeError({1.0}, {1.0, 2.0})));
  EXPECT_TRUE(std::isinf(RelativeError({std::numeric_limits<double>::quiet_NaN()}, {1.0})));
}

}  // namespace
}  // namespace alidade
