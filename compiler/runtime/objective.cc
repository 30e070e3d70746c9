#include "compiler/runtime/objective.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"

namespace alidade::runtime {
namespace {

// Tables of the objectives linked into the program. Constructors of object files fill it before
// main, when nothing can be reported yet; tables are read on the first look-up of their name.
class Catalogue {
 public:
  void Add(const AlidadeObjectiveTable* table) {
    absl::MutexLock lock(&mutex_);
    tables_.push_back(table);
  }

  std::vector<std::string> Names() {
    absl::MutexLock lock(&mutex_);
    return NamesLocked();
  }

  absl::StatusOr<const Objective*> Find(absl::string_view name) {
    absl::MutexLock lock(&mutex_);
    const auto ready = objectives_.find(std::string(name));
    if (ready != objectives_.end()) return ready->second.get();
    const AlidadeObjectiveTable* found = nullptr;
    for (const AlidadeObjectiveTable* table : tables_) {
      if (table->name != name) continue;
      if (found != nullptr) {
        return absl::FailedPreconditionError(
            absl::StrCat("objective '", name, "' is linked into this program twice"));
      }
      found = table;
    }
    if (found == nullptr) return UnknownNameError("objective", name, NamesLocked());
    ALIDADE_ASSIGN_OR_RETURN(std::unique_ptr<Objective> objective, Objective::FromTable(found));
    return (objectives_[std::string(name)] = std::move(objective)).get();
  }

 private:
  std::vector<std::string> NamesLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<std::string> names;
    for (const AlidadeObjectiveTable* table : tables_) names.push_back(table->name);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::Mutex mutex_;
  std::vector<const AlidadeObjectiveTable*> tables_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::unique_ptr<Objective>> objectives_ ABSL_GUARDED_BY(mutex_);
};

Catalogue& GlobalCatalogue() {
  static auto* catalogue = new Catalogue;
  return *catalogue;
}

bool CpuRuns(absl::string_view cpu) {
  if (cpu == "x86-64-v3") return __builtin_cpu_supports("x86-64-v3");
  if (cpu == "x86-64-v4") return __builtin_cpu_supports("x86-64-v4");
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Objective>> Objective::FromTable(
    const AlidadeObjectiveTable* table) {
  if (table->abi_version != ALIDADE_ABI_VERSION) {
    return absl::FailedPreconditionError(absl::StrCat("objective: expected ABI version ",
                                                      ALIDADE_ABI_VERSION, ", got ",
                                                      table->abi_version, "; compile it again"));
  }
  ALIDADE_ASSIGN_OR_RETURN(Signature signature, schedule::SignatureFromJson(table->signature_json),
                           "objective '", table->name, "'");
  std::vector<bool> is_read(signature.distributions.size(), false);
  for (const schedule::VocabularyRead& read : signature.reads) {
    const std::string name = signature.distributions[read.distribution].Name();
    if (read.op != "logprob" || is_read[read.distribution]) {
      return absl::UnimplementedError(
          absl::StrCat("objective '", table->name, "': expected one logprob read of ", name,
                       ", got ", read.op, is_read[read.distribution] ? " again" : ""));
    }
    is_read[read.distribution] = true;
  }
  const AlidadeVariant* chosen = nullptr;
  std::vector<std::string> cpus;
  for (uint32_t i = 0; i < table->num_variants; ++i) {
    cpus.push_back(table->variants[i].cpu);
    if (CpuRuns(table->variants[i].cpu)) chosen = &table->variants[i];
  }
  if (chosen == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("objective '", table->name,
                                                      "': this CPU runs none of its variants (",
                                                      absl::StrJoin(cpus, ", "), ")"));
  }
  return std::unique_ptr<Objective>(new Objective(table, chosen, std::move(signature)));
}

absl::StatusOr<const Objective*> FindObjective(absl::string_view name) {
  return GlobalCatalogue().Find(name);
}

std::vector<std::string> ObjectiveNames() { return GlobalCatalogue().Names(); }

}  // namespace alidade::runtime

void alidade_register_objective(const AlidadeObjectiveTable* table) {
  alidade::runtime::GlobalCatalogue().Add(table);
}
