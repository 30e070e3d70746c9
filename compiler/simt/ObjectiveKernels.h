// The GPU kernels of an objective on host memory, launched as compiler/runtime/cuda launches them.
// Every array that a kernel is given is registered with its exact size, so that an access outside
// it is found.

#ifndef ALIDADE_COMPILER_SIMT_OBJECTIVEKERNELS_H_
#define ALIDADE_COMPILER_SIMT_OBJECTIVEKERNELS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/runtime/abi.h"
#include "compiler/schedule/signature.h"
#include "compiler/simt/Kernel.h"

namespace alidade::pref::simt {

class ObjectiveKernels {
 public:
  // The kernels of `module` (abi.h says how they are called), which must outlive the object. The
  // table gives the sizes of scratch memory and known values. Errors: a kernel is missing, or holds
  // what the interpreter does not know.
  static absl::StatusOr<ObjectiveKernels> compile(mlir::gpu::GPUModuleOp module,
                                                  const schedule::Signature& signature,
                                                  const AlidadeObjectiveTable& table);

  // What AlidadeRowFn of a row program does; `brain`: logits and those of the partner are bf16.
  absl::Status rows(int64_t program, const AlidadeRowArgs& arguments, bool brain = false) const;
  // What AlidadeVariant::known and ::scalars do, without their all_reduce.
  absl::Status known(const AlidadeScalarArgs& arguments) const;
  absl::Status scalars(const AlidadeScalarArgs& arguments) const;

 private:
  std::map<std::string, Kernel> kernels_;
  schedule::Signature signature_;
  AlidadeObjectiveTable sizes_;

  absl::Status launch(const std::string& name, int64_t blocks, int64_t threads,
                      const Argument& argument, Memory& memory) const;
  // Points of an axis that belong to the rows before `row`.
  int64_t pointsBefore(int64_t axis, int64_t row, const AlidadeScalarArgs& arguments) const;
  absl::Status addInputs(const AlidadeScalarArgs& arguments, Memory& memory) const;
  absl::Status addOutputs(const AlidadeScalarArgs& arguments, Memory& memory) const;
  absl::Status addKnown(const AlidadeScalarArgs& arguments, Access access, Memory& memory) const;
};

// The same as a table that the runtime takes (runtime::Objective::FromTable), so that whole
// schedules run on interpreted GPU kernels. A C function has no context: at most one such table
// exists in a process at a time.
class InterpretedTable {
 public:
  // `compiled` must outlive the table; its signature, sizes and strings are taken over.
  InterpretedTable(const AlidadeObjectiveTable& compiled, ObjectiveKernels kernels);
  ~InterpretedTable();
  InterpretedTable(const InterpretedTable&) = delete;
  InterpretedTable& operator=(const InterpretedTable&) = delete;

  const AlidadeObjectiveTable* table() const { return &table_; }
  // The first error of any kernel since the last call; what was computed after it means nothing.
  absl::Status takeError();

 private:
  AlidadeObjectiveTable table_;
  AlidadeVariant variant_;
};

}  // namespace alidade::pref::simt

#endif  // ALIDADE_COMPILER_SIMT_OBJECTIVEKERNELS_H_
