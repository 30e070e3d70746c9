#include "compiler/runtime/cuda/kernel_module.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade::runtime::cuda {
namespace {

constexpr int64_t kLargestGrid = 2147483647;  // blocks along x

// Makes a context current for a scope: LibTorch may not have touched the device on this thread yet.
class CurrentContext {
 public:
  CurrentContext(const Driver& driver, Context context)
      : driver_(driver), status_(driver.Check(driver.context_push(context), "cuCtxPushCurrent")) {}
  ~CurrentContext() {
    Context popped = nullptr;
    if (status_.ok()) driver_.context_pop(&popped);
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

  const absl::Status& status() const { return status_; }

 private:
  const Driver& driver_;
  const absl::Status status_;
};

// Candidates in the order in which they are tried.
std::vector<const void*> ImagesFor(const AlidadeObjectiveTable& table, int major, int minor) {
  std::vector<const void*> images;
  if (major == 9 && minor == 0) {
    if (table.cubin_bytes > 0) images.push_back(table.cubin_sm90a);
    if (table.ptx_sm90a != nullptr) images.push_back(table.ptx_sm90a);
  }
  if (table.ptx_sm80 != nullptr) images.push_back(table.ptx_sm80);
  return images;
}

}  // namespace

absl::StatusOr<std::unique_ptr<KernelModule>> KernelModule::Load(const Driver& driver,
                                                                 const AlidadeObjectiveTable& table,
                                                                 int64_t num_row_programs,
                                                                 Device device) {
  int major = 0, minor = 0;
  ALIDADE_RETURN_IF_ERROR(
      driver.Check(driver.device_get_attribute(&major, kComputeCapabilityMajor, device),
                   "cuDeviceGetAttribute"));
  ALIDADE_RETURN_IF_ERROR(
      driver.Check(driver.device_get_attribute(&minor, kComputeCapabilityMinor, device),
                   "cuDeviceGetAttribute"));
  if (major < 8) {
    return absl::FailedPreconditionError(
        absl::StrCat("objective '", table.name, "': expected a GPU of compute capability 8.0 or ",
                     "later, got ", major, ".", minor));
  }
  const std::vector<const void*> images = ImagesFor(table, major, minor);
  if (images.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "objective '", table.name, "' was compiled without code for GPUs; compile it again"));
  }
  Context context = nullptr;
  ALIDADE_RETURN_IF_ERROR(
      driver.Check(driver.primary_context_retain(&context, device), "cuDevicePrimaryCtxRetain"));
  std::unique_ptr<KernelModule> module(new KernelModule(driver, context));
  const CurrentContext current(driver, context);
  ALIDADE_RETURN_IF_ERROR(current.status());
  // A driver that is older than the code refuses it; an earlier version of the code may do.
  absl::Status status;
  for (const void* image : images) {
    status = driver.Check(driver.module_load_data(&module->module_, image), "cuModuleLoadData");
    if (status.ok()) break;
    module->module_ = nullptr;
  }
  ALIDADE_RETURN_IF_ERROR(status, "objective '", table.name, "'");
  ALIDADE_RETURN_IF_ERROR(module->FindKernels(table, num_row_programs), "objective '", table.name,
                          "'");
  return module;
}

KernelModule::~KernelModule() {
  if (module_ == nullptr) return;
  const CurrentContext current(driver_, context_);
  if (current.status().ok()) driver_.module_unload(module_);
}

absl::Status KernelModule::FindKernels(const AlidadeObjectiveTable& table,
                                       int64_t num_row_programs) {
  const auto find = [&](const std::string& name, Function& kernel) {
    return driver_.Check(driver_.module_get_function(&kernel, module_, name.c_str()),
                         absl::StrCat("cuModuleGetFunction ", name));
  };
  rows_.resize(num_row_programs);
  rows_bf16_.resize(num_row_programs);
  for (int64_t program = 0; program < num_row_programs; ++program) {
    const std::string name = absl::StrCat("alidade_rows_", program);
    ALIDADE_RETURN_IF_ERROR(find(name, rows_[program]));
    ALIDADE_RETURN_IF_ERROR(find(name + "_bf16", rows_bf16_[program]));
  }
  if (table.num_variants > 0 && table.variants[0].known != nullptr) {
    ALIDADE_RETURN_IF_ERROR(find("alidade_known", known_));
  }
  return find("alidade_scalars", scalars_);
}

absl::Status KernelModule::Rows(int64_t program, bool bf16, const AlidadeRowArgs& args,
                                Stream stream) const {
  if (args.rows == 0) return absl::OkStatus();
  if (args.rows > kLargestGrid) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows of one launch: expected at most ", kLargestGrid, ", got ", args.rows));
  }
  return Launch((bf16 ? rows_bf16_ : rows_)[program], "cuLaunchKernel alidade_rows",
                static_cast<unsigned>(args.rows), ALIDADE_GPU_ROW_THREADS, &args, stream);
}

absl::Status KernelModule::Known(const AlidadeScalarArgs& args, Stream stream) const {
  return Launch(known_, "cuLaunchKernel alidade_known", 1, ALIDADE_GPU_SCALAR_THREADS, &args,
                stream);
}

absl::Status KernelModule::Scalars(const AlidadeScalarArgs& args, Stream stream) const {
  return Launch(scalars_, "cuLaunchKernel alidade_scalars", 1, ALIDADE_GPU_SCALAR_THREADS, &args,
                stream);
}

absl::Status KernelModule::Launch(Function kernel, const char* name, unsigned blocks,
                                  unsigned threads, const void* args, Stream stream) const {
  const CurrentContext current(driver_, context_);
  ALIDADE_RETURN_IF_ERROR(current.status());
  // The driver copies the struct into the launch; how large it is, it knows from the kernel.
  void* parameters[] = {const_cast<void*>(args)};
  return driver_.Check(driver_.launch_kernel(kernel, blocks, 1, 1, threads, 1, 1,
                                             /*shared_bytes=*/0, stream, parameters,
                                             /*extra=*/nullptr),
                       name);
}

}  // namespace alidade::runtime::cuda
