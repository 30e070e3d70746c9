// Every mistake that the interpreter must find, made once; and what it says.

#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "compiler/simt/Kernel.h"
#include "compiler/simt/TestKernel.h"
#include "gmock/gmock.h"

namespace alidade::pref::simt {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

constexpr int64_t kFloats = 64;
constexpr char kShared[] = "workgroup(%s: memref<64xf32, #gpu.address_space<workgroup>>)";

// Kernels get %x, an array of 64 floats (16-byte aligned), and `access` to it.
class FindingsTest : public KernelTest {
 protected:
  absl::Status run(const std::string& body, const Launch& launch,
                   Access access = Access::kReadWrite, const std::string& attributions = "") {
    absl::StatusOr<Kernel> kernel = compile("%x: !llvm.ptr", body, attributions);
    if (!kernel.ok()) return kernel.status();
    Memory memory;
    const absl::Status added = memory.add("x", x_, sizeof(x_), access);
    if (!added.ok()) return added;
    return kernel->launch(launch, {Argument::of(&x_[0])}, memory);
  }

  // The run is refused and says all of it.
  template <typename... Words>
  void expectFound(const absl::Status& status, const Words&... words) {
    EXPECT_THAT(status, StatusIs(StatusCode::kFailedPrecondition, AllOf(HasSubstr(words)...)));
  }

 private:
  alignas(16) float x_[kFloats] = {};
};

std::string storeAt(const std::string& index) {
  return absl::StrCat("%p = llvm.getelementptr %x[", index, "] : (!llvm.ptr, i64) -> !llvm.ptr, ",
                      "f32\n%v = arith.sitofp %t : i64 to f32\n",
                      "llvm.store %v, %p : f32, !llvm.ptr\n");
}

TEST_F(FindingsTest, AStoreBehindTheEnd) {
  ALIDADE_EXPECT_OK(run(storeAt("%t"), oneBlock(64)));
  expectFound(run(storeAt("%t"), oneBlock(65)), "test.mlir:7:", "llvm.store",
              "block (0, 0, 0), thread (64, 0, 0): writes 4 bytes at the end of x (256 bytes)");
}

TEST_F(FindingsTest, AnAccessAcrossTheEnd) {
  expectFound(run(R"(%p = llvm.getelementptr %x[62] : (!llvm.ptr) -> !llvm.ptr, f32
                     %v = llvm.load %p {alignment = 8 : i64} : !llvm.ptr -> vector<4xf32>)",
                  oneBlock(1)),
              "llvm.load", "thread (0, 0, 0): reads 16 bytes at byte 248 of x (256 bytes)");
}

TEST_F(FindingsTest, AnAccessBeforeTheBeginning) {
  expectFound(run(R"(%p = llvm.getelementptr %x[-2] : (!llvm.ptr) -> !llvm.ptr, f32
                     %v = llvm.load %p : !llvm.ptr -> f32)",
                  oneBlock(1)),
              "reads 4 bytes at 8 bytes before x (256 bytes)");
}

TEST_F(FindingsTest, TheNullPointer) {
  expectFound(run(R"(%p = llvm.mlir.zero : !llvm.ptr
                     %v = llvm.load %p : !llvm.ptr -> f32)",
                  oneBlock(1)),
              "reads 4 bytes at the null pointer");
}

TEST_F(FindingsTest, AMaskedAccessOutside) {
  expectFound(run(R"(%m = arith.constant dense<[true, false, true]> : vector<3xi1>
                     %p = llvm.getelementptr %x[62] : (!llvm.ptr) -> !llvm.ptr, f32
                     %v = llvm.intr.masked.load %p, %m {alignment = 4 : i32}
                         : (!llvm.ptr, vector<3xi1>) -> vector<3xf32>)",
                  oneBlock(1)),
              "reads 4 bytes at the end of x");
}

