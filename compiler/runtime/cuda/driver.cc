#include "compiler/runtime/cuda/driver.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade::runtime::cuda {
namespace {

constexpr char kSystemDriver[] = "libcuda.so.1";

absl::Status Unusable(const std::string& library, absl::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("the CUDA driver cannot be used (", library, "): ", why));
}

// Fills function pointers by name; remembers the first that the library lacks.
class SymbolReader {
 public:
  explicit SymbolReader(void* library) : library_(library) {}

  template <typename Pointer>
  void Read(const char* name, Pointer& pointer) {
    void* const symbol = dlsym(library_, name);
    if (symbol == nullptr && missing_.empty()) missing_ = name;
    pointer = reinterpret_cast<Pointer>(symbol);
  }

  const std::string& missing() const { return missing_; }

 private:
  void* const library_;
  std::string missing_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Driver>> Driver::Load(const std::string& library) {
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const why = dlerror();
    return Unusable(library, why == nullptr ? "it cannot be loaded" : why);
  }
  auto driver = std::make_unique<Driver>();
  SymbolReader symbols(handle);
  symbols.Read("cuInit", driver->init);
  symbols.Read("cuGetErrorName", driver->get_error_name);
  symbols.Read("cuGetErrorString", driver->get_error_string);
  symbols.Read("cuDeviceGetCount", driver->device_get_count);
  symbols.Read("cuDeviceGetAttribute", driver->device_get_attribute);
  symbols.Read("cuDevicePrimaryCtxRetain", driver->primary_context_retain);
  symbols.Read("cuCtxPushCurrent_v2", driver->context_push);
  symbols.Read("cuCtxPopCurrent_v2", driver->context_pop);
  symbols.Read("cuModuleLoadData", driver->module_load_data);
  symbols.Read("cuModuleUnload", driver->module_unload);
  symbols.Read("cuModuleGetFunction", driver->module_get_function);
  symbols.Read("cuLaunchKernel", driver->launch_kernel);
  if (!symbols.missing().empty()) {
    return Unusable(library, absl::StrCat("expected the symbol ", symbols.missing(), ", got none"));
  }
  if (const absl::Status status = driver->Check(driver->init(0), "cuInit"); !status.ok()) {
    return Unusable(library, status.message());
  }
  int devices = 0;
  if (const absl::Status status =
          driver->Check(driver->device_get_count(&devices), "cuDeviceGetCount");
      !status.ok()) {
    return Unusable(library, status.message());
  }
  if (devices == 0) return Unusable(library, "expected at least one device, got 0");
  return driver;
}

absl::StatusOr<const Driver*> Driver::Global() {
  static const auto* loaded = new absl::StatusOr<std::unique_ptr<Driver>>(Load(kSystemDriver));
  ALIDADE_RETURN_IF_ERROR(loaded->status());
  return loaded->value().get();
}

absl::Status Driver::Check(Result result, absl::string_view call) const {
  if (result == 0) return absl::OkStatus();
  const char *name = nullptr, *text = nullptr;
  if (get_error_name(result, &name) != 0 || name == nullptr) name = "unknown error";
  if (get_error_string(result, &text) != 0 || text == nullptr) text = "no description";
  return absl::InternalError(absl::StrCat(call, ": ", name, " (", result, "): ", text));
}

}  // namespace alidade::runtime::cuda
