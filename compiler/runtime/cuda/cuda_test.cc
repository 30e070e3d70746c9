// What of the launcher runs without a GPU: how the driver is found, which code is loaded, and what
// arrives in a launch, against a driver that hands every launch back to the test.

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/match.h"
#include "common/status/status_matchers.h"
#include "compiler/runtime/bind.h"
#include "compiler/runtime/contrast_testutil.h"
#include "compiler/runtime/cuda/cuda_kernels.h"
#include "compiler/runtime/cuda/driver.h"
#include "compiler/runtime/cuda/kernel_module.h"
#include "compiler/runtime/cuda/libtorch_cuda.h"
#include "compiler/runtime/executor.h"
#include "compiler/schedule/planner.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::runtime::cuda {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kFakeDriver[] = "compiler/runtime/cuda/libfake_driver.so";
const absl::StatusCode kPrecondition = absl::StatusCode::kFailedPrecondition;

// What a fake image must mention so that the fake driver finds the kernels.
constexpr char kPtx80[] =
    "sm_80 alidade_rows_0( alidade_rows_0_bf16( alidade_rows_1( alidade_rows_1_bf16( "
    "alidade_scalars( alidade_known(";
constexpr char kPtx90[] =
    "sm_90a alidade_rows_0( alidade_rows_0_bf16( alidade_rows_1( alidade_rows_1_bf16( "
    "alidade_scalars(";
constexpr int64_t kPrograms = 2;

struct Launch {
  std::string kernel;
  unsigned blocks = 0, threads = 0;
  void* stream = nullptr;
  std::vector<char> args;
};
std::vector<Launch>* launches = new std::vector<Launch>;
bool run_on_cpu = false;

// Keeps the launch and, where asked for, does on the CPU what the kernel would do.
void OnLaunch(const char* kernel, unsigned blocks, unsigned threads, void* stream,
              const void* args) {
  const bool rows = absl::StartsWith(kernel, "alidade_rows");
  const size_t size = rows ? sizeof(AlidadeRowArgs) : sizeof(AlidadeScalarArgs);
  const char* bytes = static_cast<const char*>(args);
  launches->push_back({kernel, blocks, threads, stream, std::vector<char>(bytes, bytes + size)});
  if (!run_on_cpu) return;
  const AlidadeVariant& variant = testing::ContrastTable()->variants[0];
  rows ? variant.rows[0](static_cast<const AlidadeRowArgs*>(args))
       : variant.scalars(static_cast<const AlidadeScalarArgs*>(args));
}

int ContextDepth() {
  void* const library = dlopen(kFakeDriver, RTLD_NOW);
  return reinterpret_cast<int (*)()>(dlsym(library, "fake_driver_context_depth"))();
}

class CudaTest : public ::testing::Test {
 protected:
  CudaTest() {
    for (const char* name : {"FAKE_NO_DEVICE", "FAKE_DEVICES", "FAKE_MAJOR", "FAKE_MINOR"})
      unsetenv(name);
    launches->clear();
    run_on_cpu = false;
    void* const library = dlopen(kFakeDriver, RTLD_NOW);
    reinterpret_cast<void (*)(decltype(&OnLaunch))>(dlsym(library, "fake_driver_set_hook"))(
        &OnLaunch);
    table_ = *testing::ContrastTable();
    table_.ptx_sm80 = kPtx80;
    table_.ptx_sm90a = kPtx90;
  }

  std::unique_ptr<Driver> LoadFake() {
    auto driver = Driver::Load(kFakeDriver);
    EXPECT_THAT(driver, IsOk());
    return driver.ok() ? std::move(*driver) : nullptr;
  }

  AlidadeObjectiveTable table_;
};

TEST_F(CudaTest, AMissingOrForeignLibraryIsNamed) {
  EXPECT_THAT(Driver::Load("libno_such_driver.so.1"),
              StatusIs(kPrecondition, HasSubstr("libno_such_driver.so.1")));
  EXPECT_THAT(
      Driver::Load("libm.so.6"),
      StatusIs(kPrecondition, HasSubstr("(libm.so.6): expected the symbol cuInit, got none")));
}

