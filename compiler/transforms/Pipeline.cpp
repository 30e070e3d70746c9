#include "compiler/transforms/Pipeline.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h"
#include "compiler/transforms/Differentiate/Differentiate.h"

namespace alidade::pref {

using mlir::failure;
using mlir::success;

ObjectiveOp objectiveOf(mlir::ModuleOp module) {
  auto objectives = module.getOps<ObjectiveOp>();
  return objectives.empty() ? ObjectiveOp() : *objectives.begin();
}

ObjectiveOp DerivedObjective::objective() { return objectiveOf(*differentiated); }

std::string printModule(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  for (mlir::Operation& op : *module.getBody()) {
    op.print(stream, mlir::OpPrintingFlags().useLocalScope());
    stream << "\n";
  }
  return text;
}

mlir::FailureOr<schedule::Signature> deriveSignature(ObjectiveOp objective) {
  if (!isDifferentiated(objective))
    return objective.emitOpError() << "has no cotangents; run pref-differentiate first";
  schedule::Signature signature;
  signature.name = objective.getSymName().str();
  signature.paper = objective.getPaper().value_or("").str();
  signature.doc = objective.getDoc().value_or("").str();
  llvm::SmallVector<NamedValue> cotangents = cotangentsOf(objective);
  int64_t numCotangents = 0;
  for (const Read& read : readsOf(objective)) {
    DistributionAttr attribute = read.distribution;
    schedule::Distribution distribution;
    distribution.model = stringifyModelRole(attribute.getModel()).str();
    distribution.response = stringifyResponseRole(attribute.getResponse()).str();
    distribution.view = stringifyView(attribute.getView()).str();
    distribution.view_argument = attribute.getViewArgument().str();
    distribution.requires_grad = read.hasGradient;
    schedule::VocabularyRead vocabularyRead;
    vocabularyRead.distribution = signature.distributions.size();
    if (read.hasGradient) {
      distribution.coupling = analyzeCoupling(cotangents[numCotangents].value);
      vocabularyRead.cotangent = numCotangents++;
    }
    signature.distributions.push_back(std::move(distribution));
    signature.reads.push_back(std::move(vocabularyRead));
  }
  for (ResponseRole response : responsesOf(objective))
    signature.axes.push_back({.kind = "token", .name = stringifyResponseRole(response).str()});
  for (schedule::Distribution& distribution : signature.distributions)
    distribution.axis = *signature.FindResponse(distribution.response);
  schedule::AssignRowPrograms(signature);
  for (HyperOp hyper : hypersOf(objective)) {
    schedule::Hyperparameter parameter;
    parameter.name = hyper.getName().str();
    parameter.default_value = hyper.getDefaultNumber();
    parameter.low = hyper.getLowNumber();
    parameter.high = hyper.getHighNumber();
    parameter.low_open = !hyper.getLowClosed();
    parameter.high_open = !hyper.getHighClosed();
    parameter.doc = hyper.getDoc().value_or("").str();
    signature.hyperparameters.push_back(std::move(parameter));
  }
  for (const NamedValue& metric : metricsOf(objective)) signature.metrics.push_back(metric.name);
  if (absl::Status status = schedule::ValidateSignature(signature); !status.ok())
    return objective.emitOpError() << "signature: " << std::string(status.message());
  return signature;
}

// What must hold of a file that an author wrote, beyond the verifier: one objective, of the file's
// name, in which nothing is without effect.
static mlir::LogicalResult checkDefinition(mlir::ModuleOp module, llvm::StringRef fileName) {
  ObjectiveOp objective = objectiveOf(module);
  if (!objective)
    return mlir::emitError(module.getLoc()) << "expected one pref.objective, got none";
  for (mlir::Operation& op : *module.getBody())
    if (&op != objective)
      return op.emitError() << "expected one pref.objective per file, got another operation";
  llvm::StringRef stem = llvm::sys::path::stem(fileName);
  if (stem != objective.getSymName())
    return objective.emitOpError() << "expected the symbol @" << stem
                                   << ", the name of the file, got @" << objective.getSymName();
  for (mlir::Operation& op : objective.getBody().front().without_terminator())
    if (op.use_empty())
      return op.emitOpError() << "has no effect: its result is never used"
                              << (llvm::isa<HyperOp>(op)
                                      ? ", so that setting it would change nothing"
                                      : "");
  return success();
}

static mlir::LogicalResult canonicalize(mlir::ModuleOp module) {
  mlir::PassManager passes(module.getContext());
  passes.addPass(mlir::createCanonicalizerPass());
  passes.addPass(mlir::createCSEPass());
  passes.addPass(mlir::createCanonicalizerPass());
  return passes.run(module);
}

static mlir::LogicalResult derive(llvm::SourceMgr& sources, llvm::StringRef fileName,
                                  mlir::MLIRContext& context, DerivedObjective& derived) {
  derived.definition = mlir::parseSourceFile<mlir::ModuleOp>(sources, mlir::ParserConfig(&context));
  if (!derived.definition || failed(checkDefinition(*derived.definition, fileName)))
    return failure();
  derived.canonical = derived.definition->clone();
  if (failed(canonicalize(*derived.canonical))) return failure();
  derived.differentiated = derived.canonical->clone();
  if (failed(differentiate(derived.objective())) || failed(canonicalize(*derived.differentiated)) ||
      failed(mlir::verify(*derived.differentiated)))
    return failure();
  mlir::FailureOr<schedule::Signature> signature = deriveSignature(derived.objective());
  if (failed(signature)) return failure();
  derived.signature = std::move(*signature);
  return success();
}

static absl::StatusOr<DerivedObjective> deriveBuffer(std::unique_ptr<llvm::MemoryBuffer> buffer,
                                                     const std::string& fileName,
                                                     mlir::MLIRContext& context) {
  context.loadDialect<PrefDialect>();
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  std::string diagnostics;
  llvm::raw_string_ostream stream(diagnostics);
  mlir::SourceMgrDiagnosticHandler handler(sources, &context, stream);
  DerivedObjective derived;
  if (succeeded(derive(sources, fileName, context, derived))) return derived;
  while (!diagnostics.empty() && diagnostics.back() == '\n') diagnostics.pop_back();
  return absl::InvalidArgumentError(diagnostics);
}

absl::StatusOr<DerivedObjective> deriveObjectiveText(const std::string& text,
                                                     const std::string& fileName,
                                                     mlir::MLIRContext& context) {
  return deriveBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, fileName), fileName, context);
}

absl::StatusOr<DerivedObjective> deriveObjectiveFile(const std::string& path,
                                                     mlir::MLIRContext& context) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer) return absl::NotFoundError(absl::StrCat(path, ": ", buffer.getError().message()));
  return deriveBuffer(std::move(*buffer), path, context);
}

}  // namespace alidade::pref
