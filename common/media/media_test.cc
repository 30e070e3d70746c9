#include <cmath>
#include <string>
#include <vector>

extern "C" {
#include <libavutil/crc.h>
}

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/media/image.h"
#include "common/media/pixels.h"
#include "common/media/preprocessor.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace alidade {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A picture without any regularity that a codec could lean on; `seed` >= 1.
Image Noise(int width, int height, uint32_t seed) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(3) * width * height)};
  for (uint8_t& value : image.rgb) {
    seed = seed * 1664525u + 1013904223u;
    value = seed >> 24;
  }
  return image;
}

Image Gradient(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.rgb.push_back(255 * x / width);
      image.rgb.push_back(255 * y / height);
      image.rgb.push_back(128);
    }
  }
  return image;
}

TEST(ImageTest, PngIsLosslessAtAnySizeAndAfterAnother) {
  for (const auto [width, height] : {std::pair(24, 24), {1, 1}, {7, 33}, {24, 24}, {640, 3}}) {
    const Image image = Noise(width, height, 7 + width);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string png, EncodePng(image));
    EXPECT_THAT(DecodeImage(png, "a.png"), IsOkAndHolds(image)) << width << " x " << height;
  }
}

TEST(ImageTest, PngBitsDoNotDependOnWhatWasEncodedBefore) {
  const Image image = Noise(24, 24, 3);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string first, EncodePng(image));
  ASSERT_THAT(EncodePng(Noise(24, 24, 4)), IsOk());
  ASSERT_THAT(EncodePng(Noise(9, 5, 4)), IsOk());
  EXPECT_THAT(EncodePng(image), IsOkAndHolds(first));
}

TEST(ImageTest, PicturesOfOneSizeDoNotAddUp) {
  const Image first = Noise(24, 24, 3), second = Noise(24, 24, 4);
  const std::string first_png = *EncodePng(first), second_png = *EncodePng(second);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(DecodeImage(first_png, "first.png"), IsOkAndHolds(first));
    EXPECT_THAT(DecodeImage(second_png, "second.png"), IsOkAndHolds(second));
  }
}

TEST(ImageTest, JpegKeepsASmoothPicture) {
  const Image image = Gradient(48, 32);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string jpeg, EncodeJpeg(image, 95));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Image decoded, DecodeImage(jpeg, "a.jpg"));
  ASSERT_EQ(decoded.width, 48);
  ASSERT_EQ(decoded.height, 32);
  double sum = 0;
  for (size_t i = 0; i < image.rgb.size(); ++i)
    sum += std::abs(int{image.rgb[i]} - int{decoded.rgb[i]});
  EXPECT_LT(sum / image.rgb.size(), 3) << "mean difference in 0..255";
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string small, EncodeJpeg(Noise(48, 32, 1), 5));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string large, EncodeJpeg(Noise(48, 32, 1), 95));
  EXPECT_LT(small.size(), large.size() / 2);
}

TEST(ImageTest, EveryTruncationIsAnErrorThatSaysSo) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string png, EncodePng(Noise(24, 24, 5)));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string jpeg, EncodeJpeg(Gradient(24, 24), 80));
  for (const std::string& bytes : {png, jpeg}) {
    for (size_t length = 8; length < bytes.size(); ++length) {
      EXPECT_THAT(
          DecodeImage(absl::string_view(bytes).substr(0, length), "dir/x"),
          StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("dir/x"), HasSubstr("truncated"))))
          << length;
    }
  }
}

TEST(ImageTest, EveryAlteredByteOfAPngIsAnError) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(std::string png, EncodePng(Noise(4, 4, 5)));
  for (size_t at = 0; at < png.size(); ++at) {
    png[at] ^= 0x20;
    EXPECT_THAT(DecodeImage(png, "dir/x.png"),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("dir/x.png")))
        << at;
    png[at] ^= 0x20;
  }
  png[png.size() - 20] ^= 1;
  EXPECT_THAT(DecodeImage(png, "dir/x.png"),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("altered"), HasSubstr("IDAT"), HasSubstr("expected"))));
}

