#include "experiments/workflow/runner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/files/files.h"
#include "common/status/status.h"
#include "experiments/workflow/plan.h"
#include "experiments/workflow/run_folder.h"
#include "experiments/workflow/run_manifest.h"
#include "nlohmann/json.hpp"

namespace alidade::experiments {
namespace {

// "sft", or "sft s1" where the run has several seeds.
std::string LabelOf(const PlannedStage& call, const Experiment& experiment) {
  if (experiment.seeds_size() == 1 || call.seeds.size() > 1) return call.id;
  return absl::StrCat(call.id, " s", call.seeds.front());
}

std::string Mark(int position, size_t count) {
  return absl::StrFormat("[%*d/%d] ", count >= 10 ? 2 : 1, position + 1, static_cast<int>(count));
}

struct Session {
  const RunRequest& request;
  const StageKinds& kinds;
  const Experiment& experiment;
  const Plan& plan;
  std::ostream& log;
  std::vector<bool> finished;
};

absl::Status FindFinished(const std::string& out, Session& session) {
  for (const PlannedStage& call : session.plan.stages) {
    ALIDADE_ASSIGN_OR_RETURN(const bool finished, IsFinished(FinishedFolder(out, call), call));
    session.finished.push_back(finished);
  }
  return absl::OkStatus();
}

void PrintPlan(const std::string& out, const Session& session) {
  std::ostream& log = session.log;
  log << "folder " << out << "\n";
  const size_t count = session.plan.stages.size();
  size_t skipped = 0;
  for (size_t i = 0; i < count; ++i) {
    const PlannedStage& call = session.plan.stages[i];
    const bool resumes = PathExists(absl::StrCat(FinishedFolder(out, call), ".tmp"));
    skipped += session.finished[i];
    log << Mark(i, count)
        << absl::StrFormat("%-14s %-14s %s  %s\n", call.id, call.kind, call.folder_name,
                           session.finished[i] ? "finished: would be skipped"
                           : resumes           ? "interrupted: would go on"
                                               : "would run");
    log << "        key " << call.key << "\n";
  }
  log << count - skipped << " of " << count << " stages would run, " << skipped
      << " would be skipped\n";
}

StageContext ContextOf(const Session& session, const RunFolder& folder, const PlannedStage& call) {
  StageContext context;
  context.experiment = &session.experiment;
  context.stage = &session.experiment.stage(call.index);
  context.label = LabelOf(call, session.experiment);
  context.seed = call.seeds.front();
  context.seeds = call.seeds;
  for (int input : call.inputs) {
    const PlannedStage& need = session.plan.stages[input];
    const Stage& stage = session.experiment.stage(need.index);
    context.inputs.push_back({need.id, need.kind, stage.label().empty() ? need.id : stage.label(),
                              need.seeds.front(), folder.FinishedFolder(need)});
  }
  return context;
}

// Seconds that the stage took in this call, kept beside its results; an interrupted stage adds up.
absl::Status AddSeconds(const std::string& working, double seconds) {
  const std::string path = JoinPath(working, "seconds.json");
  double before = 0;
  if (PathExists(path)) {
    ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    const nlohmann::json value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (value.is_object() && value.contains("seconds") && value["seconds"].is_number()) {
      before = value["seconds"].get<double>();
    }
  }
  return WriteFile(path, absl::StrFormat("{\"seconds\": %.3f}\n", before + seconds));
}

// The run's own facts for a report.
std::vector<std::pair<std::string, std::string>> ProvenanceOf(const Session& session,
                                                              const RunManifest& manifest,
                                                              const std::string& manifest_path) {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"experiment", session.experiment.name()},
      {"resolved config", ResolvedHash(session.experiment)},
      {"commit",
       manifest.dirty ? absl::StrCat(manifest.commit, ", changed since") : manifest.commit},
      {"seeds", absl::StrJoin(session.experiment.seeds(), ", ")},
      {"started", manifest.start},
      {"manifest", manifest_path},
  };
  for (const auto& [name, version] : manifest.versions) facts.push_back({name, version});
  for (const auto& [name, value] : manifest.hardware) facts.push_back({name, value});
  if (session.request.smoke || !session.request.set.empty() || manifest.dirty) {
    std::vector<std::string> why;
    if (session.request.smoke) why.push_back("--smoke");
    for (const std::string& assignment : session.request.set) why.push_back("--set " + assignment);
    if (manifest.dirty) why.push_back("changed working tree");
    facts.push_back({"exploratory, not for publication", absl::StrJoin(why, ", ")});
  }
  return facts;
}

absl::Status RunOne(Session& session, const RunFolder& folder, int position,
                    const std::vector<std::pair<std::string, std::string>>& provenance) {
  const PlannedStage& call = session.plan.stages[position];
  const StageKind* kind = FindKind(session.kinds, call.kind);
  StageContext context = ContextOf(session, folder, call);
  context.folder = folder.WorkingFolder(call);
  context.provenance = provenance;
  const bool resumes = PathExists(context.folder);
  session.log << Mark(position, session.plan.stages.size()) << context.label << ": "
              << (resumes ? "going on in " : "running in ") << context.folder << std::endl;
  ALIDADE_RETURN_IF_ERROR(MakeFolder(context.folder));
  ALIDADE_RETURN_IF_ERROR(
      WriteFile(JoinPath(context.folder, "stage.textproto"), CanonicalText(*context.stage)));
  const absl::Time start = absl::Now();
  ALIDADE_RETURN_IF_ERROR(kind->Run(context), "stage ", context.label);
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  ALIDADE_RETURN_IF_ERROR(AddSeconds(context.folder, seconds));
  ALIDADE_RETURN_IF_ERROR(
      Finish(context.folder, folder.FinishedFolder(call), call, kind->Results(context)), "stage ",
      context.label);
  session.log << Mark(position, session.plan.stages.size()) << context.label
              << absl::StrFormat(": done in %.1f s", seconds) << std::endl;
  return absl::OkStatus();
}

