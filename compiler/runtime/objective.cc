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
#include "compiler/runtime/cuda/cuda_kernels.h"

namespace alidade::runtime {
namespace {

// OK when `signature` was compiled with `options`, FailedPrecondition when with others; other
// errors say what is wrong with the options.
absl::Status MatchOptions(const Signature& signature, const Options& options) {
  std::vector<std::string> names;
  for (const schedule::Option& option : signature.options) names.push_back(option.name);
  for (const auto& [name, value] : options) {
    const auto option = std::find(names.begin(), names.end(), name);
    if (option == names.end()) return UnknownNameError("option", name, names);
    const std::vector<std::string>& cases = signature.options[option - names.begin()].cases;
    if (std::find(cases.begin(), cases.end(), value) == cases.end()) {
      return UnknownNameError(absl::StrCat("case of option ", name), value, cases);
    }
  }
  for (const schedule::Option& option : signature.options) {
    const auto given = options.find(option.name);
    const std::string& wanted = given == options.end() ? option.default_case : given->second;
    if (wanted != option.chosen) {
      return absl::FailedPreconditionError(absl::StrCat(
          "option ", option.name, ": the linked objective was compiled with '", option.chosen,
          "', got '", wanted, "'; compile its definition with that (CompileObjectiveFile)"));
    }
  }
  return absl::OkStatus();
}

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

  absl::StatusOr<const Objective*> Find(absl::string_view name, const Options& options) {
    absl::MutexLock lock(&mutex_);
    const Objective* found = nullptr;
    absl::Status mismatch;
    for (const AlidadeObjectiveTable* table : tables_) {
      if (table->name != name) continue;
      ALIDADE_ASSIGN_OR_RETURN(const Objective* objective, ReadLocked(table));
      const absl::Status match = WithContext(MatchOptions(objective->signature(), options),
                                             absl::StrCat("objective '", name, "'"));
      if (absl::IsFailedPrecondition(match)) {
        mismatch = match;
        continue;
      }
      ALIDADE_RETURN_IF_ERROR(match);
      if (found != nullptr) {
        return absl::FailedPreconditionError(
            absl::StrCat("objective '", name, "' is linked into this program twice"));
      }
      found = objective;
    }
    if (found != nullptr) return found;
    ALIDADE_RETURN_IF_ERROR(mismatch);
    return UnknownNameError("objective", name, NamesLocked());
  }

 private:
  absl::StatusOr<const Objective*> ReadLocked(const AlidadeObjectiveTable* table)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::unique_ptr<Objective>& known = objectives_[table];
    if (known == nullptr) {
      ALIDADE_ASSIGN_OR_RETURN(known, Objective::FromTable(table));
    }
    return known.get();
  }

  std::vector<std::string> NamesLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<std::string> names;
    for (const AlidadeObjectiveTable* table : tables_) names.push_back(table->name);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

  absl::Mutex mutex_;
  std::vector<const AlidadeObjectiveTable*> tables_ ABSL_GUARDED_BY(mutex_);
  std::map<const AlidadeObjectiveTable*, std::unique_ptr<Objective>> objectives_
      ABSL_GUARDED_BY(mutex_);
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
  if (signature.has_known() != (chosen->known != nullptr)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "objective '", table->name, "': its signature has ", signature.known_values,
        " known values, and its code ",
        chosen->known == nullptr ? "computes none" : "computes some", "; compile it again"));
  }
  return std::unique_ptr<Objective>(new Objective(table, chosen, std::move(signature)));
}

absl::StatusOr<const Kernels*> Objective::KernelsFor(c10::Device device) const {
  if (device.is_cpu()) return &cpu_kernels_;
  if (!device.is_cuda()) {
    return absl::InvalidArgumentError(
        absl::StrCat("device: expected cpu or cuda, got ", device.str()));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<Kernels>& kernels = gpu_kernels_[device.index()];
  if (kernels == nullptr) {
    ALIDADE_ASSIGN_OR_RETURN(
        kernels, cuda::LoadCudaKernels(*table_, signature_.row_programs.size(), device));
  }
  return kernels.get();
}

absl::StatusOr<const Objective*> FindObjective(absl::string_view name, const Options& options) {
  return GlobalCatalogue().Find(name, options);
}

std::vector<std::string> ObjectiveNames() { return GlobalCatalogue().Names(); }

}  // namespace alidade::runtime

void alidade_register_objective(const AlidadeObjectiveTable* table) {
  alidade::runtime::GlobalCatalogue().Add(table);
}
