#ifndef ALIDADE_COMMON_TENSOR_FENCE_H_
#define ALIDADE_COMMON_TENSOR_FENCE_H_

// LibTorch throws; nothing else of ours does. This is the one place where its exceptions become
// statuses.
//
//   return FenceTorch("training step", [&]() -> absl::Status { ... });

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace alidade {

// What `body` returns, or Internal (ResourceExhausted for a failed allocation) with `what` and the
// exception's first line.
absl::Status FenceTorch(absl::string_view what, absl::FunctionRef<absl::Status()> body);

}  // namespace alidade

#endif  // ALIDADE_COMMON_TENSOR_FENCE_H_
