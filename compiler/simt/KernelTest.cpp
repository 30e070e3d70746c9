// What kernels compute: positions, control flow, memory, exchange between threads, arithmetic.

#include "compiler/simt/Kernel.h"

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "common/status/status.h"
#include "common/status/status_matchers.h"
#include "compiler/simt/TestKernel.h"
#include "gmock/gmock.h"

namespace alidade::pref::simt {
namespace {

using testing::ElementsAre;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Runs `kernel` on `given` (only read, where there is any) and as many results.
template <typename In, typename Out>
absl::StatusOr<std::vector<Out>> runOn(const Kernel& kernel, const Launch& launch,
                                       const std::vector<In>& given, size_t results) {
  std::vector<Out> out(results);
  Memory memory;
  ALIDADE_RETURN_IF_ERROR(memory.add("in", given.data(), given.size() * sizeof(In), Access::kRead));
  ALIDADE_RETURN_IF_ERROR(memory.add("out", out.data(), results * sizeof(Out), Access::kWrite));
  ALIDADE_RETURN_IF_ERROR(
      kernel.launch(launch, {Argument::of(given.data()), Argument::of(out.data())}, memory));
  return out;
}

constexpr char kTwoPointers[] = "%in: !llvm.ptr, %out: !llvm.ptr";

TEST_F(KernelTest, PositionsInGridAndBlock) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %y = gpu.thread_id y
    %b = gpu.block_id x
    %width = gpu.block_dim x
    %height = gpu.block_dim y
    %r0 = arith.muli %b, %height : index
    %r1 = arith.addi %r0, %y : index
    %r2 = arith.muli %r1, %width : index
    %r3 = arith.addi %r2, %thread : index
    %i = arith.index_cast %r3 : index to i64
    %lane = gpu.lane_id
    %warp = gpu.subgroup_id : index
    %blocks = gpu.grid_dim x
    %k = arith.constant 100 : index
    %v0 = arith.muli %warp, %k : index
    %v1 = arith.addi %v0, %lane : index
    %v2 = arith.muli %blocks, %k : index
    %v3 = arith.muli %v2, %k : index
    %v4 = arith.addi %v1, %v3 : index
    %v = arith.index_cast %v4 : index to i64
    %p = llvm.getelementptr %out[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i64
    llvm.store %v, %p : i64, !llvm.ptr)"));
  Launch launch;
  launch.grid.x = 3;
  launch.block = {8, 6, 1};
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> out,
                               (runOn<float, int64_t>(kernel, launch, {}, 144)));
  for (int64_t i = 0; i < 144; ++i) EXPECT_EQ(out[i], 30000 + i % 48 / 32 * 100 + i % 48 % 32) << i;
}

TEST_F(KernelTest, BranchesGiveEachThreadItsOwnValues) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %two = arith.constant 2 : i64
    %zero = arith.constant 0 : i64
    %rest = arith.remsi %t, %two : i64
    %odd = arith.cmpi ne, %rest, %zero : i64
    %v:2 = scf.if %odd -> (i64, i64) {
      %four = arith.constant 4 : i64
      %small = arith.cmpi slt, %t, %four : i64
      %w = scf.if %small -> (i64) {
        scf.yield %two : i64
      } else {
        scf.yield %four : i64
      }
      scf.yield %w, %t : i64, i64
    } else {
      scf.yield %t, %zero : i64, i64
    }
    %p = llvm.getelementptr %out[%t] : (!llvm.ptr, i64) -> !llvm.ptr, i64
    %s = arith.addi %v#0, %v#1 : i64
    llvm.store %s, %p : i64, !llvm.ptr)"));
  EXPECT_THAT((runOn<float, int64_t>(kernel, oneBlock(6), {}, 6)),
              IsOkAndHolds(ElementsAre(0, 3, 2, 5, 4, 9)));
}

