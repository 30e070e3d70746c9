#ifndef ALIDADE_COMPILER_RUNTIME_JIT_JIT_H_
#define ALIDADE_COMPILER_RUNTIME_JIT_JIT_H_

// Compiles an objective file or an expression of objectives in this process, for the CPU it runs
// on. Links MLIR, which trainers that use objectives compiled ahead of time do not need.
//
//   ALIDADE_ASSIGN_OR_RETURN(const Objective* objective, CompileObjectiveFile("my_loss.mlir"));
//   ALIDADE_ASSIGN_OR_RETURN(ObjectiveOutputs outputs, Apply(*objective, inputs));
//
// Code is cached on disk under two keys. The digest of the file leads to the digest of its
// canonical, differentiated IR, which leads to the object; both digests also cover the options, the
// CPU level, the LLVM version and the program that generated the code. So an unchanged file costs
// no MLIR at all, and a changed comment costs no code generation.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/runtime/objective.h"

namespace alidade::runtime {

struct JitOptions {
  // Empty: ${ALIDADE_CACHE}/jit, or ~/.cache/alidade/jit.
  std::string cache_folder;
  // The objective's compile-time choices that differ from their defaults.
  Options options;
  // Where objectives that a definition or an expression applies are found, as <name>/<name>.mlir.
  // Empty: a file's neighbours, for an expression the objectives linked into this program.
  std::string objectives_folder;
  // Also generate code for GPUs: PTX, and a cubin where ptxas is at hand.
  bool gpu = false;
};

enum class JitOrigin {
  kCompiled,    // nothing usable in the cache
  kCachedCode,  // the IR was derived, its object was cached
  kCachedFile,  // the file was known: no MLIR ran
};

struct JitReport {
  JitOrigin origin = JitOrigin::kCompiled;
  std::string object_path;  // the entry in the cache
  double seconds = 0;
  // Damaged entries that were replaced, or why the cache could not be written. Never fatal.
  std::vector<std::string> warnings;
};

// The objective in the file, which must bear the file's name. Every call loads its own copy, which
// lives as long as the process: call once per file and keep the pointer. Thread safe; processes may
// share a cache. Without a report, warnings go to standard error. Errors: those of the objective,
// located as file:line:column; a CPU without AVX2.
absl::StatusOr<const Objective*> CompileObjectiveFile(const std::string& path,
                                                      const JitOptions& options = {},
                                                      JitReport* report = nullptr);

// The same for a sum of objectives, `0.8*dpo + 0.2*bco_pair(beta=0.05) + sft[option=case]`
// (compiler/transforms/Compose/Compose.h has the grammar); its canonical text is the objective's
// name. Expressions, and files that apply others, are derived at every call, because a definition
// that they use may have changed; only their code is cached.
absl::StatusOr<const Objective*> CompileObjectiveExpression(const std::string& expression,
                                                            const JitOptions& options = {},
                                                            JitReport* report = nullptr);

}  // namespace alidade::runtime

#endif  // ALIDADE_COMPILER_RUNTIME_JIT_JIT_H_
