#include "common/progress/progress.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace alidade {
namespace {

// A terminal line is redrawn at most ten times a second; a log gets a line every ten seconds.
constexpr double kTerminalInterval = 0.1, kLogInterval = 10;

Progress::Output StandardError() {
  return {
      ::isatty(STDERR_FILENO) != 0,
      [](absl::string_view text) {
        std::fwrite(text.data(), 1, text.size(), stderr);
        std::fflush(stderr);
      },
      [] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
            .count();
      }};
}

}  // namespace

std::string FormatSeconds(double seconds) {
  const int64_t whole = static_cast<int64_t>(std::llround(std::max(seconds, 0.0)));
  if (whole < 60) return absl::StrCat(whole, "s");
  if (whole < 3600) return absl::StrFormat("%dm %02ds", whole / 60, whole % 60);
  return absl::StrFormat("%dh %02dm", whole / 3600, whole / 60 % 60);
}

Progress::Progress(absl::string_view label, int64_t total, absl::string_view unit)
    : Progress(label, total, unit, StandardError()) {}

Progress::Progress(absl::string_view label, int64_t total, absl::string_view unit, Output output)
    : label_(label), unit_(unit), total_(total), output_(std::move(output)) {
  start_ = output_.seconds();
  last_print_ = start_;
}

Progress::~Progress() { Finish(); }

void Progress::Update(int64_t done, const Values& values) {
  if (finished_) return;
  const double now = output_.seconds();
  if (first_done_ < 0) {
    first_done_ = done;
    start_ = now;
  }
  done_ = done;
  values_ = values;
  if (now - last_print_ < (output_.terminal ? kTerminalInterval : kLogInterval)) return;
  Print(values, now, false);
}

void Progress::Finish() {
  if (finished_) return;
  finished_ = true;
  Print(values_, output_.seconds(), true);
}

void Progress::Print(const Values& values, double now, bool last) {
  last_print_ = now;
  const double elapsed = now - start_;
  const int64_t here = done_ - std::max<int64_t>(first_done_, 0);
  std::string line = absl::StrFormat("%s  %d/%d %s", label_, done_, total_, unit_);
  if (here > 0 && elapsed > 0) {
    const double rate = static_cast<double>(here) / elapsed;
    absl::StrAppend(&line, absl::StrFormat("  %.3g/s", rate));
    for (const auto& [name, value] : values)
      absl::StrAppend(&line, absl::StrFormat("  %s %.4g", name, value));
    if (!last) {
      absl::StrAppend(&line, "  ", FormatSeconds(static_cast<double>(total_ - done_) / rate),
                      " left");
    }
  }
  if (last) absl::StrAppend(&line, "  in ", FormatSeconds(elapsed));
  output_.write(output_.terminal ? absl::StrCat("\r\x1b[K", line, last ? "\n" : "")
                                 : absl::StrCat(line, "\n"));
}

}  // namespace alidade
