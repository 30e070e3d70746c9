#include "common/safetensors/safetensors.h"

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/files/files.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

template <typename T>
absl::string_view Bytes(const std::vector<T>& values) {
  return absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// A file with any header, however wrong, and this many bytes of data.
std::string FileWithHeader(const std::string& header, int64_t data_bytes) {
  const uint64_t length = header.size();
  return absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&length), 8), header,
                      std::string(data_bytes, 'x'));
}

class SafetensorsTest : public ::testing::Test {
 protected:
  void SetUp() override { path_ = JoinPath(TempFolder(), "a.safetensors"); }

  // The error of opening a file of these bytes; it always names the file.
  std::string ErrorOf(const std::string& bytes) {
    EXPECT_THAT(WriteFile(path_, bytes), IsOk());
    const auto file = SafetensorsFile::Open(path_);
    EXPECT_THAT(file, StatusIs(absl::StatusCode::kDataLoss, HasSubstr(path_)));
    return std::string(file.status().message());
  }

  std::string path_;
};

TEST_F(SafetensorsTest, RoundTripKeepsEveryDtypeShapeAndByte) {
  const std::vector<double> f64 = {1.5, -2.5};
  const std::vector<float> f32 = {1, 2, 3, 4, 5, 6};
  const std::vector<uint16_t> half = {0x3c00, 0x7e01, 0x0001};
  const std::vector<int64_t> i64 = {INT64_MIN, INT64_MAX};
  const std::vector<int32_t> i32 = {-1};
  const std::vector<uint8_t> u8 = {0, 255, 7};
  const std::map<std::string, TensorView> tensors = {
      {"f64", {SafetensorsDtype::kF64, {2}, Bytes(f64)}},
      {"f32", {SafetensorsDtype::kF32, {2, 3}, Bytes(f32)}},
      {"f16", {SafetensorsDtype::kF16, {3}, Bytes(half)}},
      {"bf16", {SafetensorsDtype::kBF16, {3, 1}, Bytes(half)}},
      {"i64", {SafetensorsDtype::kI64, {2}, Bytes(i64)}},
      {"i32", {SafetensorsDtype::kI32, {}, Bytes(i32)}},
      {"u8", {SafetensorsDtype::kU8, {3}, Bytes(u8)}},
      {"bool", {SafetensorsDtype::kBool, {1}, Bytes(u8).substr(0, 1)}},
      {"empty", {SafetensorsDtype::kF32, {0, 4}, ""}},
  };
  ALIDADE_ASSERT_OK(WriteSafetensors(path_, tensors, {{"format", "pt"}, {"step", "7"}}));
  ALIDADE_ASSERT_OK_AND_ASSIGN(std::unique_ptr<SafetensorsFile> file, SafetensorsFile::Open(path_));
  ASSERT_EQ(file->tensors().size(), tensors.size());
  for (const auto& [name, expected] : tensors) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(const TensorView view, file->Find(name));
    EXPECT_EQ(view.dtype, expected.dtype) << name;
    EXPECT_EQ(view.shape, expected.shape) << name;
    EXPECT_EQ(view.bytes, expected.bytes) << name;
    // A reader may take the bytes as numbers where they lie.
    EXPECT_EQ(reinterpret_cast<uintptr_t>(view.bytes.data()) % DtypeSize(view.dtype), 0) << name;
  }
  EXPECT_EQ(file->metadata(), (SafetensorsMetadata{{"format", "pt"}, {"step", "7"}}));
}

TEST_F(SafetensorsTest, TheSameTensorsGiveTheSameBytes) {
  const std::vector<float> values = {1, 2};
  const std::map<std::string, TensorView> tensors = {
      {"b", {SafetensorsDtype::kF32, {1}, Bytes(values).substr(0, 4)}},
      {"a", {SafetensorsDtype::kF32, {1}, Bytes(values).substr(4)}}};
  ALIDADE_ASSERT_OK(WriteSafetensors(path_, tensors));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string first, ReadFile(path_));
  ALIDADE_ASSERT_OK(WriteSafetensors(path_, tensors));
  EXPECT_THAT(ReadFile(path_), IsOkAndHolds(first));
  // The layout is fixed: sorted names, padded header, data in the order of the names.
  const std::string header =
      R"({"a":{"data_offsets":[0,4],"dtype":"F32","shape":[1]},"b":{"data_offsets":[4,8],"dtype":"F32","shape":[1]}})";
  EXPECT_THAT(first.substr(8), StartsWith(header));
  EXPECT_EQ(first.size() % 8, 0);
}

// The bytes that the `safetensors` library 0.8 (Python) writes for {"x": int32 [[1, 2]]} with
// metadata {"k": "v"}.
TEST_F(SafetensorsTest, ReadsAFileOfTheReferenceLibrary) {
  std::string bytes = FileWithHeader(
      R"({"__metadata__":{"k":"v"},"x":{"dtype":"I32","shape":[1,2],"data_offsets":[0,8]}}       )",
      0);
  bytes += std::string("\x01\0\0\0\x02\0\0\0", 8);
  ALIDADE_ASSERT_OK(WriteFile(path_, bytes));
  ALIDADE_ASSERT_OK_AND_ASSIGN(std::unique_ptr<SafetensorsFile> file, SafetensorsFile::Open(path_));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const TensorView view, file->Find("x"));
  EXPECT_THAT(view.shape, ElementsAre(1, 2));
  int32_t values[2];
  std::memcpy(values, view.bytes.data(), sizeof(values));
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(values[1], 2);
  EXPECT_EQ(file->metadata().at("k"), "v");
}