TEST_F(KernelTest, LoopsEndForEachThreadByItself) {
  // Fibonacci numbers: the carried values change places.
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %zero = arith.constant 0 : i64
    %one = arith.constant 1 : i64
    %f:2 = scf.for %i = %zero to %t step %one iter_args(%a = %zero, %b = %one) -> (i64, i64) : i64 {
      %c = arith.addi %a, %b : i64
      scf.yield %b, %c : i64, i64
    }
    %p = llvm.getelementptr %out[%t] : (!llvm.ptr, i64) -> !llvm.ptr, i64
    llvm.store %f#0, %p : i64, !llvm.ptr)"));
  EXPECT_THAT((runOn<float, int64_t>(kernel, oneBlock(9), {}, 9)),
              IsOkAndHolds(ElementsAre(0, 1, 1, 2, 3, 5, 8, 13, 21)));
}

TEST_F(KernelTest, NestedLoopsOverI32) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %n = arith.trunci %t : i64 to i32
    %zero = arith.constant 0 : i32
    %one = arith.constant 1 : i32
    %total = scf.for %i = %zero to %n step %one iter_args(%a = %zero) -> (i32) : i32 {
      %inner = scf.for %j = %zero to %i step %one iter_args(%b = %a) -> (i32) : i32 {
        %c = arith.addi %b, %j : i32
        scf.yield %c : i32
      }
      scf.yield %inner : i32
    }
    %p = llvm.getelementptr %out[%t] : (!llvm.ptr, i64) -> !llvm.ptr, i32
    llvm.store %total, %p : i32, !llvm.ptr)"));
  EXPECT_THAT((runOn<float, int32_t>(kernel, oneBlock(6), {}, 6)),
              IsOkAndHolds(ElementsAre(0, 0, 0, 1, 4, 10)));
}

TEST_F(KernelTest, WhileLoops) {
  // Steps of the Collatz sequence down to 1.
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %zero = arith.constant 0 : i64
    %one = arith.constant 1 : i64
    %two = arith.constant 2 : i64
    %three = arith.constant 3 : i64
    %start = arith.addi %t, %one : i64
    %r:2 = scf.while (%n = %start, %steps = %zero) : (i64, i64) -> (i64, i64) {
      %more = arith.cmpi ne, %n, %one : i64
      scf.condition(%more) %steps, %n : i64, i64
    } do {
    ^bb0(%steps: i64, %n: i64):
      %rest = arith.remui %n, %two : i64
      %even = arith.cmpi eq, %rest, %zero : i64
      %half = arith.divui %n, %two : i64
      %m0 = arith.muli %n, %three : i64
      %m1 = arith.addi %m0, %one : i64
      %next = arith.select %even, %half, %m1 : i64
      %s = arith.addi %steps, %one : i64
      scf.yield %next, %s : i64, i64
    }
    %p = llvm.getelementptr %out[%t] : (!llvm.ptr, i64) -> !llvm.ptr, i64
    llvm.store %r#0, %p : i64, !llvm.ptr)"));
  EXPECT_THAT((runOn<float, int64_t>(kernel, oneBlock(9), {}, 9)),
              IsOkAndHolds(ElementsAre(0, 1, 7, 2, 5, 8, 16, 3, 19)));
}