TEST_F(FindingsTest, UnalignedAccesses) {
  constexpr char kVector[] = R"(
    %p = llvm.getelementptr %x[%t] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %v = llvm.load %p {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>)";
  ALIDADE_EXPECT_OK(run(kVector, oneBlock(1)));
  expectFound(run(kVector, oneBlock(2)), "thread (1, 0, 0)",
              "reads 16 bytes at byte 4 of x, expected an address that is a multiple of 16");
  // Without a stated alignment it is that of the type.
  expectFound(run(R"(%p = llvm.getelementptr %x[1] : (!llvm.ptr) -> !llvm.ptr, f32
                     llvm.store %t, %p : i64, !llvm.ptr)",
                  oneBlock(1)),
              "writes 8 bytes at byte 4 of x, expected an address that is a multiple of 8");
  expectFound(run(R"(%p = llvm.getelementptr %x[1] : (!llvm.ptr) -> !llvm.ptr, f32
                     %m = arith.constant dense<false> : vector<4xi1>
                     %v = llvm.load %x : !llvm.ptr -> vector<4xf32>
                     llvm.intr.masked.store %v, %p, %m {alignment = 16 : i32}
                         : vector<4xf32>, vector<4xi1> into !llvm.ptr)",
                  oneBlock(1)),
              "expected an address that is a multiple of 16, got 4 more");
}

TEST_F(FindingsTest, AWriteToWhatIsOnlyRead) {
  expectFound(run(storeAt("%t"), oneBlock(1), Access::kRead),
              "writes 4 bytes at byte 0 of x, which is only read");
}

TEST_F(FindingsTest, ReadsOfWhatNobodyWrote) {
  expectFound(run("%v = llvm.load %x : !llvm.ptr -> f32", oneBlock(1), Access::kWrite),
              "reads 4 bytes with byte 0 of x, which nobody has written");
  // Shared memory of one block says nothing to the next.
  constexpr char kFirstBlockWrites[] = R"(
    %b = gpu.block_id x
    %zero = arith.constant 0 : index
    %first = arith.cmpi eq, %b, %zero : index
    scf.if %first {
      %one = arith.constant 1.0 : f32
      memref.store %one, %s[%zero] : memref<64xf32, #gpu.address_space<workgroup>>
    }
    %v = memref.load %s[%zero] : memref<64xf32, #gpu.address_space<workgroup>>)";
  Launch launch = oneBlock(1);
  ALIDADE_EXPECT_OK(run(kFirstBlockWrites, launch, Access::kReadWrite, kShared));
  launch.grid.x = 2;
  expectFound(run(kFirstBlockWrites, launch, Access::kReadWrite, kShared), "memref.load",
              "block (1, 0, 0)",
              "reads 4 bytes with byte 0 of shared array 0, which nobody has written");
}

TEST_F(FindingsTest, AnIndexOutsideAMemRef) {
  expectFound(run(R"(%z = arith.constant 0.0 : f32
                     memref.store %z, %s[%thread] : memref<64xf32, #gpu.address_space<workgroup>>)",
                  oneBlock(65), Access::kReadWrite, kShared),
              "thread (64, 0, 0): index 0: expected at least 0 and at most 63, got 64");
}

// Thread t writes shared[t]; after `between` it reads shared[(t + 1) % 64].
std::string neighbour(const std::string& between) {
  return absl::StrCat(R"(
    %v = arith.sitofp %t : i64 to f32
    memref.store %v, %s[%thread] : memref<64xf32, #gpu.address_space<workgroup>>
    )",
                      between, R"(
    %one = arith.constant 1 : index
    %n = arith.constant 64 : index
    %i = arith.addi %thread, %one : index
    %next = arith.remui %i, %n : index
    %w = memref.load %s[%next] : memref<64xf32, #gpu.address_space<workgroup>>)");
}

TEST_F(FindingsTest, ARaceOfAReadWithAWrite) {
  ALIDADE_EXPECT_OK(run(neighbour("gpu.barrier"), oneBlock(64), Access::kReadWrite, kShared));
  expectFound(run(neighbour(""), oneBlock(64), Access::kReadWrite, kShared), "memref.load",
              "block (0, 0, 0), thread (0, 0, 0): race: reads 4 bytes with byte 4 of shared array "
              "0, which block (0, 0, 0), thread (1, 0, 0) writes without a barrier in between, at "
              "test.mlir:7:",
              "memref.store");
}

constexpr char kWarpBarrier[] = "%all = arith.constant -1 : i32\nnvvm.bar.warp.sync %all : i32";

