#include "experiments/workflow/stages/stages.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "experiments/workflow/stages/kinds.h"
#include "torch/headeronly/version.h"

namespace alidade::experiments {
namespace {

// Written by the build: digests of the sources of each kind.
const std::map<std::string, std::string>& CodeDigests() {
  static const auto* digests = new std::map<std::string, std::string>{
#include "experiments/workflow/stages/code.inc"
  };
  return *digests;
}

}  // namespace

StageKinds StandardStages() {
  const std::map<std::string, std::string>& code = CodeDigests();
  StageKinds kinds;
  kinds.push_back(MakeBuildDatasetStage(code.at("build_dataset")));
  kinds.push_back(MakeSftStage(code.at("sft")));
  kinds.push_back(MakePreferenceStage(code.at("preference")));
  kinds.push_back(MakeEvaluateStage(code.at("evaluate")));
  kinds.push_back(MakeReportStage(code.at("report")));
  return kinds;
}

std::vector<std::pair<std::string, std::string>> StandardVersions() {
  return {{"libtorch", TORCH_VERSION}};
}

}  // namespace alidade::experiments