TEST_F(KernelTest, VectorsAndTheirElements) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %four = arith.constant 4 : i64
    %i = arith.muli %t, %four : i64
    %p = llvm.getelementptr %in[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %v = llvm.load %p {alignment = 4 : i64} : !llvm.ptr -> vector<4xf32>
    %two = arith.constant dense<2.0> : vector<4xf32>
    %steps = arith.constant dense<[0.5, 1.5, 2.5, 3.5]> : vector<4xf32>
    %w = arith.mulf %v, %two : vector<4xf32>
    %x = arith.addf %w, %steps : vector<4xf32>
    %first = vector.extract %x[0] : f32 from vector<4xf32>
    %b = vector.broadcast %first : f32 to vector<4xf32>
    %y = arith.subf %x, %b : vector<4xf32>
    %e1 = vector.extract %y[1] : f32 from vector<4xf32>
    %e2 = vector.extract %y[2] : f32 from vector<4xf32>
    %pair = vector.from_elements %e2, %e1 : vector<2xf32>
    %z = vector.insert %first, %y [3] : f32 into vector<4xf32>
    %all = vector.shuffle %z, %z [3, 1, 2, 0] : vector<4xf32>, vector<4xf32>
    %low = vector.extract_strided_slice %all {offsets = [0], sizes = [2], strides = [1]}
        : vector<4xf32> to vector<2xf32>
    %q = llvm.getelementptr %out[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %low, %q {alignment = 4 : i64} : vector<2xf32>, !llvm.ptr
    %h = llvm.getelementptr %q[2] : (!llvm.ptr) -> !llvm.ptr, f32
    llvm.store %pair, %h {alignment = 4 : i64} : vector<2xf32>, !llvm.ptr)"));
  EXPECT_THAT((runOn<float, float>(kernel, oneBlock(2), {1, 2, 3, 4, 5, 6, 7, 8}, 8)),
              IsOkAndHolds(ElementsAre(2.5, 3, 6, 3, 10.5, 3, 6, 3)));
}

TEST_F(KernelTest, MaskedAccessesTouchOnlyWhatTheyMay) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %mask = arith.constant dense<[true, true, false, false]> : vector<4xi1>
    %none = arith.constant dense<-1.0> : vector<4xf32>
    %v = llvm.intr.masked.load %in, %mask, %none {alignment = 4 : i32}
        : (!llvm.ptr, vector<4xi1>, vector<4xf32>) -> vector<4xf32>
    %e = vector.extract %v[3] : f32 from vector<4xf32>
    %w = vector.insert %e, %v [0] : f32 into vector<4xf32>
    llvm.intr.masked.store %w, %out, %mask {alignment = 4 : i32}
        : vector<4xf32>, vector<4xi1> into !llvm.ptr)"));
  EXPECT_THAT((runOn<float, float>(kernel, oneBlock(1), {7, 8}, 2)),
              IsOkAndHolds(ElementsAre(-1, 8)));
}

TEST_F(KernelTest, BrainFloatsRoundToNearestEven) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %p = llvm.getelementptr %in[%t] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %x = llvm.load %p : !llvm.ptr -> f32
    %narrow = arith.truncf %x : f32 to bf16
    %q = llvm.getelementptr %out[%t] : (!llvm.ptr, i64) -> !llvm.ptr, bf16
    llvm.store %narrow, %q : bf16, !llvm.ptr
    %back = llvm.load %q : !llvm.ptr -> bf16
    %wide = arith.extf %back : bf16 to f32
    %twice = arith.addf %wide, %wide : f32
    %again = arith.truncf %twice : f32 to bf16
    llvm.store %again, %q : bf16, !llvm.ptr)"));
  // 1 + 2^-8 lies between two values: to even is 1. A quarter above goes up.
  const std::vector<float> in = {1 + 0x1p-8f, 1 + 0x1.8p-8f, -3, static_cast<float>(kNaN)};
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<uint16_t> out,
                               (runOn<float, uint16_t>(kernel, oneBlock(4), in, 4)));
  EXPECT_EQ(out[0], 0x4000);
  EXPECT_EQ(out[1], 0x4001);
  EXPECT_EQ(out[2], 0xc0c0);
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(uint32_t{out[3]} << 16)));
}

