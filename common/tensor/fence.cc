#include "common/tensor/fence.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace alidade {
namespace {

// LibTorch appends a stack trace; a user needs the sentence.
std::string FirstLine(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('\n', 1));
  return std::string(parts.first);
}

}  // namespace

absl::Status FenceTorch(absl::string_view what, absl::FunctionRef<absl::Status()> body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    const std::string message = FirstLine(error.what_without_backtrace());
    if (absl::StrContains(message, "can't allocate memory") ||
        absl::StrContains(message, "not enough memory")) {
      return absl::ResourceExhaustedError(absl::StrCat(what, ": ", message));
    }
    return absl::InternalError(absl::StrCat(what, ": ", message));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": out of memory"));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(what, ": ", FirstLine(error.what())));
  }
}

}  // namespace alidade
