// What the tests of the scalar block share: objectives that use every axis and every operation
// across points, random batches for them, and their results by the interpreter.

#ifndef ALIDADE_COMPILER_TARGET_SCALARCASES_H_
#define ALIDADE_COMPILER_TARGET_SCALARCASES_H_

#include <string>
#include <vector>

#include "compiler/reference/Interpreter.h"
#include "compiler/runtime/abi.h"
#include "compiler/schedule/signature.h"
#include "compiler/transforms/Pipeline.h"
#include "llvm/ADT/ArrayRef.h"

namespace alidade::pref {

struct ScalarCase {
  const char* name;  // of the objective
  const char* text;
};
llvm::ArrayRef<ScalarCase> scalarCases();
// The text of one of them.
std::string scalarCase(llvm::StringRef name);

// What a batch looks like to generated code, and the same numbers for the interpreter.
struct PackedBatch {
  int64_t numRows = 0;
  std::vector<std::vector<int64_t>> offsets;
  std::vector<std::vector<float>> reads, inputs;
  std::vector<float> hyperparameters;
  std::vector<double> states;
  Batch batch;

  int64_t numPoints(int64_t axis) const {
    if (axis == schedule::Input::kNone) return 1;
    return axis == schedule::Input::kRow ? numRows : offsets[axis].back();
  }
};

// A random batch: often a row, member or response has no points, or only one.
PackedBatch randomBatch(const schedule::Signature& signature, int64_t numRows, unsigned seed);

struct ScalarResults {
  std::vector<float> results;
  std::vector<double> states;
  std::vector<std::vector<float>> cotangents;
};

// Arguments for all rows. Results go to `out`, which is filled with kUnwritten first; memory for
// scratch and known values is the caller's.
inline constexpr double kUnwritten = 12345;
AlidadeScalarArgs argumentsFor(const schedule::Signature& signature, const PackedBatch& packed,
                               ScalarResults& out);

// Doubles of memory of so much per row and point, for a range of rows.
uint64_t doublesOf(uint64_t fixed, uint64_t perRow, llvm::ArrayRef<uint64_t> perAxis,
                   const schedule::Signature& signature, const PackedBatch& packed,
                   int64_t rowBegin, int64_t rowEnd);

// Compares results over all rows with those of the interpreter; `where` begins the messages.
void expectAsInterpreted(DerivedObjective& derived, const PackedBatch& packed,
                         const ScalarResults& got, const std::string& where);

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_TARGET_SCALARCASES_H_