TEST_F(KernelTest, StructsByValueAndPointersInThem) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const Kernel kernel,
      compile("%a: !llvm.ptr {llvm.byval = !llvm.struct<(array<2 x ptr>, i32, f64)>}, %k: i32", R"(
    %p1 = llvm.getelementptr %a[0, 0, 1] : (!llvm.ptr) -> !llvm.ptr,
        !llvm.struct<(array<2 x ptr>, i32, f64)>
    %out = llvm.load %p1 : !llvm.ptr -> !llvm.ptr
    %p2 = llvm.getelementptr %a[0, 1] : (!llvm.ptr) -> !llvm.ptr,
        !llvm.struct<(array<2 x ptr>, i32, f64)>
    %n = llvm.load %p2 : !llvm.ptr -> i32
    %p3 = llvm.getelementptr %a[0, 2] : (!llvm.ptr) -> !llvm.ptr,
        !llvm.struct<(array<2 x ptr>, i32, f64)>
    %x = llvm.load %p3 : !llvm.ptr -> f64
    %m = arith.muli %n, %k : i32
    %f = arith.sitofp %m : i32 to f64
    %y = arith.mulf %f, %x : f64
    %null = llvm.load %a : !llvm.ptr -> !llvm.ptr
    %zero = llvm.mlir.zero : !llvm.ptr
    %is_null = llvm.icmp "eq" %null, %zero : !llvm.ptr
    scf.if %is_null {
      llvm.store %y, %out : f64, !llvm.ptr
    })"));
  struct Arguments {
    double* out[2];
    int32_t n;
    double x;
  };
  double out = 0;
  const Arguments arguments = {{nullptr, &out}, -3, 0.5};
  Memory memory;
  ALIDADE_ASSERT_OK(memory.add("out", &out, sizeof(out), Access::kWrite));
  ALIDADE_ASSERT_OK(
      kernel.launch(oneBlock(1), {Argument::of(arguments), Argument::of(int32_t{7})}, memory));
  EXPECT_EQ(out, -10.5);
}

constexpr char kShuffles[] = R"(
    %p = llvm.getelementptr %in[%t] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %x = llvm.load %p : !llvm.ptr -> f32
    %three = arith.constant 3 : i32
    %width = arith.constant WIDTH : i32
    %y, %ok = gpu.shuffle MODE %x, %three, %width : f32
    %minus = arith.constant -1.0 : f32
    %v = arith.select %ok, %y, %minus : f32
    %q = llvm.getelementptr %out[%t] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %v, %q : f32, !llvm.ptr)";

TEST_F(KernelTest, ShufflesStayInTheirWarp) {
  const auto expect = [&](const std::string& mode, int64_t width, int64_t threads, auto source) {
    SCOPED_TRACE(mode);
    std::string body = kShuffles;
    body.replace(body.find("WIDTH"), 5, absl::StrCat(width));
    body.replace(body.find("MODE"), 4, mode);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, body));
    std::vector<float> in(threads);
    std::iota(in.begin(), in.end(), 0);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<float> out,
                                 (runOn<float, float>(kernel, oneBlock(threads), in, threads)));
    for (int64_t t = 0; t < threads; ++t) {
      const int64_t lane = source(t % 32);
      EXPECT_EQ(out[t], lane < 0 || lane >= width ? -1 : t / 32 * 32 + lane) << t;
    }
  };
  expect("xor", 32, 96, [](int64_t lane) { return lane ^ 3; });
  expect("up", 32, 64, [](int64_t lane) { return lane - 3; });
  expect("down", 32, 64, [](int64_t lane) { return lane + 3; });
  expect("idx", 32, 64, [](int64_t) { return 3; });
  expect("down", 8, 8, [](int64_t lane) { return lane + 3; });
}

