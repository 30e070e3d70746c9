#ifndef ALIDADE_COMPILER_RUNTIME_CUDA_DRIVER_H_
#define ALIDADE_COMPILER_RUNTIME_CUDA_DRIVER_H_

// The few functions of the CUDA driver that launching a kernel takes, found in libcuda at run time:
// neither building nor running on a machine without a GPU needs anything of CUDA. The declarations
// are our own, of the driver's stable binary interface.
//
//   ALIDADE_ASSIGN_OR_RETURN(const Driver* driver, Driver::Global());
//   ALIDADE_RETURN_IF_ERROR(driver->Check(driver->init(0), "cuInit"));

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alidade::runtime::cuda {

using Result = int;  // 0: success
using Device = int;  // ordinal
struct ContextTag;
struct ModuleTag;
struct FunctionTag;
using Context = ContextTag*;
using Module = ModuleTag*;
using Function = FunctionTag*;
using Stream = void*;  // null: the default stream

// Attribute numbers of the driver's interface.
inline constexpr int kComputeCapabilityMajor = 75;
inline constexpr int kComputeCapabilityMinor = 76;

// Names in the library in comments where they differ by a version suffix.
struct Driver {
  Result (*init)(unsigned flags);
  Result (*get_error_name)(Result result, const char** name);
  Result (*get_error_string)(Result result, const char** text);
  Result (*device_get_count)(int* count);
  Result (*device_get_attribute)(int* value, int attribute, Device device);
  Result (*primary_context_retain)(Context* context, Device device);
  Result (*context_push)(Context context);  // cuCtxPushCurrent_v2
  Result (*context_pop)(Context* context);  // cuCtxPopCurrent_v2
  Result (*module_load_data)(Module* module, const void* image);
  Result (*module_unload)(Module module);
  Result (*module_get_function)(Function* function, Module module, const char* name);
  Result (*launch_kernel)(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                          unsigned block_x, unsigned block_y, unsigned block_z,
                          unsigned shared_bytes, Stream stream, void** parameters, void** extra);

  // Opens `library` and initialises the driver in it. The library stays loaded. Errors
  // (FailedPrecondition): the loader's, a missing symbol, the driver's own such as "no CUDA-capable
  // device"; each names the library.
  static absl::StatusOr<std::unique_ptr<Driver>> Load(const std::string& library);
  // The system's driver, loaded at the first call; later calls give the same answer.
  static absl::StatusOr<const Driver*> Global();

  // OK, or Internal with the call and the driver's name and text of the error.
  absl::Status Check(Result result, absl::string_view call) const;
};

}  // namespace alidade::runtime::cuda

#endif  // ALIDADE_COMPILER_RUNTIME_CUDA_DRIVER_H_
