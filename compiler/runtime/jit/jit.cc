#include "compiler/runtime/jit/jit.h"

#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/files.h"
#include "common/provenance/digest.h"
#include "common/status/status.h"
#include "compiler/runtime/jit/cache.h"
#include "compiler/runtime/jit/object_loader.h"
#include "compiler/runtime/jit/objective_folder.h"
#include "compiler/target/Compile.h"
#include "compiler/transforms/Compose/Compose.h"
#include "compiler/transforms/Pipeline.h"
#include "mlir/IR/Diagnostics.h"

namespace alidade::runtime {
namespace {

absl::StatusOr<std::string> CacheFolder(const JitOptions& options) {
  if (!options.cache_folder.empty()) return options.cache_folder;
  if (const char* cache = std::getenv("ALIDADE_CACHE")) return JoinPath(cache, "jit");
  if (const char* home = std::getenv("HOME")) return JoinPath(home, ".cache/alidade/jit");
  return absl::FailedPreconditionError(
      "no cache folder for compiled objectives: set ALIDADE_CACHE or HOME");
}

// What generated code depends on beside the objective. The compiler is part of this program, so the
// program's size and time of change stand for the compiler's version.
std::string ToolchainKey(absl::string_view cpu, bool gpu) {
  struct stat program = {};
  const bool known = stat("/proc/self/exe", &program) == 0;
  return absl::StrCat(cpu, gpu ? "+gpu" : "", "\n", pref::toolchainVersion(), "\nabi ",
                      ALIDADE_ABI_VERSION, "\nprogram ",
                      known ? absl::StrCat(program.st_size, " ", program.st_mtim.tv_sec, ".",
                                           program.st_mtim.tv_nsec)
                            : "unknown");
}

std::string Key(absl::string_view kind, absl::string_view toolchain, absl::string_view text) {
  return absl::StrCat(kind, "-", Sha256Hex(absl::StrCat(toolchain, "\n", text)));
}

// One compilation and what became of it. `what` names it in messages.
class Compilation {
 public:
  Compilation(std::string what, std::string cpu, const JitOptions& options, Cache cache,
              JitReport& report)
      : what_(std::move(what)),
        cpu_(std::move(cpu)),
        options_(options),
        toolchain_(ToolchainKey(cpu_, options.gpu)),
        cache_(std::move(cache)),
        report_(report) {}

  // `what` is a path.
  absl::StatusOr<const Objective*> RunFile() {
    ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(what_), "while reading an objective");
    const std::string name(
        what_.substr(what_.find_last_of('/') + 1));  // the objective must bear it
    const std::string file_key =
        Key("file", toolchain_,
            absl::StrCat(name, "\n", absl::StrJoin(options_.options, ",", absl::PairFormatter("=")),
                         "\n", text));
    if (const absl::StatusOr<std::string> object_key = Lookup(file_key); object_key.ok()) {
      absl::StatusOr<const Objective*> objective = Load(*object_key);
      if (objective.ok()) {
        report_.origin = JitOrigin::kCachedFile;
        return objective;
      }
    }
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    pref::ObjectiveResolver resolver = pref::neighboursOf(what_);
    if (!options_.objectives_folder.empty()) {
      ALIDADE_ASSIGN_OR_RETURN(resolver, FolderResolver(options_.objectives_folder));
    }
    ALIDADE_ASSIGN_OR_RETURN(
        pref::DerivedObjective derived,
        pref::deriveObjectiveText(text, what_, context, options_.options, resolver));
    std::string object_key;
    absl::StatusOr<const Objective*> objective = FromDerived(derived, text, context, object_key);
    // What a file applies may change while the file does not.
    if (objective.ok() && !absl::StrContains(text, "pref.apply")) Publish(file_key, object_key);
    return objective;
  }

  // `what` is an expression.
  absl::StatusOr<const Objective*> RunExpression() {
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    ALIDADE_ASSIGN_OR_RETURN(const pref::ObjectiveResolver resolver,
                             FolderResolver(options_.objectives_folder));
    ALIDADE_ASSIGN_OR_RETURN(pref::DerivedObjective derived,
                             pref::deriveExpression(what_, resolver, context, options_.options));
    std::string object_key;
    return FromDerived(derived, pref::printModule(*derived.definition), context, object_key);
  }