TEST_F(KernelTest, SharedMemoryIsOfTheBlock) {
  // Each block adds its values by halves; barriers lie in a loop that all threads walk alike.
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %b = gpu.block_id x
    %block = arith.index_cast %b : index to i64
    %size = arith.constant 64 : i64
    %zero = arith.constant 0 : i64
    %one = arith.constant 1 : i64
    %six = arith.constant 6 : i64
    %start = arith.muli %block, %size : i64
    %i = arith.addi %start, %t : i64
    %p = llvm.getelementptr %in[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %x = llvm.load %p : !llvm.ptr -> f32
    memref.store %x, %shared[%thread] : memref<64xf32, #gpu.address_space<workgroup>>
    scf.for %round = %one to %size step %one : i64 {
      %small = arith.cmpi sle, %round, %six : i64
      scf.if %small {
        gpu.barrier
        %half = arith.shrui %size, %round : i64
        %mine = arith.cmpi slt, %t, %half : i64
        scf.if %mine {
          %o = arith.addi %t, %half : i64
          %other = arith.index_cast %o : i64 to index
          %a = memref.load %shared[%thread] : memref<64xf32, #gpu.address_space<workgroup>>
          %c = memref.load %shared[%other] : memref<64xf32, #gpu.address_space<workgroup>>
          %s = arith.addf %a, %c : f32
          memref.store %s, %shared[%thread] : memref<64xf32, #gpu.address_space<workgroup>>
        }
      }
    }
    %first = arith.cmpi eq, %t, %zero : i64
    scf.if %first {
      %s = memref.load %shared[%thread] : memref<64xf32, #gpu.address_space<workgroup>>
      %q = llvm.getelementptr %out[%block] : (!llvm.ptr, i64) -> !llvm.ptr, f32
      llvm.store %s, %q : f32, !llvm.ptr
    })",
                                                            "workgroup(%shared: memref<64xf32, "
                                                            "#gpu.address_space<workgroup>>)"));
  std::vector<float> in(192);
  std::iota(in.begin(), in.end(), 0);
  Launch launch = oneBlock(64);
  launch.grid.x = 3;
  EXPECT_THAT((runOn<float, float>(kernel, launch, in, 3)),
              IsOkAndHolds(ElementsAre(2016, 6112, 10208)));
}

TEST_F(KernelTest, SharedMatricesAndVectorsOfThem) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %v = llvm.load %in {alignment = 4 : i64} : !llvm.ptr -> vector<4xf32>
    vector.store %v, %m[%one, %zero] : memref<2x4xf32, #gpu.address_space<workgroup>>, vector<4xf32>
    %w = vector.load %m[%one, %one] : memref<2x4xf32, #gpu.address_space<workgroup>>, vector<3xf32>
    llvm.store %w, %out {alignment = 4 : i64} : vector<3xf32>, !llvm.ptr)",
                                                            "workgroup(%m: memref<2x4xf32, "
                                                            "#gpu.address_space<workgroup>>)"));
  EXPECT_THAT((runOn<float, float>(kernel, oneBlock(1), {1, 2, 3, 4}, 3)),
              IsOkAndHolds(ElementsAre(2, 3, 4)));
}

TEST_F(KernelTest, IntegersWrapAndHash) {
  // The finaliser of splitmix64.
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile(kTwoPointers, R"(
    %golden = arith.constant 0x9E3779B97F4A7C15 : i64
    %one = arith.constant 1 : i64
    %n = arith.addi %t, %one : i64
    %z0 = arith.muli %n, %golden : i64
    %c30 = arith.constant 30 : i64
    %s0 = arith.shrui %z0, %c30 : i64
    %x0 = arith.xori %z0, %s0 : i64
    %m0 = arith.constant 0xBF58476D1CE4E5B9 : i64
    %z1 = arith.muli %x0, %m0 : i64
    %c27 = arith.constant 27 : i64
    %s1 = arith.shrui %z1, %c27 : i64
    %x1 = arith.xori %z1, %s1 : i64
    %m1 = arith.constant 0x94D049BB133111EB : i64
    %z2 = arith.muli %x1, %m1 : i64
    %c31 = arith.constant 31 : i64
    %s2 = arith.shrui %z2, %c31 : i64
    %h = arith.xori %z2, %s2 : i64
    %p = llvm.getelementptr %out[%t] : (!llvm.ptr, i64) -> !llvm.ptr, i64
    llvm.store %h, %p : i64, !llvm.ptr)"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<uint64_t> out,
                               (runOn<float, uint64_t>(kernel, oneBlock(5), {}, 5)));
  for (uint64_t i = 0; i < 5; ++i) {
    uint64_t z = (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    EXPECT_EQ(out[i], z ^ z >> 31) << i;
  }
}