TEST_F(FindingsTest, ABarrierOfTheWarpOrdersItsLanesAlone) {
  const auto turn = [](const std::string& count) {
    std::string body = neighbour(kWarpBarrier);
    body.replace(body.find("constant 64"), 11, "constant " + count);
    return body;
  };
  ALIDADE_EXPECT_OK(run(turn("32"), oneBlock(32), Access::kReadWrite, kShared));
  expectFound(run(turn("64"), oneBlock(64), Access::kReadWrite, kShared),
              "thread (31, 0, 0): race: reads 4 bytes with byte 128 of shared array 0, which block "
              "(0, 0, 0), thread (32, 0, 0) writes");
}

TEST_F(FindingsTest, ADivergentBarrierOfTheWarp) {
  const auto under = [](const std::string& condition) {
    return absl::StrCat("%five = arith.constant 5 : i64\n%some = arith.cmpi ", condition,
                        ", %t, %five : i64\nscf.if %some {\n", kWarpBarrier, "\n}");
  };
  expectFound(run(under("ne"), oneBlock(32)), "nvvm.bar.warp.sync",
              "divergent warp barrier: lane 5 of warp 0 is in the mask but inactive");
  expectFound(run(R"(%mask = arith.constant 1 : i32
                     nvvm.bar.warp.sync %mask : i32)",
                  oneBlock(2)),
              "divergent warp barrier: lane 1 of warp 0 is active but not in the mask");
}

TEST_F(FindingsTest, ARaceOfAWriteWithARead) {
  const std::string again = neighbour("gpu.barrier") +
                            "\nmemref.store %v, %s[%thread] : memref<64xf32, "
                            "#gpu.address_space<workgroup>>";
  expectFound(run(again, oneBlock(64), Access::kReadWrite, kShared), "memref.store",
              "thread (0, 0, 0): race: writes 4 bytes with byte 0 of shared array 0, which block "
              "(0, 0, 0), thread (63, 0, 0) reads without a barrier");
}

TEST_F(FindingsTest, ARaceOfTwoWrites) {
  expectFound(run("%zero = arith.constant 0 : i64\n" + storeAt("%zero"), oneBlock(2)),
              "thread (1, 0, 0): race: writes 4 bytes with byte 0 of x, which block (0, 0, 0), "
              "thread (0, 0, 0) writes");
}

TEST_F(FindingsTest, AReadByManyBeforeAWriteOfOneOfThem) {
  // Thread 1 reads last and writes: the other reader counts.
  expectFound(run(R"(%v = llvm.load %x : !llvm.ptr -> f32
                     %one = arith.constant 1 : i64
                     %last = arith.cmpi eq, %t, %one : i64
                     scf.if %last {
                       llvm.store %v, %x : f32, !llvm.ptr
                     })",
                  oneBlock(2)),
              "thread (1, 0, 0): race: writes", "thread (0, 0, 0) reads");
}

TEST_F(FindingsTest, RacesOfBlocks) {
  Launch launch = oneBlock(1);
  launch.grid.x = 3;
  expectFound(run(storeAt("%t"), launch),
              "block (1, 0, 0), thread (0, 0, 0): race: writes 4 bytes with byte 0 of x, which "
              "block (0, 0, 0), thread (0, 0, 0) writes in the same launch");
  // Barriers do not order blocks; and a later read of the block itself hides nothing.
  expectFound(run(R"(%v = llvm.load %x : !llvm.ptr -> f32
                     gpu.barrier
                     %b = gpu.block_id x
                     %two = arith.constant 2 : index
                     %last = arith.cmpi eq, %b, %two : index
                     scf.if %last {
                       llvm.store %v, %x : f32, !llvm.ptr
                     })",
                  launch),
              "block (2, 0, 0), thread (0, 0, 0): race: writes",
              "block (1, 0, 0), thread (0, 0, 0) reads in the same launch");
}

