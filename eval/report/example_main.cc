// Writes the example report into the folder named on the command line, with one seed or, after a
// second argument, with so many: bazel run //eval/report:example_main -- /tmp/report 3

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/files/files.h"
#include "eval/report/example.h"
#include "eval/report/report.h"

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: %s FOLDER [SEEDS]\n", argv[0]);
    return 2;
  }
  std::vector<int64_t> seeds;
  for (int s = 0; s < (argc == 3 ? std::atoi(argv[2]) : 1); ++s) seeds.push_back(s);
  absl::StatusOr<alidade::eval::Report> report =
      alidade::eval::MakeReport(alidade::eval::ExampleReportInput(600, seeds));
  absl::Status status = report.status();
  if (status.ok()) status = alidade::MakeFolder(argv[1]);
  if (status.ok()) status = alidade::eval::WriteReport(*report, argv[1]);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  std::fputs(alidade::eval::RenderTerminal(*report).c_str(), stdout);
  return 0;
}
