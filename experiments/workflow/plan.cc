#include "experiments/workflow/plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"

namespace alidade::experiments {
namespace {

bool IsIdentifier(absl::string_view name) {
  return !name.empty() && absl::ascii_islower(name[0]) &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
         });
}

absl::Status ErrorAt(const ExperimentFile& file, absl::Span<const PathStep> path,
                     absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(file.Where(path), ": ", message));
}

absl::Status CheckTop(const ExperimentFile& file) {
  const Experiment& experiment = file.experiment();
  if (!IsIdentifier(experiment.name())) {
    return ErrorAt(file, {{"name"}},
                   absl::StrCat("name: expected [a-z][a-z0-9_]*, got \"", experiment.name(), "\""));
  }
  for (const char* field : {"question", "owner"}) {
    const auto* descriptor = Experiment::descriptor()->FindFieldByName(field);
    if (experiment.GetReflection()->GetString(experiment, descriptor).empty()) {
      return ErrorAt(file, {{field}}, absl::StrCat(field, ": expected a text, got nothing"));
    }
  }
  if (experiment.seeds().empty()) {
    return ErrorAt(file, {{"seeds"}}, "seeds: expected at least one seed, got none");
  }
  std::set<int64_t> seeds;
  for (int i = 0; i < experiment.seeds_size(); ++i) {
    if (experiment.seeds(i) < 0) {
      return ErrorAt(file, {{"seeds", i}},
                     absl::StrCat("seeds: expected >= 0, got ", experiment.seeds(i)));
    }
    if (!seeds.insert(experiment.seeds(i)).second) {
      return ErrorAt(
          file, {{"seeds", i}},
          absl::StrCat("seeds: expected different seeds, got ", experiment.seeds(i), " twice"));
    }
  }
  if (experiment.stage().empty()) {
    return ErrorAt(file, {{"stage"}}, "stage: expected at least one stage, got none");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, int>> IdsOf(const ExperimentFile& file) {
  const Experiment& experiment = file.experiment();
  std::map<std::string, int> ids;
  for (int i = 0; i < experiment.stage_size(); ++i) {
    const std::string& id = experiment.stage(i).id();
    if (!IsIdentifier(id)) {
      return ErrorAt(file, {{"stage", i}, {"id"}},
                     absl::StrCat("id: expected [a-z][a-z0-9_]*, got \"", id, "\""));
    }
    if (Experiment::descriptor()->FindFieldByName(id) != nullptr) {
      return ErrorAt(
          file, {{"stage", i}, {"id"}},
          absl::StrCat("id: expected another word than the fields of an experiment, got \"", id,
                       "\""));
    }
    const auto [before, fresh] = ids.emplace(id, i);
    if (!fresh) {
      return ErrorAt(file, {{"stage", i}, {"id"}},
                     absl::StrCat("id: expected a new name, got \"", id, "\", which stands at ",
                                  file.Where({{"stage", before->second}, {"id"}}), " too"));
    }
  }
  return ids;
}

// Indices of the needed stages of every stage.
absl::StatusOr<std::vector<std::vector<int>>> NeedsOf(const ExperimentFile& file,
                                                      const std::map<std::string, int>& ids) {
  const Experiment& experiment = file.experiment();
  std::vector<std::string> names;
  for (const auto& [id, index] : ids) names.push_back(id);
  std::vector<std::vector<int>> needs(experiment.stage_size());
  for (int i = 0; i < experiment.stage_size(); ++i) {
    const Stage& stage = experiment.stage(i);
    for (int k = 0; k < stage.needs_size(); ++k) {
      const auto found = ids.find(stage.needs(k));
      const std::vector<PathStep> path = {{"stage", i}, {"needs", k}};
      const std::string prefix = absl::StrCat("stage \"", stage.id(), "\": needs: ");
      if (found == ids.end()) {
        return ErrorAt(file, path,
                       absl::StrCat(prefix, "expected the id of a stage, got \"", stage.needs(k),
                                    "\"", Suggestion(stage.needs(k), names)));
      }
      if (std::count(needs[i].begin(), needs[i].end(), found->second) != 0) {
        return ErrorAt(file, path, absl::StrCat(prefix, "\"", stage.needs(k), "\" stands twice"));
      }
      needs[i].push_back(found->second);
    }
  }
  return needs;
}

// Stages in an order in which needs come first; among those that are ready the file's order is
// kept.
absl::StatusOr<std::vector<int>> Order(const ExperimentFile& file,
                                       const std::vector<std::vector<int>>& needs) {
  const int count = static_cast<int>(needs.size());
  std::vector<int> order;
  std::vector<bool> placed(count, false);
  bool progress = true;
  while (progress) {
    progress = false;
    for (int i = 0; i < count && !progress; ++i) {
      if (placed[i]) continue;
      if (std::all_of(needs[i].begin(), needs[i].end(), [&](int n) { return placed[n]; })) {
        placed[i] = progress = true;
        order.push_back(i);
      }
    }
  }
  if (static_cast<int>(order.size()) == count) return order;
  // Every stage left has a need that is left too: walking along them must close a ring.
  int at = static_cast<int>(std::find(placed.begin(), placed.end(), false) - placed.begin());
  std::vector<int> walk;
  while (std::find(walk.begin(), walk.end(), at) == walk.end()) {
    walk.push_back(at);
    at = *std::find_if(needs[at].begin(), needs[at].end(), [&](int n) { return !placed[n]; });
  }
  std::vector<std::string> ring;
  for (auto it = std::find(walk.begin(), walk.end(), at); it != walk.end(); ++it) {
    ring.push_back(file.experiment().stage(*it).id());
  }
  ring.push_back(file.experiment().stage(at).id());
  return ErrorAt(file, {{"stage", at}, {"needs"}},
                 absl::StrCat("needs: expected no cycle, got ", absl::StrJoin(ring, " -> ")));
}

struct Graph {
  std::vector<std::vector<int>> needs;
  std::vector<int> order;
};

absl::StatusOr<Graph> MakeGraph(const ExperimentFile& file) {
  ALIDADE_ASSIGN_OR_RETURN(auto ids, IdsOf(file));
  Graph graph;
  ALIDADE_ASSIGN_OR_RETURN(graph.needs, NeedsOf(file, ids));
  ALIDADE_ASSIGN_OR_RETURN(graph.order, Order(file, graph.needs));
  return graph;
}

// A stage with a seed of its own, or of a kind over seeds, gives one output for the whole run.
bool OncePerRun(const Stage& stage, const StageKinds& kinds) {
  return stage.has_seed() || FindKind(kinds, KindOf(stage))->over_seeds();
}

absl::Status CheckSeeds(const ExperimentFile& file, const StageKinds& kinds, const Graph& graph) {
  const Experiment& experiment = file.experiment();
  for (int i = 0; i < experiment.stage_size(); ++i) {
    const Stage& stage = experiment.stage(i);
    const bool over_seeds = FindKind(kinds, KindOf(stage))->over_seeds();
    if (over_seeds && stage.has_seed()) {
      return ErrorAt(file, {{"stage", i}, {"seed"}},
                     absl::StrCat("stage \"", stage.id(), "\": seed: expected none, because a ",
                                  KindOf(stage), " stage reads all seeds; got ", stage.seed()));
    }
    if (stage.has_seed() && stage.seed() < 0) {
      return ErrorAt(
          file, {{"stage", i}, {"seed"}},
          absl::StrCat("stage \"", stage.id(), "\": seed: expected >= 0, got ", stage.seed()));
    }
    for (int k = 0; k < stage.needs_size(); ++k) {
      const Stage& need = experiment.stage(graph.needs[i][k]);
      if (!over_seeds && FindKind(kinds, KindOf(need))->over_seeds()) {
        return ErrorAt(file, {{"stage", i}, {"needs", k}},
                       absl::StrCat("stage \"", stage.id(),
                                    "\": needs: expected a stage that runs per seed, got \"",
                                    need.id(), "\", a ", KindOf(need), " stage over all seeds"));
      }
      if (stage.has_seed() && !OncePerRun(need, kinds)) {
        return ErrorAt(
            file, {{"stage", i}, {"needs", k}},
            absl::StrCat(
                "stage \"", stage.id(),
                "\": needs: a stage with a fixed seed expects needs with a fixed seed, got \"",
                need.id(), "\""));
      }
    }
  }
  return absl::OkStatus();
}

std::string KeyText(Stage stage, const std::string& code, const std::vector<int64_t>& seeds,
                    const std::vector<std::string>& input_lines) {
  stage.clear_label();  // what tables call a stage changes nothing in its output
  return absl::StrCat("stage\n", CanonicalText(stage), "code ", code, "\nseeds ",
                      absl::StrJoin(seeds, " "), "\n", absl::StrJoin(input_lines, "\n"), "\n");
}

std::string FolderName(const PlannedStage& call) {
  std::string name = absl::StrCat(call.id, "-", call.key.substr(0, 8), "-s", call.seeds.front());
  if (call.seeds.size() > 1) absl::StrAppend(&name, "-", call.seeds.back());
  return name;
}

}  // namespace

absl::Status ResolveAndCheck(ExperimentFile& file, const StageKinds& kinds) {
  ALIDADE_RETURN_IF_ERROR(CheckTop(file));
  ALIDADE_ASSIGN_OR_RETURN(const Graph graph, MakeGraph(file));
  for (int i = 0; i < file.experiment().stage_size(); ++i) {
    const Stage& stage = file.experiment().stage(i);
    if (KindOf(stage).empty()) {
      return ErrorAt(file, {{"stage", i}},
                     absl::StrCat("stage \"", stage.id(), "\": expected one of ",
                                  absl::StrJoin(StageKindNames(), ", "), ", got none"));
    }
    if (FindKind(kinds, KindOf(stage)) == nullptr) {
      return ErrorAt(
          file, {{"stage", i}, {KindOf(stage)}},
          absl::StrCat("stage \"", stage.id(), "\": this binary has no stage ", KindOf(stage)));
    }
  }
  ALIDADE_RETURN_IF_ERROR(CheckSeeds(file, kinds, graph));
  file.FillDefaults();
  for (int i : graph.order) {
    ALIDADE_RETURN_IF_ERROR(FindKind(kinds, KindOf(file.experiment().stage(i)))->Resolve(file, i));
  }
  for (int i : graph.order) {
    ALIDADE_RETURN_IF_ERROR(
        FindKind(kinds, KindOf(file.experiment().stage(i)))->Check(file, i, graph.needs[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<Plan> MakePlan(const ExperimentFile& file, const StageKinds& kinds) {
  const Experiment& experiment = file.experiment();
  ALIDADE_ASSIGN_OR_RETURN(const Graph graph, MakeGraph(file));
  const std::vector<int64_t> all(experiment.seeds().begin(), experiment.seeds().end());
  Plan plan;
  std::map<std::pair<int, int64_t>, int> position;  // (stage, seed of the run) -> call
  for (int index : graph.order) {
    const Stage& stage = experiment.stage(index);
    const StageKind* kind = FindKind(kinds, KindOf(stage));
    ALIDADE_ASSIGN_OR_RETURN(const std::string code, kind->CodeVersion(file, index),
                             file.WhereInStage(index, {}));
    const bool once = OncePerRun(stage, kinds);
    for (int64_t seed : once ? std::vector<int64_t>{all[0]} : all) {
      PlannedStage call;
      call.index = index;
      call.id = stage.id();
      call.kind = kind->name();
      call.seeds = kind->over_seeds() ? all
                   : stage.has_seed() ? std::vector<int64_t>{stage.seed()}
                                      : std::vector<int64_t>{seed};
      std::vector<std::string> input_lines;
      for (int need : graph.needs[index]) {
        const bool need_once = OncePerRun(experiment.stage(need), kinds);
        const bool every_seed = kind->over_seeds() && !need_once;
        for (int64_t need_seed : every_seed ? all : std::vector<int64_t>{seed}) {
          call.inputs.push_back(position.at({need, need_seed}));
          const PlannedStage& input = plan.stages[call.inputs.back()];
          input_lines.push_back(absl::StrCat("input ", input.id, " ", input.key));
        }
      }
      call.key = Sha256Hex(KeyText(stage, code, call.seeds, input_lines));
      call.folder_name = FolderName(call);
      for (int64_t s : once ? all : std::vector<int64_t>{seed}) {
        position[{index, s}] = static_cast<int>(plan.stages.size());
      }
      plan.stages.push_back(std::move(call));
    }
  }
  return plan;
}

std::string ResolvedHash(const Experiment& experiment) {
  return Sha256Hex(CanonicalText(experiment)).substr(0, 16);
}

}  // namespace alidade::experiments