TEST_F(FindingsTest, ADivergentBarrier) {
  constexpr char kBody[] = R"(%n = arith.constant 32 : i64
                              %some = arith.cmpi slt, %t, %n : i64
                              scf.if %some {
                                gpu.barrier
                              })";
  ALIDADE_EXPECT_OK(run(kBody, oneBlock(32)));
  expectFound(run(kBody, oneBlock(40)), "gpu.barrier",
              "divergent barrier: 32 of 40 threads of the block reach it; thread (32, 0, 0) does "
              "not");
}

TEST_F(FindingsTest, ABarrierInALoopOfDifferentLengths) {
  expectFound(run(R"(%zero = arith.constant 0 : i64
                     %one = arith.constant 1 : i64
                     scf.for %i = %zero to %t step %one : i64 {
                       gpu.barrier
                     })",
                  oneBlock(3)),
              "divergent barrier: 2 of 3 threads of the block reach it; thread (0, 0, 0) does not");
}

std::string shuffleIf(const std::string& condition, int64_t width) {
  return absl::StrCat("%v = arith.constant 1.0 : f32\n%o = arith.constant 1 : i32\n",
                      "%w = arith.constant ", width, " : i32\n%five = arith.constant 5 : i64\n",
                      "%active = arith.cmpi ", condition, ", %t, %five : i64\n",
                      "scf.if %active {\n%a, %b = gpu.shuffle xor %v, %o, %w : f32\n}");
}

TEST_F(FindingsTest, ShufflesWithLanesMissing) {
  expectFound(run(shuffleIf("ne", 32), oneBlock(64)), "gpu.shuffle",
              "shuffle: lane 5 of warp 0 is inactive, expected all lanes below 32");
  // A block that does not fill its last warp.
  expectFound(run(shuffleIf("sge", 32), oneBlock(48)), "shuffle: lane 0 of warp 0 is inactive");
  expectFound(run(shuffleIf("slt", 8), oneBlock(8)),
              "shuffle: lane 5 of warp 0 is inactive, expected all lanes below 8");
}

TEST_F(FindingsTest, ShufflesOfOtherWidths) {
  expectFound(run(shuffleIf("slt", 4), oneBlock(32)),
              "thread (4, 0, 0): shuffle: lane 4 of warp 0 takes part with width 4, expected the "
              "lanes below 4 alone");
  expectFound(run(shuffleIf("ule", 33), oneBlock(32)),
              "shuffle: expected a width in [1, 32], got 33");
}

TEST_F(FindingsTest, BlocksOfAnotherSize) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const Kernel kernel,
      compile("%n: i64", "", "", "attributes {known_block_size = array<i32: 64, 1, 1>}"));
  Memory memory;
  const auto launch = [&](const Launch& launch) {
    return kernel.launch(launch, {Argument::of(int64_t{1})}, memory);
  };
  ALIDADE_EXPECT_OK(launch(oneBlock(64)));
  EXPECT_THAT(launch(oneBlock(32)),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("k: expected blocks of 64 x 1 x 1 threads, got 32 x 1 x 1")));
  EXPECT_THAT(launch(oneBlock(2048)), StatusIs(StatusCode::kInvalidArgument,
                                               HasSubstr("at most 1024 threads per block, got")));
  Launch empty = oneBlock(64);
  empty.grid.y = 0;
  EXPECT_THAT(launch(empty), StatusIs(StatusCode::kInvalidArgument,
                                      HasSubstr("expected extents of at least 1, got 1 x 0 x 1")));
}

TEST_F(FindingsTest, OtherArguments) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(
      const Kernel kernel,
      compile("%n: i64, %s: !llvm.ptr {llvm.byval = !llvm.struct<(ptr, i32)>}", ""));
  Memory memory;
  const Launch launch = oneBlock(1);
  EXPECT_THAT(kernel.launch(launch, {Argument::of(int64_t{1})}, memory),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("k: expected 2 arguments, got 1")));
  EXPECT_THAT(
      kernel.launch(launch, {Argument::of(int32_t{1}), Argument::of(int64_t{1})}, memory),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("k: argument 0: expected 8 bytes, got 4")));
  EXPECT_THAT(
      kernel.launch(launch, {Argument::of(int64_t{1}), Argument::of(int64_t{1})}, memory),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("k: argument 1: expected 16 bytes, got 8")));
}

