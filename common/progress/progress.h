#ifndef ALIDADE_COMMON_PROGRESS_PROGRESS_H_
#define ALIDADE_COMMON_PROGRESS_PROGRESS_H_

// One line that says how far long work is: done/total, rate, values such as the loss, time left. On
// a terminal the line is drawn over itself; elsewhere a plain line is printed at a few moments, so
// that logs stay readable.
//
//   Progress progress("sft", 2250, "step");
//   for (...) progress.Update(step, {{"loss", loss}});
//   progress.Finish();

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace alidade {

class Progress {
 public:
  using Values = std::vector<std::pair<std::string, double>>;
  // Where and how to print; the default is standard error and the steady clock.
  struct Output {
    bool terminal = false;
    std::function<void(absl::string_view)> write;
    std::function<double()> seconds;
  };

  Progress(absl::string_view label, int64_t total, absl::string_view unit);
  Progress(absl::string_view label, int64_t total, absl::string_view unit, Output output);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` units are finished in all; work resumed at `done` > 0 gives its first Update before it
  // starts, so that the rate counts this process's work only.
  void Update(int64_t done, const Values& values = {});
  // Prints the last state and ends the line. Later calls do nothing.
  void Finish();

 private:
  void Print(const Values& values, double now, bool last);

  const std::string label_, unit_;
  const int64_t total_;
  Output output_;
  double start_ = 0, last_print_ = 0;
  int64_t first_done_ = -1, done_ = 0;
  Values values_;
  bool finished_ = false;
};

// "41s", "3m 05s", "2h 07m".
std::string FormatSeconds(double seconds);

}  // namespace alidade

#endif  // ALIDADE_COMMON_PROGRESS_PROGRESS_H_