TEST_F(CudaTest, ADriverWithoutDeviceSaysSo) {
  setenv("FAKE_NO_DEVICE", "1", 1);
  EXPECT_THAT(Driver::Load(kFakeDriver),
              StatusIs(kPrecondition,
                       AllOf(HasSubstr("libfake_driver.so"),
                             HasSubstr("cuInit: CUDA_ERROR_NO_DEVICE (100): no CUDA-capable device "
                                       "is detected"))));
  unsetenv("FAKE_NO_DEVICE");
  setenv("FAKE_DEVICES", "0", 1);
  EXPECT_THAT(Driver::Load(kFakeDriver),
              StatusIs(kPrecondition, HasSubstr("expected at least one device, got 0")));
}

TEST_F(CudaTest, LaunchesTheCodeOfTheDevice) {
  const std::unique_ptr<Driver> driver = LoadFake();
  ASSERT_NE(driver, nullptr);
  AlidadeScalarArgs args = {};
  const auto launch = [&](int major, int minor) {
    setenv("FAKE_MAJOR", std::to_string(major).c_str(), 1);
    setenv("FAKE_MINOR", std::to_string(minor).c_str(), 1);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const auto module,
                                 KernelModule::Load(*driver, table_, kPrograms, 0));
    ASSERT_THAT(module->Scalars(args, nullptr), IsOk());
  };
  // The image for sm_90a lacks alidade_known, which only the one for sm_80 has: the driver is asked
  // for it exactly where the CPU code has one.
  const auto known = [](const AlidadeScalarArgs*) {};
  AlidadeVariant with_known = table_.variants[0];
  with_known.known = known;
  table_.variants = &with_known;
  launch(8, 0);
  launch(8, 9);
  launch(10, 0);
  EXPECT_EQ(launches->size(), 3u);
  setenv("FAKE_MAJOR", "9", 1);
  setenv("FAKE_MINOR", "0", 1);
  EXPECT_THAT(
      KernelModule::Load(*driver, table_, kPrograms, 0).status(),
      StatusIs(absl::StatusCode::kInternal,
               AllOf(HasSubstr("objective 'contrast'"),
                     HasSubstr("cuModuleGetFunction alidade_known: CUDA_ERROR_NOT_FOUND"))));
  with_known.known = nullptr;
  launch(9, 0);
  // A cubin that the driver refuses is passed over.
  constexpr char cubin[] = "refused";
  table_.cubin_sm90a = cubin;
  table_.cubin_bytes = sizeof(cubin);
  launch(9, 0);
  EXPECT_EQ(launches->size(), 5u);
}

TEST_F(CudaTest, ADeviceOrATableThatDoesNotFitIsRefused) {
  const std::unique_ptr<Driver> driver = LoadFake();
  ASSERT_NE(driver, nullptr);
  setenv("FAKE_MAJOR", "7", 1);
  setenv("FAKE_MINOR", "5", 1);
  EXPECT_THAT(KernelModule::Load(*driver, table_, kPrograms, 0).status(),
              StatusIs(kPrecondition, HasSubstr("compute capability 8.0 or later, got 7.5")));
  setenv("FAKE_MAJOR", "8", 1);
  table_.ptx_sm80 = nullptr;
  EXPECT_THAT(KernelModule::Load(*driver, table_, kPrograms, 0).status(),
              StatusIs(kPrecondition, HasSubstr("compiled without code for GPUs")));
  table_.ptx_sm80 = "refused";
  EXPECT_THAT(KernelModule::Load(*driver, table_, kPrograms, 0).status(),
              StatusIs(absl::StatusCode::kInternal,
                       HasSubstr("cuModuleLoadData: CUDA_ERROR_INVALID_IMAGE (200)")));
}