// %y (f64) of %a and %b (f64), and what C++ says.
struct PointCase {
  const char* lines;
  double a, b, expected;
};

const PointCase kPoints[] = {
    {"%y = arith.divf %a, %b : f64", 1, 3, 1.0 / 3},
    {"%y = arith.remf %a, %b : f64", 7.5, 2, 1.5},
    {"%y = arith.negf %a : f64", 2, 0, -2},
    {"%y = arith.maximumf %a, %b : f64", 2, kNaN, kNaN},
    {"%y = arith.maximumf %a, %b : f64", -0.0, 0.0, 0.0},
    {"%y = arith.minimumf %a, %b : f64", 0.0, -0.0, -0.0},
    {"%y = arith.maxnumf %a, %b : f64", 2, kNaN, 2},
    {"%y = arith.minnumf %a, %b : f64", 2, 3, 2},
    {"%y = math.exp %a : f64", 1.5, 0, std::exp(1.5)},
    {"%y = math.exp2 %a : f64", 1.5, 0, std::exp2(1.5)},
    {"%y = math.expm1 %a : f64", 1e-9, 0, std::expm1(1e-9)},
    {"%y = math.log %a : f64", 0, 0, -kInf},
    {"%y = math.log2 %a : f64", 8, 0, 3},
    {"%y = math.log1p %a : f64", 1e-9, 0, std::log1p(1e-9)},
    {"%y = math.sqrt %a : f64", 2, 0, std::sqrt(2.0)},
    {"%y = math.rsqrt %a : f64", 4, 0, 0.5},
    {"%y = math.absf %a : f64", -2, 0, 2},
    {"%y = math.floor %a : f64", -1.5, 0, -2},
    {"%y = math.ceil %a : f64", -1.5, 0, -1},
    {"%y = math.trunc %a : f64", -1.5, 0, -1},
    {"%y = math.round %a : f64", 2.5, 0, 3},
    {"%y = math.roundeven %a : f64", 2.5, 0, 2},
    {"%y = math.tanh %a : f64", 0.5, 0, std::tanh(0.5)},
    {"%y = math.powf %a, %b : f64", 2, 0.5, std::sqrt(2.0)},
    {"%y = math.copysign %a, %b : f64", 2, -1, -2},
    {"%y = math.fma %a, %b, %a : f64", 2, 3, 8},
    {"%y = llvm.call_intrinsic \"llvm.fabs.f64\"(%a) : (f64) -> f64", -2, 0, 2},
    {"%f = arith.truncf %a : f64 to f32 %e = llvm.call_intrinsic \"llvm.exp2.f32\"(%f) : (f32) -> "
     "f32 %y = arith.extf %e : f32 to f64",
     -3, 0, 0.125},
    {"%f = arith.truncf %a : f64 to f32 %e = llvm.inline_asm \"ex2.approx.ftz.f32 $0, $1;\", "
     "\"=f,f\" %f : (f32) -> f32 %y = arith.extf %e : f32 to f64",
     -140, 0, 0},
    {"%i = arith.fptosi %a : f64 to i32 %j = arith.fptosi %b : f64 to i32 %k = arith.divsi %i, %j "
     ": i32 %y = arith.sitofp %k : i32 to f64",
     -7, 2, -3},
    {"%i = arith.fptosi %a : f64 to i8 %j = arith.extsi %i : i8 to i64 %y = arith.sitofp %j : i64 "
     "to f64",
     -7, 0, -7},
    {"%i = arith.fptosi %a : f64 to i8 %j = arith.extui %i : i8 to i32 %y = arith.uitofp %j : i32 "
     "to f64",
     -7, 0, 249},
    {"%i = arith.bitcast %a : f64 to i64 %c = arith.constant 1 : i64 %j = arith.shli %i, %c : i64 "
     "%k = arith.shrui %j, %c : i64 %y = arith.bitcast %k : i64 to f64",
     -7, 0, 7},
    {"%i = arith.fptosi %a : f64 to i64 %c = arith.constant 1 : i64 %j = arith.shrsi %i, %c : i64 "
     "%y = arith.sitofp %j : i64 to f64",
     -7, 0, -4},
    {"%i = arith.fptosi %a : f64 to i64 %j = arith.fptosi %b : f64 to i64 %k = arith.maxsi %i, %j "
     ": i64 %y = arith.sitofp %k : i64 to f64",
     -7, 2, 2},
    {"%i = arith.fptosi %a : f64 to i64 %j = arith.fptosi %b : f64 to i64 %k = arith.maxui %i, %j "
     ": i64 %y = arith.sitofp %k : i64 to f64",
     -7, 2, -7},
    {"%i = arith.cmpf olt, %a, %b : f64 %y = arith.uitofp %i : i1 to f64", 1, kNaN, 0},
    {"%i = arith.cmpf ult, %a, %b : f64 %y = arith.uitofp %i : i1 to f64", 1, kNaN, 1},
    {"%i = arith.cmpf une, %a, %b : f64 %y = arith.uitofp %i : i1 to f64", 1, 1, 0},
    {"%i = arith.cmpf one, %a, %b : f64 %y = arith.uitofp %i : i1 to f64", 1, kNaN, 0},
    {"%i = arith.cmpf uno, %a, %b : f64 %y = arith.uitofp %i : i1 to f64", 1, kNaN, 1},
    {"%i = arith.cmpf oge, %a, %b : f64 %j = arith.addi %i, %i : i1 %y = arith.uitofp %j : i1 to "
     "f64",
     1, 1, 0},
    {"%i = arith.cmpf oge, %a, %b : f64 %j = arith.extsi %i : i1 to i32 %y = arith.sitofp %j : i32 "
     "to f64",
     1, 1, -1},
};

