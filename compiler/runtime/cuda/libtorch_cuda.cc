#include "compiler/runtime/cuda/libtorch_cuda.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>

#include "ATen/Context.h"
#include "absl/strings/str_cat.h"
#include "c10/core/Stream.h"
#include "c10/core/impl/VirtualGuardImpl.h"
#include "common/status/status.h"

namespace alidade::runtime::cuda {
namespace {

constexpr char kLibrary[] = "libtorch_cuda.so";

}  // namespace

absl::StatusOr<std::string> LibtorchFolder() {
  Dl_info info = {};
  // A function of libtorch_cpu.so; the build reaches that library through links.
  if (dladdr(reinterpret_cast<void*>(&at::globalContext), &info) == 0 ||
      info.dli_fname == nullptr) {
    return absl::InternalError("the folder of LibTorch: the loader does not know libtorch_cpu.so");
  }
  char resolved[PATH_MAX];
  if (realpath(info.dli_fname, resolved) == nullptr) {
    return absl::InternalError(
        absl::StrCat("the folder of LibTorch: cannot resolve ", info.dli_fname));
  }
  const std::string path = resolved;
  return path.substr(0, path.find_last_of('/'));
}

absl::Status LoadLibtorchCudaFrom(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kLibrary);
  // Global: its operators register themselves with the dispatcher, its own libraries look for it.
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) return absl::OkStatus();
  const char* const why = dlerror();
  return absl::FailedPreconditionError(absl::StrCat(
      "LibTorch's CUDA library cannot be loaded: ", why == nullptr ? path : why,
      "; set ALIDADE_LIBTORCH to the torch folder of a PyTorch that runs on this GPU and build "
      "again"));
}

absl::Status LoadLibtorchCuda() {
  ALIDADE_RETURN_IF_ERROR(Driver::Global().status());
  // LibTorch must not be asked first: it decides once, at the first question, whether it has CUDA.
  if (dlopen(kLibrary, RTLD_NOW | RTLD_NOLOAD) == nullptr) {
    ALIDADE_ASSIGN_OR_RETURN(const std::string folder, LibtorchFolder());
    ALIDADE_RETURN_IF_ERROR(LoadLibtorchCudaFrom(folder));
  }
  if (at::hasCUDA()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "LibTorch was asked for CUDA (at::hasCUDA, at::manual_seed) before its CUDA library was "
      "loaded, and now has none in this process; call Objective::KernelsFor first");
}

Stream CurrentStream(c10::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device).native_handle();
}

}  // namespace alidade::runtime::cuda
