#include "compiler/tools/prefc/Document.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace alidade::pref {
namespace {

using schedule::Granularity;
using schedule::Signature;

std::string distributionTable(const Signature& signature) {
  std::string text =
      "| distribution | gradient | weights known per | rank | logit cotangent | decided by |\n"
      "|---|---|---|---|---|---|\n";
  for (const schedule::Distribution& distribution : signature.distributions) {
    absl::StrAppend(&text, "| `", distribution.Name(), "` | ");
    if (!distribution.requires_grad) {
      absl::StrAppend(&text, "no | | | | |\n");
      continue;
    }
    const schedule::Coupling& coupling = distribution.coupling;
    absl::StrAppend(&text, "yes | ", schedule::GranularityName(coupling.granularity), " | ",
                    coupling.rank, " | ", coupling.dense ? "dense" : "onehot - softmax", " | ",
                    coupling.reason, " |\n");
  }
  return text;
}

std::string scheduleSentence(const Signature& signature) {
  bool dense = false, batch = false;
  for (const schedule::Distribution& distribution : signature.distributions) {
    if (!distribution.requires_grad) continue;
    dense |= distribution.coupling.dense;
    batch |= distribution.coupling.granularity == Granularity::kBatch;
  }
  if (dense) return "No schedule of this compiler is exact for a dense logit cotangent.";
  return absl::StrCat("Exact schedules: S2, ", batch ? "" : "S3, ",
                      "and F where the head is frozen.");
}

}  // namespace

std::string documentObjective(const Signature& signature, const std::string& definition) {
  std::string text = absl::StrCat("# ", signature.name, "\n\n");
  if (!signature.doc.empty()) absl::StrAppend(&text, signature.doc, "\n\n");
  if (!signature.paper.empty()) absl::StrAppend(&text, "Source: ", signature.paper, "\n\n");
  absl::StrAppend(&text, "## Definition\n\n```mlir\n", definition, "```\n\n## Inputs\n\n",
                  distributionTable(signature), "\n", scheduleSentence(signature), "\n");
  if (!signature.hyperparameters.empty()) {
    absl::StrAppend(
        &text, "\n## Hyperparameters\n\n| name | default | range | meaning |\n|---|---|---|---|\n");
    for (const schedule::Hyperparameter& hyper : signature.hyperparameters) {
      absl::StrAppend(&text, "| `", hyper.name, "` | ", hyper.default_value, " | ", hyper.Range(),
                      " | ", hyper.doc, " |\n");
    }
  }
  if (!signature.metrics.empty()) {
    const auto quoted = [](std::string* out, const std::string& name) {
      absl::StrAppend(out, "`", name, "`");
    };
    absl::StrAppend(&text, "\n## Metrics\n\n", absl::StrJoin(signature.metrics, ", ", quoted),
                    ": means over rows.\n");
  }
  return text;
}

}  // namespace alidade::pref
