#include "common/media/image.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/crc.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libswscale/swscale.h>
}

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status.h"

namespace alidade {
namespace {

constexpr int kMaxSide = 16384;
constexpr absl::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);
constexpr absl::string_view kJpegSignature("\xff\xd8\xff", 3);

struct FreeContext {
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
};
struct FreeFrame {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct FreeScaler {
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};
using Context = std::unique_ptr<AVCodecContext, FreeContext>;
using Frame = std::unique_ptr<AVFrame, FreeFrame>;
using Packet = std::unique_ptr<AVPacket, FreePacket>;
using Scaler = std::unique_ptr<SwsContext, FreeScaler>;

std::string AvError(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof(text));
  return text;
}

// Opening a codec costs more than a small picture; every thread keeps the ones it used last.
struct Codecs {
  Codecs() { av_log_set_level(AV_LOG_QUIET); }  // what FFmpeg has to say is in our Status

  Context png_decoder;
  Context jpeg_decoder;
  Context png_encoder;
  Context jpeg_encoder;
  int jpeg_quality = 0;
  Frame frame{av_frame_alloc()};
  Packet packet{av_packet_alloc()};
  Scaler decode_scaler;
  Scaler encode_scaler;
};

Codecs& ThreadCodecs() {
  static thread_local Codecs codecs;
  return codecs;
}

uint32_t BigEndian32(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// The PNG decoder conceals much; a file is judged by its chunks, each of which has a length and a
// checksum.
absl::Status CheckPng(absl::string_view bytes, absl::string_view name) {
  const AVCRC* table = av_crc_get_table(AV_CRC_32_IEEE_LE);
  size_t at = kPngSignature.size();
  while (true) {
    if (bytes.size() < at + 12) {
      return absl::DataLossError(absl::StrCat(name, ": truncated PNG: ends at byte ", bytes.size(),
                                              " without its closing chunk IEND"));
    }
    const uint32_t length = BigEndian32(bytes.substr(at));
    const absl::string_view type = bytes.substr(at + 4, 4);
    if (bytes.size() - at - 12 < length) {
      return absl::DataLossError(absl::StrCat(name, ": truncated PNG: chunk ", absl::CEscape(type),
                                              " at byte ", at, " needs ", length, " bytes, ",
                                              bytes.size() - at - 12, " are left"));
    }
    const uint32_t expected = BigEndian32(bytes.substr(at + 8 + length));
    const uint32_t got =
        av_crc(table, UINT32_MAX, reinterpret_cast<const uint8_t*>(bytes.data() + at + 4),
               length + 4) ^
        UINT32_MAX;
    if (expected != got) {
      return absl::DataLossError(absl::StrCat(name, ": altered PNG: checksum of chunk ",
                                              absl::CEscape(type), " at byte ", at, ": expected ",
                                              absl::Hex(expected, absl::kZeroPad8), ", got ",
                                              absl::Hex(got, absl::kZeroPad8)));
    }
    at += 12 + length;
    if (type == "IEND") return absl::OkStatus();
  }
}

// JPEG has no checksums; that its end marker is there is all that can be told without decoding.
absl::Status CheckJpeg(absl::string_view bytes, absl::string_view name) {
  if (bytes.rfind(absl::string_view("\xff\xd9", 2)) == absl::string_view::npos) {
    return absl::DataLossError(absl::StrCat(name, ": truncated JPEG: ends at byte ", bytes.size(),
                                            " without its end marker"));
  }
  return absl::OkStatus();
}

absl::Status OpenDecoder(AVCodecID id, Context& context) {
  if (context != nullptr) return absl::OkStatus();
  const AVCodec* codec = avcodec_find_decoder(id);
  if (codec == nullptr)
    return absl::UnimplementedError("this FFmpeg lacks the PNG or JPEG decoder");
  Context opened(avcodec_alloc_context3(codec));
  opened->thread_count = 1;
  opened->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
  if (const int error = avcodec_open2(opened.get(), codec, nullptr); error < 0) {
    return absl::InternalError(absl::StrCat("cannot open the image decoder: ", AvError(error)));
  }
  context = std::move(opened);
  return absl::OkStatus();
}

absl::Status FrameToRgb(const AVFrame& frame, Codecs& codecs, Image& image) {
  image.width = frame.width;
  image.height = frame.height;
  image.rgb.resize(static_cast<size_t>(3) * frame.width * frame.height);
  const auto format = static_cast<AVPixelFormat>(frame.format);
  uint8_t* rows[4] = {image.rgb.data(), nullptr, nullptr, nullptr};
  int strides[4] = {3 * frame.width, 0, 0, 0};
  if (format == AV_PIX_FMT_RGB24) {
    av_image_copy_plane(rows[0], strides[0], frame.data[0], frame.linesize[0], 3 * frame.width,
                        frame.height);
    return absl::OkStatus();
  }
  // sws_getCachedContext frees or returns what it is given.
  codecs.decode_scaler.reset(sws_getCachedContext(
      codecs.decode_scaler.release(), frame.width, frame.height, format, frame.width, frame.height,
      AV_PIX_FMT_RGB24, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP,
      nullptr, nullptr, nullptr));
  if (codecs.decode_scaler == nullptr)
    return absl::UnimplementedError("a pixel format that cannot become RGB");
  sws_scale(codecs.decode_scaler.get(), frame.data, frame.linesize, 0, frame.height, rows, strides);
  return absl::OkStatus();
}

absl::Status CheckImage(const Image& image) {
  if (image.width < 1 || image.height < 1 || image.width > kMaxSide || image.height > kMaxSide) {
    return absl::InvalidArgumentError(absl::StrCat("image of ", image.width, " x ", image.height,
                                                   " pixels: expected 1..", kMaxSide, " per side"));
  }
  const size_t expected = static_cast<size_t>(3) * image.width * image.height;
  if (image.rgb.size() != expected) {
    return absl::InvalidArgumentError(absl::StrCat("image of ", image.width, " x ", image.height,
                                                   " pixels: expected ", expected, " bytes, got ",
                                                   image.rgb.size()));
  }
  return absl::OkStatus();
}

absl::Status OpenEncoder(AVCodecID id, AVPixelFormat format, const Image& image, int qscale,
                         Context& context) {
  if (context != nullptr && context->width == image.width && context->height == image.height)
    return absl::OkStatus();
  const AVCodec* codec = avcodec_find_encoder(id);
  if (codec == nullptr)
    return absl::UnimplementedError("this FFmpeg lacks the PNG or JPEG encoder");
  Context opened(avcodec_alloc_context3(codec));
  opened->width = image.width;
  opened->height = image.height;
  opened->pix_fmt = format;
  opened->time_base = {1, 25};
  opened->thread_count = 1;
  if (qscale > 0) {
    opened->flags |= AV_CODEC_FLAG_QSCALE;
    opened->global_quality = FF_QP2LAMBDA * qscale;
  }
  if (const int error = avcodec_open2(opened.get(), codec, nullptr); error < 0) {
    return absl::InternalError(absl::StrCat("cannot open the image encoder: ", AvError(error)));
  }
  context = std::move(opened);
  return absl::OkStatus();
}

absl::StatusOr<std::string> EncodeFrame(AVCodecContext& context, const AVFrame& frame,
                                        AVPacket& packet) {
  if (const int error = avcodec_send_frame(&context, &frame); error < 0) {
    return absl::InternalError(absl::StrCat("while encoding an image: ", AvError(error)));
  }
  if (const int error = avcodec_receive_packet(&context, &packet); error < 0) {
    return absl::InternalError(absl::StrCat("while encoding an image: ", AvError(error)));
  }
  std::string bytes(reinterpret_cast<const char*>(packet.data), packet.size);
  av_packet_unref(&packet);
  return bytes;
}

absl::Status AllocateFrame(AVFrame& frame, AVPixelFormat format, int width, int height) {
  av_frame_unref(&frame);
  frame.width = width;
  frame.height = height;
  frame.format = format;
  if (const int error = av_frame_get_buffer(&frame, 0); error < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for an image: ", AvError(error)));
  }
  return absl::OkStatus();
}

}  // namespace

bool operator==(const Image& a, const Image& b) {
  return a.width == b.width && a.height == b.height && a.rgb == b.rgb;
}

absl::StatusOr<Image> DecodeImage(absl::string_view bytes, absl::string_view name) {
  const bool png = bytes.substr(0, kPngSignature.size()) == kPngSignature;
  const bool jpeg = bytes.substr(0, kJpegSignature.size()) == kJpegSignature;
  if (!png && !jpeg) {
    return absl::DataLossError(
        absl::StrCat(name, ": not an image: expected PNG or JPEG, got ",
                     bytes.empty() ? std::string("an empty file")
                                   : absl::StrCat("a file that begins with \"",
                                                  absl::CHexEscape(bytes.substr(0, 8)), "\"")));
  }
  ALIDADE_RETURN_IF_ERROR(png ? CheckPng(bytes, name) : CheckJpeg(bytes, name));

  Codecs& codecs = ThreadCodecs();
  Context& context = png ? codecs.png_decoder : codecs.jpeg_decoder;
  ALIDADE_RETURN_IF_ERROR(OpenDecoder(png ? AV_CODEC_ID_PNG : AV_CODEC_ID_MJPEG, context),
                          "while decoding ", name);
  // av_new_packet adds the padding that decoders read beyond the end.
  if (const int error = av_new_packet(codecs.packet.get(), static_cast<int>(bytes.size()));
      error < 0) {
    return absl::ResourceExhaustedError(absl::StrCat(name, ": ", AvError(error)));
  }
  std::memcpy(codecs.packet->data, bytes.data(), bytes.size());
  // Else the PNG decoder takes the picture for a difference to the one before and adds the two.
  codecs.packet->flags |= AV_PKT_FLAG_KEY;
  int error = avcodec_send_packet(context.get(), codecs.packet.get());
  if (error >= 0) error = avcodec_receive_frame(context.get(), codecs.frame.get());
  av_packet_unref(codecs.packet.get());
  if (error < 0) {
    context.reset();  // its state after an error is not worth trusting
    return absl::DataLossError(absl::StrCat(name, ": altered ", png ? "PNG" : "JPEG",
                                            ": its pixels cannot be decoded (", AvError(error),
                                            ")"));
  }
  Image image;
  const absl::Status converted = FrameToRgb(*codecs.frame, codecs, image);
  if (codecs.frame->format == AV_PIX_FMT_PAL8)
    context.reset();  // it would paint the next picture with this palette
  av_frame_unref(codecs.frame.get());
  ALIDADE_RETURN_IF_ERROR(converted, "while decoding ", name);
  return image;
}

absl::StatusOr<Image> ReadImage(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path), "while reading an image");
  return DecodeImage(bytes, path);
}

