// One function per kind; `code` is the digest of its sources.
#ifndef ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_KINDS_H_
#define ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_KINDS_H_

#include <memory>
#include <string>

#include "absl/types/span.h"
#include "experiments/workflow/stage_kind.h"

namespace alidade::experiments {

std::unique_ptr<StageKind> MakeBuildDatasetStage(std::string code);
std::unique_ptr<StageKind> MakeSftStage(std::string code);
std::unique_ptr<StageKind> MakePreferenceStage(std::string code);
std::unique_ptr<StageKind> MakeEvaluateStage(std::string code);
std::unique_ptr<StageKind> MakeReportStage(std::string code);

}  // namespace alidade::experiments

#endif  // ALIDADE_EXPERIMENTS_WORKFLOW_STAGES_KINDS_H_
