#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "eval/report/report.h"
#include "nlohmann/json.hpp"

namespace alidade::eval {

absl::StatusOr<Curve> ReadCurve(const std::string& path, absl::string_view stage,
                                absl::string_view metric) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Curve curve{std::string(stage), std::string(metric), {}};
  std::set<std::string> names;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    ALIDADE_ASSIGN_OR_RETURN(JsonDocument document,
                             ParseJson(line, absl::StrCat(path, ":", ++number)));
    document.lines.clear();  // a record is one line, and the file's name has it
    if (!document.root.is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat(document.file, ": expected an object, got ", JsonForMessage(document.root)));
    }
    const auto found = document.root.find(std::string(metric));
    if (found == document.root.end()) {
      for (const auto& [name, value] : document.root.items()) names.insert(name);
      continue;
    }
    JsonFields fields(document);
    CurvePoint point;
    fields.Required("step", &point.step);
    fields.Required(metric, &point.value);
    for (const auto& [name, value] : document.root.items()) fields.Ignore(name);
    ALIDADE_RETURN_IF_ERROR(fields.Finish());
    if (!curve.points.empty() && point.step <= curve.points.back().step) {
      return absl::InvalidArgumentError(absl::StrCat(
          document.file, ": step: expected > ", curve.points.back().step, ", got ", point.step));
    }
    curve.points.push_back(point);
  }
  if (curve.points.empty()) {
    return WithContext(
        UnknownNameError("metric", metric, std::vector<std::string>(names.begin(), names.end())),
        path);
  }
  return curve;
}

}  // namespace alidade::eval
