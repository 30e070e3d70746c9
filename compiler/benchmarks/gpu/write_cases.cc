// Writes what gpu_check compares: for every linked objective calls with random inputs, and what the
// f64 interpreter makes of them.
//
//   write_cases CHECKOUT FOLDER
//
// CHECKOUT holds compiler/objectives; FOLDER, which must exist, gets <objective>.<case>.safetensors
// (cases.h says what is in them). Hidden states and heads are bf16 numbers, so that one expectation
// serves both types.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "compiler/benchmarks/gpu/cases.h"
#include "compiler/runtime/objective.h"
#include "compiler/testing/random_calls.h"
#include "compiler/tools/prefc/Arrays.h"
#include "compiler/tools/prefc/Calls.h"
#include "compiler/transforms/Pipeline.h"
#include "mlir/IR/MLIRContext.h"

namespace alidade::gpu {
namespace {

// To the nearest bf16 number, ties to even; finite numbers.
double RoundToBf16(double value) {
  const float narrow = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &narrow, sizeof(bits));
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  float rounded;
  std::memcpy(&rounded, &bits, sizeof(rounded));
  return rounded;
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

absl::Status WriteCases(const std::string& name, const std::string& objectives,
                        const std::string& folder) {
  mlir::MLIRContext context;
  ALIDADE_ASSIGN_OR_RETURN(
      pref::DerivedObjective derived,
      pref::deriveObjectiveFile(absl::StrCat(objectives, "/", name, "/", name, ".mlir"), context));
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<pref::Golden> goldens,
                           pref::readGoldens(absl::StrCat(objectives, "/", name, "/golden.json")));
  pref::Arrays samples;
  for (const pref::Golden& golden : goldens)
    samples.insert(golden.inputs.begin(), golden.inputs.end());
  // Vocabularies that are a multiple of nothing: one that a block reads in one step, one in
  // several.
  const std::pair<const char*, testing::CallShape> shapes[] = {
      {"small", {.rows = 6, .most_tokens = 6, .hidden = 16, .vocabulary = 41}},
      {"many", {.rows = 40, .most_tokens = 40, .hidden = 8, .vocabulary = 67}},
      {"wide", {.rows = 5, .most_tokens = 9, .hidden = 4, .vocabulary = 4099}}};
  unsigned seed = 20;
  for (const auto& [case_name, shape] : shapes) {
    pref::Call call = testing::RandomCall(derived.signature, samples, ++seed, shape);
    for (auto& [array_name, array] : call.inputs) {
      if (!EndsWith(array_name, ".hidden") && !EndsWith(array_name, ".head")) continue;
      for (double& value : array.reals) value = RoundToBf16(value);
    }
    ALIDADE_ASSIGN_OR_RETURN(const pref::CallResult expected,
                             pref::runInterpreter(derived.objective(), derived.signature, call));
    const Case written = {.inputs = call.inputs, .expected = expected.outputs};
    ALIDADE_RETURN_IF_ERROR(
        WriteCase(absl::StrCat(folder, "/", name, ".", case_name, kCaseSuffix), written));
  }
  std::printf("%s\n", name.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace alidade::gpu

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: write_cases CHECKOUT FOLDER\n");
    return 2;
  }
  for (const std::string& name : alidade::runtime::ObjectiveNames()) {
    const absl::Status status =
        alidade::gpu::WriteCases(name, absl::StrCat(argv[1], "/compiler/objectives"), argv[2]);
    if (!status.ok()) {
      std::fprintf(stderr, "write_cases: %s: %s\n", name.c_str(),
                   std::string(status.message()).c_str());
      return 1;
    }
  }
  return 0;
}