TEST_F(SafetensorsTest, MissingFileAndMissingTensor) {
  EXPECT_THAT(SafetensorsFile::Open(path_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(path_)));
  const std::vector<float> values = {1};
  ALIDADE_ASSERT_OK(
      WriteSafetensors(path_, {{"q_proj.weight", {SafetensorsDtype::kF32, {1}, Bytes(values)}}}));
  ALIDADE_ASSERT_OK_AND_ASSIGN(std::unique_ptr<SafetensorsFile> file, SafetensorsFile::Open(path_));
  EXPECT_THAT(file->Find("q_prj.weight"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("the nearest is 'q_proj.weight'")));
}

TEST_F(SafetensorsTest, HeaderLongerThanTheFile) {
  uint64_t length = 1000;
  const std::string bytes =
      absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&length), 8), "{}");
  EXPECT_THAT(ErrorOf(bytes),
              HasSubstr("header: expected a length <= 2, what the file holds, got 1000"));
  length = ~uint64_t{0};
  EXPECT_THAT(
      ErrorOf(absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&length), 8), "{}")),
      HasSubstr("got 18446744073709551615"));
  EXPECT_THAT(ErrorOf("abc"), HasSubstr("expected at least 8 bytes"));
}

TEST_F(SafetensorsTest, MalformedHeader) {
  EXPECT_THAT(ErrorOf(FileWithHeader("{\"a\": ", 0)), HasSubstr("syntax error"));
  EXPECT_THAT(ErrorOf(FileWithHeader("[1]", 0)), HasSubstr("expected '{' as its first byte"));
  EXPECT_THAT(ErrorOf(FileWithHeader("", 4)), HasSubstr("an empty header"));
  EXPECT_THAT(ErrorOf(FileWithHeader(R"({"a": 3})", 0)),
              HasSubstr("tensor 'a': expected an object, got 3"));
  EXPECT_THAT(ErrorOf(FileWithHeader(R"({"__metadata__": {"k": 1}})", 0)),
              HasSubstr("__metadata__.k: expected a string, got 1"));
}

TEST_F(SafetensorsTest, DuplicateNames) {
  const std::string entry = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_THAT(ErrorOf(FileWithHeader(absl::StrCat("{\"a\":", entry, ",\"a\":", entry, "}"), 1)),
              HasSubstr("'a' occurs twice"));
}

TEST_F(SafetensorsTest, WrongFieldsOfATensor) {
  EXPECT_THAT(
      ErrorOf(FileWithHeader(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4)),
      AllOf(HasSubstr("tensor 'a': dtype: expected one of F64, F32"), HasSubstr("got \"F33\"")));
  EXPECT_THAT(ErrorOf(FileWithHeader(R"({"a":{"dtype":"F32","shape":[1]}})", 4)),
              HasSubstr("expected a field data_offsets"));
  EXPECT_THAT(
      ErrorOf(FileWithHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4)),
      HasSubstr("got 'x'"));
  EXPECT_THAT(
      ErrorOf(FileWithHeader(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4)),
      HasSubstr("shape: expected an array of integers >= 0, got [-1]"));
  EXPECT_THAT(
      ErrorOf(FileWithHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4)),
      HasSubstr("0 <= begin <= end, got [4,0]"));
}

TEST_F(SafetensorsTest, SizesThatDoNotMatch) {
  EXPECT_THAT(
      ErrorOf(FileWithHeader(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,20]}})", 20)),
      HasSubstr("tensor 'a': expected 24 bytes for dtype F32 and shape [2, 3], got 20"));
  EXPECT_THAT(
      ErrorOf(FileWithHeader(
          R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0)),
      HasSubstr("an addressable number of bytes"));
  EXPECT_THAT(
      ErrorOf(FileWithHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 5)),
      HasSubstr("expected an end <= 5"));
  EXPECT_THAT(
      ErrorOf(FileWithHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5)),
      HasSubstr("expected 4 bytes of data"));
}

TEST_F(SafetensorsTest, OverlapsAndHoles) {
  const auto file = [](int64_t begin) {
    return absl::StrCat(
        R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[)",
        begin, ",", begin + 4, "]}}");
  };
  EXPECT_THAT(
      ErrorOf(FileWithHeader(file(3), 8)),
      HasSubstr("tensor 'b': expected data from byte 4 on, got byte 3, which overlaps tensor 'a'"));
  EXPECT_THAT(ErrorOf(FileWithHeader(file(6), 10)), HasSubstr("leaves a hole of 2 bytes"));
}

TEST_F(SafetensorsTest, EveryTruncationIsAnError) {
  const std::vector<float> values = {1, 2, 3};
  ALIDADE_ASSERT_OK(WriteSafetensors(path_, {{"a", {SafetensorsDtype::kF32, {3}, Bytes(values)}}}));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadFile(path_));
  for (size_t size = 0; size < bytes.size(); ++size) ErrorOf(bytes.substr(0, size));
}

TEST_F(SafetensorsTest, TheWriterRefusesWhatItCouldNotRead) {
  const std::vector<float> values = {1};
  EXPECT_THAT(
      WriteSafetensors(path_, {{"a", {SafetensorsDtype::kF32, {2}, Bytes(values)}}}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tensor 'a': expected 8 bytes")));
  EXPECT_THAT(
      WriteSafetensors(path_, {{"__metadata__", {SafetensorsDtype::kF32, {1}, Bytes(values)}}}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reserved")));
  EXPECT_FALSE(PathExists(path_));
}

}  // namespace
}  // namespace alidade