TEST_F(FindingsTest, AParameterByValueIsOnlyRead) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Kernel kernel,
                               compile("%s: !llvm.ptr {llvm.byval = !llvm.struct<(ptr, i64)>}", R"(
        %p = llvm.getelementptr %s[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<(ptr, i64)>
        llvm.store %t, %p : i64, !llvm.ptr)"));
  struct {
    void* pointer;
    int64_t number;
  } arguments = {};
  Memory memory;
  expectFound(kernel.launch(oneBlock(1), {Argument::of(arguments)}, memory),
              "writes 8 bytes at byte 8 of parameter 0, which is only read");
}

TEST_F(FindingsTest, LoopsWithoutAnEnd) {
  Launch launch = oneBlock(1);
  launch.instructionLimit = 1000;
  expectFound(run(R"(%true = arith.constant true
                     scf.while : () -> () {
                       scf.condition(%true)
                     } do {
                       %y = arith.addi %t, %t : i64
                       scf.yield
                     })",
                  launch),
              "does not end: expected at most 1000 instructions");
  expectFound(run(R"(%one = arith.constant 1 : i64
                     scf.for %i = %t to %one step %t : i64 {
                     })",
                  launch),
              "scf.for", "loops with step 0, expected > 0");
}

TEST_F(FindingsTest, IntegerOperationsWithoutAResult) {
  expectFound(run("%y = arith.divsi %t, %t : i64", oneBlock(1)), "arith.divsi",
              "divides an integer by zero");
  expectFound(run("%y = arith.remui %t, %t : i64", oneBlock(1)), "divides an integer by zero");
  expectFound(run(R"(%least = arith.constant -2147483648 : i32
                     %minus = arith.constant -1 : i32
                     %y = arith.remsi %least, %minus : i32)",
                  oneBlock(1)),
              "divides the least integer by -1");
  expectFound(run("%c = arith.constant 64 : i64\n%y = arith.shli %c, %c : i64", oneBlock(1)),
              "shifts by as many bits as the integer has");
  expectFound(
      run("%c = arith.constant 3.0e9 : f32\n%y = arith.fptosi %c : f32 to i32", oneBlock(1)),
      "turns a number into an integer that cannot hold it");
}

TEST_F(FindingsTest, UnknownOperationsAndTypes) {
  const auto expectUnknown = [&](const std::string& body, const std::string& words) {
    EXPECT_THAT(compile("%x: !llvm.ptr", body),
                StatusIs(StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("test.mlir:5:"),
                               HasSubstr("the SIMT interpreter does not know " + words))));
  };
  expectUnknown("%y = llvm.load %x : !llvm.ptr -> i24", "the type i24");
  expectUnknown("%y = gpu.subgroup_size : index", "this operation on these types");
  expectUnknown("%y = llvm.call_intrinsic \"llvm.nvvm.made.up\"(%t) : (i64) -> i64",
                "this operation on these types");
  EXPECT_THAT(
      compile("%m: memref<4xf32>", ""),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("parameters of type memref<4xf32>")));
}

TEST(MemoryTest, ArraysThatOverlap) {
  float x[8];
  Memory memory;
  ALIDADE_EXPECT_OK(memory.add("a", x, 16, Access::kRead));
  ALIDADE_EXPECT_OK(memory.add("b", x + 2, 16, Access::kRead));
  const auto address = [&](int i) { return reinterpret_cast<uint64_t>(x + i); };
  EXPECT_NE(memory.find(address(0), 24), nullptr);
  EXPECT_EQ(memory.find(address(0), 25), nullptr);
  EXPECT_THAT(memory.add("c", x + 5, 8, Access::kWrite),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("c: expected memory of its own, got bytes of a")));
  ALIDADE_EXPECT_OK(memory.add("d", x + 6, 8, Access::kWrite));
  EXPECT_THAT(memory.add("e", x + 7, 4, Access::kRead),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("got bytes of d")));
  EXPECT_THAT(memory.add("f", nullptr, 4, Access::kRead),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("expected an array, got null")));
  ALIDADE_EXPECT_OK(memory.add("empty", nullptr, 0, Access::kRead));
}

}  // namespace
}  // namespace alidade::pref::simt