TEST(ImageTest, AlteredJpegIsAnErrorAndTheNextPictureDecodes) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string jpeg, EncodeJpeg(Gradient(64, 64), 80));
  std::string altered = jpeg;
  for (size_t at = 20; at + 2 < altered.size(); ++at) altered[at] = 0x11;
  EXPECT_THAT(DecodeImage(altered, "b.jpg"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("b.jpg: altered")));
  EXPECT_THAT(DecodeImage(jpeg, "a.jpg"), IsOk());
}

std::string Chunk(absl::string_view type, absl::string_view data) {
  auto big_endian = [](uint32_t value) {
    return std::string({static_cast<char>(value >> 24), static_cast<char>(value >> 16),
                        static_cast<char>(value >> 8), static_cast<char>(value)});
  };
  const std::string typed = absl::StrCat(type, data);
  const uint32_t crc = av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), UINT32_MAX,
                              reinterpret_cast<const uint8_t*>(typed.data()), typed.size()) ^
                       UINT32_MAX;
  return absl::StrCat(big_endian(data.size()), typed, big_endian(crc));
}

// One pixel whose palette has one colour (PNG specification, 11.2; the data are a stored deflate
// block).
std::string PalettePng(absl::string_view colour) {
  return absl::StrCat(absl::string_view("\x89PNG\r\n\x1a\n", 8),
                      Chunk("IHDR", absl::string_view("\0\0\0\1\0\0\0\1\x8\x3\0\0\0", 13)),
                      Chunk("PLTE", colour),
                      Chunk("IDAT", absl::string_view("\x78\x01\x01\2\0\xfd\xff\0\0\0\2\0\1", 13)),
                      Chunk("IEND", ""));
}

TEST(ImageTest, EveryPictureHasItsOwnPalette) {
  for (const std::string colour : {"abc", "xyz", "ghi"}) {
    const Image expected{1, 1, std::vector<uint8_t>(colour.begin(), colour.end())};
    EXPECT_THAT(DecodeImage(PalettePng(colour), colour), IsOkAndHolds(expected));
  }
}

TEST(ImageTest, NotAnImage) {
  EXPECT_THAT(
      DecodeImage("", "a.png"),
      StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("a.png"), HasSubstr("an empty file"))));
  EXPECT_THAT(DecodeImage("GIF89a....", "a.gif"),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("expected PNG or JPEG"), HasSubstr("GIF89a"))));
  EXPECT_THAT(ReadImage(JoinPath(TempFolder(), "absent.png")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent.png")));
}

TEST(ImageTest, WrongImagesAreNotEncoded) {
  EXPECT_THAT(EncodePng(Image{}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 x 0")));
  EXPECT_THAT(EncodePng(Image{2, 2, {1, 2, 3}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("expected 12"), HasSubstr("got 3"))));
  EXPECT_THAT(EncodeJpeg(Noise(2, 2, 1), 0),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1..100")));
}

TEST(ImageTest, ResizeKeepsFlatColourAndEnlargeMakesBlocks) {
  Image flat{5, 5, {}};
  for (int i = 0; i < 25; ++i) flat.rgb.insert(flat.rgb.end(), {10, 200, 90});
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Image resized, Resize(flat, 17, 3));
  ASSERT_EQ(resized.rgb.size(), 17u * 3 * 3);
  for (size_t i = 0; i < resized.rgb.size(); ++i) EXPECT_NEAR(resized.rgb[i], flat.rgb[i % 3], 1);
  EXPECT_THAT(Resize(flat, 0, 3), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 x 3")));

  const Image small = Noise(3, 2, 9);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Image large, Enlarge(small, 4));
  ASSERT_EQ(large.width, 12);
  ASSERT_EQ(large.height, 8);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 12; ++x) {
      EXPECT_EQ(large.rgb[(y * 12 + x) * 3 + 1], small.rgb[((y / 4) * 3 + x / 4) * 3 + 1]);
    }
  }
}

// Expected values were computed with Pillow (in the file). JPEG decoders may round differently.
TEST(ImageTest, DecodesAsPillowDoes) {
  const auto shared = SharedDataFolder();
  if (!shared.has_value()) GTEST_SKIP() << "skipped: shared data absent";
  constexpr double kJpegTolerance = 0.5;  // mean of a channel, of 255
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string text,
                               ReadFile(JoinPath(*shared, "image_decode_expected.json")));
  const nlohmann::json expected = nlohmann::json::parse(text, nullptr, false);
  ASSERT_TRUE(expected.is_object());
  for (const auto& [name, values] : expected.items()) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(const Image image, ReadImage(JoinPath(*shared, name)));
    EXPECT_EQ(image.width, values["width"]) << name;
    EXPECT_EQ(image.height, values["height"]) << name;
    if (values.contains("crc32_rgb")) {
      const uint32_t crc = av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), UINT32_MAX, image.rgb.data(),
                                  image.rgb.size()) ^
                           UINT32_MAX;
      EXPECT_EQ(crc, values["crc32_rgb"].get<uint32_t>()) << name;
    }
    for (int channel = 0; channel < 3; ++channel) {
      double sum = 0;
      for (size_t i = channel; i < image.rgb.size(); i += 3) sum += image.rgb[i];
      EXPECT_NEAR(sum / (image.rgb.size() / 3), values["mean_rgb"][channel].get<double>(),
                  kJpegTolerance)
          << name;
    }
  }
}