absl::StatusOr<std::string> EncodePng(const Image& image) {
  ALIDADE_RETURN_IF_ERROR(CheckImage(image), "while encoding PNG");
  Codecs& codecs = ThreadCodecs();
  ALIDADE_RETURN_IF_ERROR(
      OpenEncoder(AV_CODEC_ID_PNG, AV_PIX_FMT_RGB24, image, 0, codecs.png_encoder));
  ALIDADE_RETURN_IF_ERROR(
      AllocateFrame(*codecs.frame, AV_PIX_FMT_RGB24, image.width, image.height));
  av_image_copy_plane(codecs.frame->data[0], codecs.frame->linesize[0], image.rgb.data(),
                      3 * image.width, 3 * image.width, image.height);
  absl::StatusOr<std::string> bytes =
      EncodeFrame(*codecs.png_encoder, *codecs.frame, *codecs.packet);
  av_frame_unref(codecs.frame.get());
  return bytes;
}

absl::StatusOr<std::string> EncodeJpeg(const Image& image, int quality) {
  ALIDADE_RETURN_IF_ERROR(CheckImage(image), "while encoding JPEG");
  if (quality < 1 || quality > 100) {
    return absl::InvalidArgumentError(absl::StrCat("JPEG quality: expected 1..100, got ", quality));
  }
  Codecs& codecs = ThreadCodecs();
  const int qscale = 31 - 29 * (quality - 1) / 99;  // FFmpeg: 2 (best) .. 31
  if (codecs.jpeg_quality != qscale) codecs.jpeg_encoder.reset();
  codecs.jpeg_quality = qscale;
  ALIDADE_RETURN_IF_ERROR(
      OpenEncoder(AV_CODEC_ID_MJPEG, AV_PIX_FMT_YUVJ444P, image, qscale, codecs.jpeg_encoder));
  ALIDADE_RETURN_IF_ERROR(
      AllocateFrame(*codecs.frame, AV_PIX_FMT_YUVJ444P, image.width, image.height));
  codecs.encode_scaler.reset(
      sws_getCachedContext(codecs.encode_scaler.release(), image.width, image.height,
                           AV_PIX_FMT_RGB24, image.width, image.height, AV_PIX_FMT_YUVJ444P,
                           SWS_BICUBIC | SWS_ACCURATE_RND, nullptr, nullptr, nullptr));
  if (codecs.encode_scaler == nullptr) return absl::InternalError("cannot convert RGB to YUV");
  const uint8_t* rows[4] = {image.rgb.data(), nullptr, nullptr, nullptr};
  const int strides[4] = {3 * image.width, 0, 0, 0};
  sws_scale(codecs.encode_scaler.get(), rows, strides, 0, image.height, codecs.frame->data,
            codecs.frame->linesize);
  codecs.frame->quality = FF_QP2LAMBDA * qscale;
  absl::StatusOr<std::string> bytes =
      EncodeFrame(*codecs.jpeg_encoder, *codecs.frame, *codecs.packet);
  av_frame_unref(codecs.frame.get());
  return bytes;
}

