#include "compiler/tools/prefc/Document.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "compiler/schedule/planner.h"
#include "compiler/tools/prefc/EvenBatch.h"

namespace alidade::pref {
namespace {

using schedule::Signature;

// A cell: a bar would end it.
std::string cell(const std::string& text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}});
}

void appendTable(std::string& text, const std::string& title,
                 const std::vector<std::string>& columns,
                 const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return;
  absl::StrAppend(&text, "\n## ", title, "\n\n| ", absl::StrJoin(columns, " | "), " |\n|");
  for (size_t i = 0; i < columns.size(); ++i) absl::StrAppend(&text, "---|");
  absl::StrAppend(&text, "\n");
  for (const std::vector<std::string>& row : rows)
    absl::StrAppend(&text, "| ", absl::StrJoin(row, " | "), " |\n");
}

std::string quoted(const std::string& name) { return absl::StrCat("`", name, "`"); }

// What the objective reads of a distribution: "logprob, entropy".
std::string readsOf(const Signature& signature, size_t distribution) {
  std::vector<std::string> reads;
  for (const schedule::VocabularyRead& read : signature.reads) {
    if (read.distribution != static_cast<int64_t>(distribution)) continue;
    reads.push_back(read.partner < 0
                        ? read.op
                        : absl::StrCat(read.op, " ", signature.distributions[read.partner].Name()));
  }
  return reads.empty() ? "as the other side only" : absl::StrJoin(reads, ", ");
}

std::vector<std::vector<std::string>> distributionRows(const Signature& signature) {
  std::vector<std::vector<std::string>> rows;
  for (size_t d = 0; d < signature.distributions.size(); ++d) {
    const schedule::Distribution& distribution = signature.distributions[d];
    std::vector<std::string> row = {quoted(distribution.Name()), readsOf(signature, d)};
    if (!distribution.requires_grad) {
      row.insert(row.end(), {"no", "", "", "", ""});
    } else {
      const schedule::Coupling& coupling = distribution.coupling;
      row.insert(row.end(), {"yes", std::string(GranularityName(coupling.granularity)),
                             absl::StrCat(coupling.rank),
                             coupling.dense ? "dense" : "onehot - softmax", cell(coupling.reason)});
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string axisText(const Signature& signature, int64_t axis) {
  if (axis == schedule::Input::kNone) return "one number";
  return axis == schedule::Input::kRow ? "row" : signature.axes[axis].Name();
}

// Schedules that the planner calls exact, with a trained and with a frozen head.
std::string scheduleSentence(const Signature& signature) {
  const auto exact = [&](bool trained) {
    EvenSizes sizes;
    sizes.head.requires_grad = trained;
    std::vector<std::string> kinds;
    const auto plan = schedule::MakePlan(signature, evenProblem(signature, sizes), {});
    if (!plan.ok()) return kinds;
    for (const schedule::Candidate& candidate : plan->candidates)
      if (candidate.legal) kinds.emplace_back(KindName(candidate.kind));
    return kinds;
  };
  const std::string trained = absl::StrJoin(exact(true), ", ");
  const std::string frozen = absl::StrJoin(exact(false), ", ");
  if (trained.empty() && frozen.empty()) return "Nothing requires a gradient: schedule R.";
  return absl::StrCat("Exact schedules: ", trained, "; with a frozen head: ", frozen, ".");
}

}  // namespace

std::string documentObjective(const Signature& signature, const std::string& definition) {
  std::string text = absl::StrCat("# ", signature.name, "\n\n");
  if (!signature.doc.empty()) absl::StrAppend(&text, signature.doc, "\n\n");
  if (!signature.paper.empty()) absl::StrAppend(&text, "Source: ", signature.paper, "\n\n");
  absl::StrAppend(&text, "## Definition\n\n```mlir\n", definition, "```\n");
  appendTable(text, "Distributions",
              {"distribution", "read", "gradient", "weights known per", "rank", "logit cotangent",
               "decided by"},
              distributionRows(signature));
  absl::StrAppend(&text, "\n", scheduleSentence(signature), "\n");
  std::vector<std::vector<std::string>> rows;
  for (const schedule::Input& input : signature.inputs)
    rows.push_back({quoted(input.name), axisText(signature, input.axis), cell(input.doc)});
  appendTable(text, "Data", {"name", "one number per", "meaning"}, rows);
  rows.clear();
  for (const schedule::Hyperparameter& hyper : signature.hyperparameters) {
    rows.push_back(
        {quoted(hyper.name), absl::StrCat(hyper.default_value), hyper.Range(), cell(hyper.doc)});
  }
  appendTable(text, "Hyperparameters", {"name", "default", "range", "meaning"}, rows);
  rows.clear();
  for (const schedule::Option& option : signature.options) {
    rows.push_back({quoted(option.name), quoted(option.default_case),
                    absl::StrJoin(option.cases, ", "), cell(option.doc)});
  }
  appendTable(text, "Options", {"name", "default", "cases", "meaning"}, rows);
  rows.clear();
  for (const schedule::State& state : signature.states)
    rows.push_back({quoted(state.name), absl::StrCat(state.default_value), cell(state.doc)});
  appendTable(text, "State", {"name", "at first", "meaning"}, rows);
  if (!signature.metrics.empty()) {
    const auto format = [](std::string* out, const std::string& name) {
      absl::StrAppend(out, quoted(name));
    };
    absl::StrAppend(&text, "\n## Metrics\n\n", absl::StrJoin(signature.metrics, ", ", format),
                    ": means over rows.\n");
  }
  return text;
}

}  // namespace alidade::pref