TEST_F(CudaTest, ArgumentsArriveByValue) {
  const std::unique_ptr<Driver> driver = LoadFake();
  ASSERT_NE(driver, nullptr);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto module,
                               KernelModule::Load(*driver, table_, kPrograms, 0));
  AlidadeRowArgs rows = {};
  std::memset(&rows, 7, sizeof(rows));
  rows.rows = 1000;
  int stream = 0;
  ASSERT_THAT(module->Rows(0, /*bf16=*/false, rows, &stream), IsOk());
  ASSERT_THAT(module->Rows(0, /*bf16=*/true, rows, &stream), IsOk());
  AlidadeScalarArgs scalars = {};
  std::memset(&scalars, 9, sizeof(scalars));
  ASSERT_THAT(module->Scalars(scalars, &stream), IsOk());
  rows.rows = 0;  // nothing to do, nothing launched
  ASSERT_THAT(module->Rows(0, /*bf16=*/false, rows, &stream), IsOk());
  rows.rows = 1000;
  ASSERT_EQ(launches->size(), 3u);
  EXPECT_EQ((*launches)[0].kernel, "alidade_rows_0");
  EXPECT_EQ((*launches)[1].kernel, "alidade_rows_0_bf16");
  EXPECT_EQ((*launches)[2].kernel, "alidade_scalars");
  EXPECT_EQ((*launches)[0].blocks, 1000u);
  EXPECT_EQ((*launches)[0].threads, unsigned{ALIDADE_GPU_ROW_THREADS});
  EXPECT_EQ((*launches)[2].blocks, 1u);
  EXPECT_EQ((*launches)[2].threads, unsigned{ALIDADE_GPU_SCALAR_THREADS});
  EXPECT_EQ((*launches)[0].stream, &stream);
  EXPECT_EQ(std::memcmp((*launches)[0].args.data(), &rows, sizeof(rows)), 0);
  EXPECT_EQ(std::memcmp((*launches)[2].args.data(), &scalars, sizeof(scalars)), 0);
  EXPECT_EQ(ContextDepth(), 0);  // what was pushed was popped
  rows.rows = int64_t{1} << 31;
  EXPECT_THAT(module->Rows(0, /*bf16=*/false, rows, &stream),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2147483648")));
}

// A whole call whose launches are done on the CPU gives the bits of the CPU's own kernels.
TEST_F(CudaTest, AWholeCallGoesThroughLaunches) {
  const std::unique_ptr<Driver> driver = LoadFake();
  ASSERT_NE(driver, nullptr);
  ALIDADE_ASSERT_OK_AND_ASSIGN(auto module, KernelModule::Load(*driver, table_, kPrograms, 0));
  const CudaKernels kernels(std::move(module), [] { return nullptr; });
  run_on_cpu = true;
  const Objective& objective = testing::Contrast();
  const ObjectiveInputs inputs = testing::ContrastInputs(/*train_head=*/true);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const BoundInputs bound, BindInputs(objective.signature(), inputs));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const schedule::Plan plan,
                               schedule::MakePlan(objective.signature(), bound.problem,
                                                  {.schedule = "S3", .chunk_tokens = 5}));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Execution launched,
                               Execute(objective, kernels, bound, plan.schedule));
  EXPECT_GT(launches->size(), 6u);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernels* cpu, objective.KernelsFor(at::kCPU));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Execution called,
                               Execute(objective, *cpu, bound, plan.schedule));
  EXPECT_TRUE(at::equal(launched.results, called.results));
  EXPECT_TRUE(at::equal(launched.head_gradients.at("policy"), called.head_gradients.at("policy")));
}

TEST(LibtorchCudaTest, FailuresSayWhatToDo) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string folder, LibtorchFolder());
  void* const library = dlopen((folder + "/libtorch_cpu.so").c_str(), RTLD_NOW | RTLD_NOLOAD);
  EXPECT_NE(library, nullptr) << folder;
  EXPECT_THAT(LoadLibtorchCudaFrom("/no/such/folder"),
              StatusIs(kPrecondition, AllOf(HasSubstr("/no/such/folder/libtorch_cuda.so"),
                                            HasSubstr("ALIDADE_LIBTORCH"))));
}

TEST(LibtorchCudaTest, WithoutADriverTheDeviceIsRefused) {
  if (Driver::Global().ok()) GTEST_SKIP() << "skipped: this machine has a GPU";
  EXPECT_THAT(testing::Contrast().KernelsFor(c10::Device(at::kCUDA, 0)).status(),
              StatusIs(kPrecondition, HasSubstr("libcuda.so.1")));
  EXPECT_THAT(testing::Contrast().KernelsFor(at::kMeta).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("device: expected cpu or cuda, got meta")));
}

}  // namespace
}  // namespace alidade::runtime::cuda
