#ifndef ALIDADE_EVAL_REPORT_EXAMPLE_H_
#define ALIDADE_EVAL_REPORT_EXAMPLE_H_

// A report over made-up evaluations, for tests and for looking at the page while its layout
// changes.

#include <cstdint>
#include <string>
#include <vector>

#include "eval/report/report.h"

namespace alidade::eval {

// Six methods on `num_images` images with `seeds` seeds, all answers drawn from a fixed stream.
ReportInput ExampleReportInput(int64_t num_images, const std::vector<int64_t>& seeds);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_REPORT_EXAMPLE_H_
