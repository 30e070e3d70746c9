#ifndef ALIDADE_COMMON_REGISTRY_REGISTRY_H_
#define ALIDADE_COMMON_REGISTRY_REGISTRY_H_

// A named collection whose members register themselves from always-linked libraries.
//
//   Registry<TaskFactory>& Tasks() { static auto* tasks = new Registry<TaskFactory>("benchmark");
//   return *tasks; } const bool registered = Tasks().Register("pope", &MakePope);
//   ALIDADE_ASSIGN_OR_RETURN(const TaskFactory* factory, Tasks().Find("pop"));   // not found: ...
//   nearest known: 'pope'

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"

namespace alidade {

template <typename T>
class Registry {
 public:
  // `kind` is the word errors use: "benchmark", "objective".
  explicit Registry(absl::string_view kind) : kind_(kind) {}

  // Aborts when the name is taken: two definitions of one name are a programmer's mistake. Returns
  // true, so that it can initialise a constant at namespace scope.
  bool Register(absl::string_view name, T value) {
    absl::MutexLock lock(&mutex_);
    const bool inserted = members_.emplace(std::string(name), std::move(value)).second;
    if (!inserted)
      std::fprintf(stderr, "%s '%s' is registered twice\n", kind_.c_str(),
                   std::string(name).c_str());
    ALIDADE_CHECK(inserted);
    return true;
  }

  // The member, which lives as long as the registry; NotFound names the nearest known name and all
  // names.
  absl::StatusOr<const T*> Find(absl::string_view name) const {
    absl::MutexLock lock(&mutex_);
    const auto found = members_.find(std::string(name));
    if (found != members_.end()) return &found->second;
    return UnknownNameError(kind_, name, NamesLocked());
  }

  // Sorted.
  std::vector<std::string> Names() const {
    absl::MutexLock lock(&mutex_);
    return NamesLocked();
  }

 private:
  std::vector<std::string> NamesLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<std::string> names;
    for (const auto& member : members_) names.push_back(member.first);
    return names;
  }

  const std::string kind_;
  mutable absl::Mutex mutex_;
  std::map<std::string, T> members_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alidade

#endif  // ALIDADE_COMMON_REGISTRY_REGISTRY_H_