TEST(PixelsTest, NormalisesPlaneByPlane) {
  const Image image{2, 1, {0, 51, 255, 102, 0, 51}};
  const PixelNormalisation normalisation{{0.5f, 0, 0.2f}, {0.25f, 1, 2}};
  ALIDADE_ASSERT_OK_AND_ASSIGN(const at::Tensor pixels, ToPixels({image}, normalisation));
  ASSERT_EQ(pixels.sizes(), (std::vector<int64_t>{1, 3, 1, 2}));
  const float* values = pixels.data_ptr<float>();
  const std::vector<double> expected = {-2, (0.4 - 0.5) / 0.25, 0.2, 0, (1 - 0.2) / 2, 0};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-6) << i;
}

TEST(PixelsTest, BadInput) {
  EXPECT_THAT(ToPixels({}, PixelNormalisation{}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got none")));
  EXPECT_THAT(ToPixels({Noise(2, 2, 1), Noise(3, 2, 1)}, PixelNormalisation{}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("image 1: expected 2 x 2")));
  EXPECT_THAT(ToPixels({Noise(2, 2, 1)}, PixelNormalisation{{0, 0, 0}, {1, 0, 1}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("std of channel 1")));
}

TEST(PixelsTest, ResizesToWhatTheModelTakes) {
  const Preprocessor preprocessor{4, 6, {}};
  ALIDADE_ASSERT_OK_AND_ASSIGN(const at::Tensor pixels,
                               ToPixels({Noise(9, 9, 1), Noise(4, 6, 2)}, preprocessor));
  EXPECT_EQ(pixels.sizes(), (std::vector<int64_t>{2, 3, 6, 4}));
}

TEST(PreprocessorTest, RoundTrip) {
  const std::string path = JoinPath(TempFolder(), "preprocessor_config.json");
  const Preprocessor preprocessor{24, 32, {{0.4f, 0.5f, 0.6f}, {0.125f, 0.25f, 1}}};
  ALIDADE_ASSERT_OK(SavePreprocessor(preprocessor, path));
  EXPECT_THAT(LoadPreprocessor(path), IsOkAndHolds(preprocessor));
}

TEST(PreprocessorTest, ErrorsNameTheField) {
  const std::string path = JoinPath(TempFolder(), "preprocessor_config.json");
  ALIDADE_ASSERT_OK(SavePreprocessor({24, 24, {}}, path));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(path));
  nlohmann::json root = nlohmann::json::parse(text, nullptr, false);
  auto load = [&](const nlohmann::json& changed) {
    EXPECT_THAT(WriteFile(path, changed.dump(2)), IsOk());
    return LoadPreprocessor(path).status();
  };
  nlohmann::json wrong = root;
  wrong["image_std"] = {1, 0, 1};
  EXPECT_THAT(load(wrong), StatusIs(absl::StatusCode::kInvalidArgument,
                                    AllOf(HasSubstr("image_std"), HasSubstr("three numbers > 0"))));
  wrong = root;
  wrong["size"].erase("height");
  EXPECT_THAT(load(wrong), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("height")));
  wrong = root;
  wrong["image_meen"] = 1;
  EXPECT_THAT(load(wrong), StatusIs(absl::StatusCode::kInvalidArgument,
                                    AllOf(HasSubstr("image_meen"), HasSubstr("image_mean"))));
}

}  // namespace
}  // namespace alidade