absl::Status Publish(const Session& session, const RunFolder& folder, const PlannedStage& call) {
  const std::string finished = folder.FinishedFolder(call);
  for (const std::string& name : FindKind(session.kinds, call.kind)->Published()) {
    ALIDADE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(JoinPath(finished, name)));
    ALIDADE_RETURN_IF_ERROR(WriteFile(JoinPath(folder.path(), name), bytes));
    // The text form of a table is what a person at the terminal wants to see, also when nothing had
    // to be run again.
    if (absl::EndsWith(name, ".txt")) session.log << "\n" << bytes << std::flush;
  }
  return absl::OkStatus();
}

absl::Status RunPlan(Session& session, RunFolder& folder, const RunManifest& manifest,
                     const std::string& manifest_path) {
  const auto provenance = ProvenanceOf(session, manifest, manifest_path);
  const size_t count = session.plan.stages.size();
  for (size_t i = 0; i < count; ++i) {
    const PlannedStage& call = session.plan.stages[i];
    if (session.finished[i]) {
      session.log << Mark(i, count) << LabelOf(call, session.experiment)
                  << ": finished before, skipped" << std::endl;
    } else {
      ALIDADE_RETURN_IF_ERROR(RunOne(session, folder, i, provenance));
    }
    ALIDADE_RETURN_IF_ERROR(Publish(session, folder, call));
  }
  return absl::OkStatus();
}

absl::Status ApplySeeds(const RunRequest& request, ExperimentFile& file) {
  if (!request.seeds.has_value()) return absl::OkStatus();
  if (*request.seeds < 1) {
    return absl::InvalidArgumentError(absl::StrCat("--seeds: expected >= 1, got ", *request.seeds));
  }
  const int64_t first = file.experiment().seeds().empty() ? 0 : file.experiment().seeds(0);
  std::vector<int64_t> seeds;
  for (int64_t i = 0; i < *request.seeds; ++i) seeds.push_back(first + i);
  return file.Override(absl::StrCat("seeds=[", absl::StrJoin(seeds, ", "), "]"), "--seeds");
}

}  // namespace

absl::StatusOr<ExperimentFile> LoadExperiment(const RunRequest& request, const StageKinds& kinds) {
  ALIDADE_ASSIGN_OR_RETURN(ExperimentFile file, ExperimentFile::Read(request.config));
  if (request.smoke) ALIDADE_RETURN_IF_ERROR(file.ApplySmoke());
  for (const std::string& assignment : request.set) {
    ALIDADE_RETURN_IF_ERROR(file.Override(assignment, "--set"));
  }
  ALIDADE_RETURN_IF_ERROR(ApplySeeds(request, file));
  ALIDADE_RETURN_IF_ERROR(ResolveAndCheck(file, kinds));
  return file;
}

absl::Status RunExperiment(const RunRequest& request, const StageKinds& kinds, std::ostream& log) {
  ALIDADE_ASSIGN_OR_RETURN(const ExperimentFile file, LoadExperiment(request, kinds));
  ALIDADE_ASSIGN_OR_RETURN(const Plan plan, MakePlan(file, kinds));
  std::string out = request.out;
  if (out.empty()) {
    out = JoinPath("runs", absl::StrCat(file.experiment().name(), request.smoke ? "_smoke" : ""));
  }
  out = JoinPath(request.working_folder, out);
  Session session{request, kinds, file.experiment(), plan, log, {}};
  log << "experiment " << file.experiment().name() << ", resolved config "
      << ResolvedHash(file.experiment()) << "\n"
      << "question: " << file.experiment().question() << "\n";
  if (request.dry_run) {
    ALIDADE_RETURN_IF_ERROR(FindFinished(out, session));
    PrintPlan(out, session);
    return absl::OkStatus();
  }
  ALIDADE_ASSIGN_OR_RETURN(RunFolder folder, RunFolder::Open(out));
  ALIDADE_RETURN_IF_ERROR(FindFinished(out, session));
  log << "folder " << out << ", " << plan.stages.size() << " stages, "
      << std::count(session.finished.begin(), session.finished.end(), true) << " of them finished"
      << std::endl;
  ALIDADE_ASSIGN_OR_RETURN(const std::string manifest_path, folder.NextManifest());
  RunManifest manifest = BeginManifest(request.source_folder);
  manifest.name = file.experiment().name();
  manifest.config = CanonicalText(file.experiment());
  manifest.set = request.set;
  manifest.smoke = request.smoke;
  manifest.seeds.assign(file.experiment().seeds().begin(), file.experiment().seeds().end());
  manifest.versions.insert(manifest.versions.end(), request.versions.begin(),
                           request.versions.end());
  for (const PlannedStage& call : plan.stages)
    manifest.stages.push_back({call.folder_name, call.key});
  ALIDADE_RETURN_IF_ERROR(WriteManifest(manifest, manifest_path));
  const absl::Status status = RunPlan(session, folder, manifest, manifest_path);
  EndManifest(manifest, status);
  const absl::Status written = WriteManifest(manifest, manifest_path);
  return status.ok() ? written : status;
}

}  // namespace alidade::experiments
