#ifndef ALIDADE_COMMON_STATUS_STATUS_H_
#define ALIDADE_COMMON_STATUS_STATUS_H_

// Status values with context while unwinding.
//
//   absl::StatusOr<Config> ReadConfig(const std::string& path) {
//     ALIDADE_ASSIGN_OR_RETURN(std::string text, ReadFile(path), "while reading the config ",
//     path); ALIDADE_RETURN_IF_ERROR(Validate(text));
//     ...
//   }

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace alidade {

// The same code with `context: ` in front of the message; OK stays OK.
inline absl::Status WithContext(const absl::Status& status) { return status; }
template <typename... Parts>
absl::Status WithContext(const absl::Status& status, const Parts&... context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(context..., ": ", status.message()));
}

}  // namespace alidade

// Returns from the function when `expression` is not OK; further arguments are context.
#define ALIDADE_RETURN_IF_ERROR(expression, ...)                                \
  do {                                                                          \
    const absl::Status alidade_status = (expression);                           \
    if (!alidade_status.ok()) {                                                 \
      return ::alidade::WithContext(alidade_status __VA_OPT__(, ) __VA_ARGS__); \
    }                                                                           \
  } while (false)

// Declares or assigns `target` from a StatusOr, or returns its error; further arguments are
// context.
#define ALIDADE_ASSIGN_OR_RETURN(target, expression, ...)                           \
  ALIDADE_ASSIGN_OR_RETURN_IMPL_(ALIDADE_CONCAT_(alidade_value_, __LINE__), target, \
                                 expression __VA_OPT__(, ) __VA_ARGS__)
#define ALIDADE_ASSIGN_OR_RETURN_IMPL_(holder, target, expression, ...)        \
  auto holder = (expression);                                                  \
  if (!holder.ok()) {                                                          \
    return ::alidade::WithContext(holder.status() __VA_OPT__(, ) __VA_ARGS__); \
  }                                                                            \
  target = std::move(holder).value()
#define ALIDADE_CONCAT_(a, b) ALIDADE_CONCAT_IMPL_(a, b)
#define ALIDADE_CONCAT_IMPL_(a, b) a##b

// Aborts with file, line and expression. For programmer mistakes that cannot be tested away; never
// for user input.
#define ALIDADE_CHECK(condition)                                                         \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)

#endif  // ALIDADE_COMMON_STATUS_STATUS_H_