TEST_F(KernelTest, PointOperations) {
  for (const PointCase& point : kPoints) {
    SCOPED_TRACE(point.lines);
    ALIDADE_ASSERT_OK_AND_ASSIGN(
        const Kernel kernel,
        compile(kTwoPointers,
                absl::StrCat("%a = llvm.load %in : !llvm.ptr -> f64\n",
                             "%p = llvm.getelementptr %in[1] : (!llvm.ptr) -> ", "!llvm.ptr, f64\n",
                             "%b = llvm.load %p : !llvm.ptr -> f64\n", point.lines,
                             "\nllvm.store %y, %out : f64, !llvm.ptr")));
    ALIDADE_ASSERT_OK_AND_ASSIGN(
        const std::vector<double> out,
        (runOn<double, double>(kernel, oneBlock(1), {point.a, point.b}, 1)));
    if (std::isnan(point.expected)) {
      EXPECT_TRUE(std::isnan(out[0])) << out[0];
    } else {
      EXPECT_EQ(out[0], point.expected);
      EXPECT_EQ(std::signbit(out[0]), std::signbit(point.expected));
    }
  }
}

TEST_F(KernelTest, MemoryLivesFromLaunchToLaunch) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel, compile("%x: !llvm.ptr, %first: i1", R"(
    scf.if %first {
      llvm.store %t, %x : i64, !llvm.ptr
    } else {
      %v = llvm.load %x : !llvm.ptr -> i64
      %w = arith.addi %v, %v : i64
      %u = arith.constant 5 : i64
      %s = arith.addi %w, %u : i64
      llvm.store %s, %x : i64, !llvm.ptr
    })"));
  int64_t x = 7;
  Memory memory;
  ALIDADE_ASSERT_OK(memory.add("x", &x, sizeof(x), Access::kWrite));
  ALIDADE_ASSERT_OK(kernel.launch(oneBlock(1), {Argument::of(&x), Argument::of(true)}, memory));
  ALIDADE_ASSERT_OK(kernel.launch(oneBlock(1), {Argument::of(&x), Argument::of(false)}, memory));
  EXPECT_EQ(x, 5);
}

}  // namespace
}  // namespace alidade::pref::simt