absl::StatusOr<Image> Resize(const Image& image, int width, int height) {
  ALIDADE_RETURN_IF_ERROR(CheckImage(image), "while resizing");
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide) {
    return absl::InvalidArgumentError(absl::StrCat("resize to ", width, " x ", height,
                                                   " pixels: expected 1..", kMaxSide, " per side"));
  }
  const Scaler scaler(sws_getContext(image.width, image.height, AV_PIX_FMT_RGB24, width, height,
                                     AV_PIX_FMT_RGB24, SWS_BICUBIC | SWS_ACCURATE_RND, nullptr,
                                     nullptr, nullptr));
  if (scaler == nullptr) return absl::InternalError("cannot set up the resampling of an image");
  Image resized{width, height, std::vector<uint8_t>(static_cast<size_t>(3) * width * height)};
  const uint8_t* from[4] = {image.rgb.data(), nullptr, nullptr, nullptr};
  const int from_strides[4] = {3 * image.width, 0, 0, 0};
  uint8_t* to[4] = {resized.rgb.data(), nullptr, nullptr, nullptr};
  const int to_strides[4] = {3 * width, 0, 0, 0};
  sws_scale(scaler.get(), from, from_strides, 0, image.height, to, to_strides);
  return resized;
}

absl::StatusOr<Image> Enlarge(const Image& image, int factor) {
  ALIDADE_RETURN_IF_ERROR(CheckImage(image), "while enlarging");
  if (factor < 1 || image.width > kMaxSide / factor || image.height > kMaxSide / factor) {
    return absl::InvalidArgumentError(absl::StrCat("enlarging factor: expected 1..",
                                                   kMaxSide / std::max(image.width, image.height),
                                                   ", got ", factor));
  }
  Image large{image.width * factor, image.height * factor, {}};
  large.rgb.reserve(image.rgb.size() * factor * factor);
  for (int y = 0; y < large.height; ++y) {
    for (int x = 0; x < large.width; ++x) {
      const size_t at = static_cast<size_t>(3) * ((y / factor) * image.width + x / factor);
      large.rgb.insert(large.rgb.end(), &image.rgb[at], &image.rgb[at] + 3);
    }
  }
  return large;
}

}  // namespace alidade
