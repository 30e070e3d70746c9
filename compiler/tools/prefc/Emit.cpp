// prefc emit.

#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status.h"
#include "compiler/target/Compile.h"
#include "compiler/tools/prefc/CommandLine.h"
#include "compiler/tools/prefc/Commands.h"
#include "compiler/tools/prefc/Document.h"
#include "compiler/tools/prefc/Subject.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

namespace alidade::pref {
namespace {

constexpr const char* kDerivedLevels[] = {"definition", "canonical", "differentiated", "signature",
                                          "doc"};
constexpr const char* kCompiledLevels[] = {"loops",    "llvm",      "assembly",   "object",
                                           "ptx_sm80", "ptx_sm90a", "cubin_sm90a"};

absl::Status writeText(const std::string& path, const std::string& text) {
  if (path != "-") return WriteFile(path, text);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return absl::OkStatus();
}

using Texts = std::map<std::string, std::string>;

absl::StatusOr<Texts> derivedTexts(const Subject& subject, const DerivedObjective& derived) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string source, definitionOf(subject, derived));
  return Texts{{"definition", printModule(*derived.definition)},
               {"canonical", printModule(*derived.canonical)},
               {"differentiated", printModule(*derived.differentiated)},
               {"signature", SignatureToJson(derived.signature)},
               {"doc", documentObjective(derived.signature, source)}};
}

absl::Status compiledTexts(const Subject& subject, const DerivedObjective& derived,
                           const CommandLine& line, Texts& texts) {
  CompileOptions options;
  ALIDADE_ASSIGN_OR_RETURN(options.definition, definitionOf(subject, derived));
  options.registerAtLoad = true;
  options.keepTexts = line.has("loops") || line.has("llvm") || line.has("assembly");
  std::string diagnostics;
  mlir::ScopedDiagnosticHandler handler(
      derived.differentiated.get()->getContext(), [&](mlir::Diagnostic& diagnostic) {
        llvm::raw_string_ostream stream(diagnostics);
        stream << diagnostic.getLocation() << ": " << diagnostic << "\n";
        return mlir::success();
      });
  mlir::FailureOr<CompiledObjective> compiled =
      compileObjective(*derived.differentiated, SignatureToJson(derived.signature), options);
  if (mlir::failed(compiled)) return absl::InternalError(diagnostics);
  texts["loops"] = std::move(compiled->loops);
  texts["llvm"] = std::move(compiled->llvm);
  texts["assembly"] = std::move(compiled->assembly);
  texts["object"] = std::move(compiled->object);
  texts["ptx_sm80"] = std::move(compiled->ptxSm80);
  texts["ptx_sm90a"] = std::move(compiled->ptxSm90a);
  texts["cubin_sm90a"] = std::move(compiled->cubinSm90a);
  if (line.has("cubin_sm90a") && texts["cubin_sm90a"].empty()) {
    return absl::FailedPreconditionError("--cubin_sm90a: ptxas was not found; the PTX needs none");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status emitCommand(const std::vector<std::string>& args) {
  FlagSpec spec = withSubjectFlags({{"paper", true}});
  std::set<std::string> levels;
  for (const char* level : kDerivedLevels) levels.insert(level);
  for (const char* level : kCompiledLevels) levels.insert(level);
  for (const std::string& level : levels) spec[level] = true;
  ALIDADE_ASSIGN_OR_RETURN(const CommandLine line, CommandLine::parse(args, spec));
  ALIDADE_ASSIGN_OR_RETURN(const Subject subject, subjectOf(line));
  mlir::MLIRContext context;
  ALIDADE_ASSIGN_OR_RETURN(const DerivedObjective derived, derive(subject, context));
  if (line.has("paper") && line.get("paper") != derived.signature.paper) {
    return absl::InvalidArgumentError(absl::StrCat(subject.text, ": paper: expected '",
                                                   line.get("paper"), "', got '",
                                                   derived.signature.paper, "'"));
  }
  ALIDADE_ASSIGN_OR_RETURN(Texts texts, derivedTexts(subject, derived));
  bool wantsCode = false, wantsAny = false;
  for (const std::string& level : levels) wantsAny |= line.has(level);
  for (const char* level : kCompiledLevels) wantsCode |= line.has(level);
  if (!wantsAny)
    return absl::InvalidArgumentError(
        "emit: expected at least one of --definition ... --object, got none");
  if (wantsCode) ALIDADE_RETURN_IF_ERROR(compiledTexts(subject, derived, line, texts));
  for (const std::string& level : levels) {
    for (const std::string& file : line.all(level))
      ALIDADE_RETURN_IF_ERROR(writeText(file, texts.at(level)));
  }
  return absl::OkStatus();
}

absl::Status docCommand(const std::vector<std::string>& args) {
  ALIDADE_ASSIGN_OR_RETURN(const CommandLine line,
                           CommandLine::parse(args, withSubjectFlags({{"out", true}})));
  ALIDADE_ASSIGN_OR_RETURN(const Subject subject, subjectOf(line));
  mlir::MLIRContext context;
  ALIDADE_ASSIGN_OR_RETURN(const DerivedObjective derived, derive(subject, context));
  ALIDADE_ASSIGN_OR_RETURN(const std::string source, definitionOf(subject, derived));
  return writeText(line.get("out", "-"), documentObjective(derived.signature, source));
}

}  // namespace alidade::pref