 private:
  // An entry, with a warning where one is damaged.
  absl::StatusOr<std::string> Lookup(absl::string_view key) {
    absl::StatusOr<std::string> bytes = cache_.Get(key);
    if (!bytes.ok() && !absl::IsNotFound(bytes.status()))
      report_.warnings.push_back(absl::StrCat(bytes.status().message(), "; compiling again"));
    return bytes;
  }

  // `definition` is what the table hands on.
  absl::StatusOr<const Objective*> FromDerived(pref::DerivedObjective& derived,
                                               const std::string& definition,
                                               mlir::MLIRContext& context,
                                               std::string& object_key) {
    // The signature, which the object holds, says more than the code: docs, options.
    object_key = Key("object", toolchain_,
                     absl::StrCat(schedule::SignatureToJson(derived.signature),
                                  pref::printModule(*derived.differentiated)));
    absl::StatusOr<const Objective*> objective = Load(object_key);
    report_.origin = JitOrigin::kCachedCode;
    if (objective.ok()) return objective;
    ALIDADE_ASSIGN_OR_RETURN(const std::string object, Generate(derived, definition, context),
                             "while compiling ", what_);
    report_.origin = JitOrigin::kCompiled;
    report_.object_path = cache_.PathOf(object_key);
    Publish(object_key, object);
    return FromObject(object);
  }

  absl::StatusOr<const Objective*> Load(const std::string& object_key) {
    ALIDADE_ASSIGN_OR_RETURN(const std::string object, Lookup(object_key));
    report_.object_path = cache_.PathOf(object_key);
    return FromObject(object);
  }

  absl::StatusOr<const Objective*> FromObject(const std::string& object) {
    ALIDADE_ASSIGN_OR_RETURN(const AlidadeObjectiveTable* table, LoadObject(object, what_));
    ALIDADE_ASSIGN_OR_RETURN(std::unique_ptr<Objective> objective, Objective::FromTable(table));
    return objective.release();  // lives as long as its code: until the process ends
  }

  absl::StatusOr<std::string> Generate(pref::DerivedObjective& derived, const std::string& text,
                                       mlir::MLIRContext& context) {
    std::string diagnostics;
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic& diagnostic) {
      absl::StrAppend(&diagnostics, diagnostics.empty() ? "" : "\n", diagnostic.str());
    });
    pref::CompileOptions options;
    options.cpus = {cpu_};
    options.gpu = options_.gpu;
    options.definition = text;
    mlir::FailureOr<pref::CompiledObjective> code = pref::compileObjective(
        *derived.differentiated, schedule::SignatureToJson(derived.signature), options);
    if (failed(code)) return absl::InternalError(diagnostics);
    return code->object;
  }

  void Publish(absl::string_view key, absl::string_view bytes) {
    if (const absl::Status status = cache_.Put(key, bytes); !status.ok())
      report_.warnings.push_back(absl::StrCat("compiled code is not cached: ", status.message()));
  }

  const std::string what_, cpu_;
  const JitOptions& options_;
  const std::string toolchain_;
  const Cache cache_;
  JitReport& report_;
};

// Runs one way of compiling, and reports.
absl::StatusOr<const Objective*> Compile(const std::string& what, const JitOptions& options,
                                         JitReport* report,
                                         absl::StatusOr<const Objective*> (Compilation::*run)()) {
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<std::string> levels = HostCpuLevels();
  if (levels.empty())
    return absl::FailedPreconditionError(
        "this CPU lacks AVX2 and FMA (x86-64-v3), which compiled objectives need");
  ALIDADE_ASSIGN_OR_RETURN(std::string folder, CacheFolder(options));
  JitReport own_report;
  JitReport& written = report != nullptr ? *report : own_report;
  written = JitReport();
  Compilation compilation(what, levels.back(), options, Cache(std::move(folder)), written);
  absl::StatusOr<const Objective*> objective = (compilation.*run)();
  written.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (const std::string& warning : own_report.warnings)
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  return objective;
}

}  // namespace

absl::StatusOr<const Objective*> CompileObjectiveFile(const std::string& path,
                                                      const JitOptions& options,
                                                      JitReport* report) {
  return Compile(path, options, report, &Compilation::RunFile);
}

absl::StatusOr<const Objective*> CompileObjectiveExpression(const std::string& expression,
                                                            const JitOptions& options,
                                                            JitReport* report) {
  return Compile(expression, options, report, &Compilation::RunExpression);
}

}  // namespace alidade::runtime
