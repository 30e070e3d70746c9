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

// Axes and inputs.
static void describeAxes(ObjectiveOp objective, schedule::Signature& signature) {
  auto indexOf = [&](Axis axis) { return *signature.FindAxis(toString(axis)); };
  for (Axis axis : axesOf(objective)) {
    std::string name;
    if (axis.isToken()) name = stringifyResponseRole(axis.getResponse()).str();
    if (axis.isSegment()) name = axis.getLabels().getValue().str();
    llvm::SmallVector<Axis, 3> path = pathOf(axis);
    Axis parent = path[path.size() - 2];
    signature.axes.push_back({.kind = stringifyAxisKind(axis.getKind()).str(),
                              .name = name,
                              .parent = parent.isRow() ? -1 : indexOf(parent)});
  }
  for (InputOp input : inputsOf(objective)) {
    llvm::ArrayRef<Axis> axes = axesOf(input.getResult());
    int64_t axis = schedule::Input::kNone;
    if (!axes.empty()) axis = axes.back().isRow() ? schedule::Input::kRow : indexOf(axes.back());
    signature.inputs.push_back(
        {.name = input.getName().str(), .axis = axis, .doc = input.getDoc().value_or("").str()});
  }
}

static schedule::Distribution describeDistribution(DistributionAttr attribute,
                                                   const schedule::Signature& signature) {
  schedule::Distribution distribution;
  distribution.model = attribute.getModelName();
  distribution.response = stringifyResponseRole(attribute.getResponse()).str();
  distribution.view = stringifyView(attribute.getView()).str();
  distribution.view_argument = attribute.getViewArgument().str();
  distribution.shared_view = attribute.getShared();
  distribution.axis = *signature.FindResponse(distribution.response);
  return distribution;
}

// Index and factor of a read.
static void describeOperands(ObjectiveOp objective, const Read& read,
                             schedule::VocabularyRead& vocabularyRead) {
  auto indexOfName = [](auto ops, llvm::StringRef name) -> int64_t {
    return llvm::find_if(ops, [&](auto op) { return op.getName() == name; }) - ops.begin();
  };
  if (read.index) {
    if (auto input = read.index.getDefiningOp<InputOp>())
      vocabularyRead.index_input = indexOfName(inputsOf(objective), input.getName());
    else
      vocabularyRead.index_read =
          readIndexOf(llvm::cast<VocabularyOpInterface>(read.index.getDefiningOp()));
  }
  if (!read.scale) return;
  if (auto hyper = read.scale.getDefiningOp<HyperOp>())
    vocabularyRead.scale_hyper = indexOfName(hypersOf(objective), hyper.getName());
  else
    vocabularyRead.scale_constant = read.scale.getDefiningOp<ConstantOp>().getNumber();
}

// The distributions on which the known values depend.
static llvm::DenseSet<mlir::Attribute> distributionsOfKnown(llvm::ArrayRef<mlir::Value> known) {
  llvm::DenseSet<mlir::Attribute> distributions;
  llvm::SmallVector<mlir::Value> pending(known);
  llvm::DenseSet<mlir::Value> visited;
  while (!pending.empty()) {
    mlir::Value value = pending.pop_back_val();
    if (!visited.insert(value).second) continue;
    if (auto op = value.getDefiningOp<VocabularyOpInterface>()) {
      distributions.insert(op.getDistribution());
      if (op.getPartner()) distributions.insert(op.getPartner());
    }
    llvm::append_range(pending, value.getDefiningOp()->getOperands());
  }
  return distributions;
}

// Distributions, reads and row programs.
static void describeReads(ObjectiveOp objective, schedule::Signature& signature) {
  llvm::SmallVector<mlir::Value> known = knownValuesOf(objective);
  llvm::DenseSet<mlir::Attribute> feedKnown = distributionsOfKnown(known);
  signature.known_values = known.size();
  llvm::SmallVector<DistributionAttr> distributions = distributionsOf(objective);
  auto indexOf = [&](DistributionAttr distribution) -> int64_t {
    return distribution ? llvm::find(distributions, distribution) - distributions.begin() : -1;
  };
  for (DistributionAttr attribute : distributions) {
    signature.distributions.push_back(describeDistribution(attribute, signature));
    signature.distributions.back().feeds_known = feedKnown.contains(attribute);
  }
  int64_t numCotangents = 0;
  for (const Read& read : readsOf(objective)) {
    schedule::VocabularyRead vocabularyRead;
    vocabularyRead.op = read.op;
    vocabularyRead.distribution = indexOf(read.distribution);
    vocabularyRead.partner = indexOf(read.partner);
    describeOperands(objective, read, vocabularyRead);
    schedule::Distribution& distribution = signature.distributions[vocabularyRead.distribution];
    if (read.partner) distribution.partner = vocabularyRead.partner;
    if (read.hasGradient) {
      if (!distribution.requires_grad)
        distribution.coupling = analyzeCoupling(objective, read.distribution);
      distribution.requires_grad = true;
      vocabularyRead.cotangent = numCotangents++;
    }
    signature.reads.push_back(std::move(vocabularyRead));
  }
  schedule::AssignRowPrograms(signature);
}

mlir::FailureOr<schedule::Signature> deriveSignature(ObjectiveOp objective) {
  if (!isDifferentiated(objective))
    return objective.emitOpError() << "has no cotangents; run pref-differentiate first";
  schedule::Signature signature;
  signature.name = objective.getSymName().str();
  signature.paper = objective.getPaper().value_or("").str();
  signature.doc = objective.getDoc().value_or("").str();
  describeAxes(objective, signature);
  describeReads(objective, signature);
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
  for (const OptionInfo& option : optionsOf(objective))
    signature.options.push_back({option.name,
                                 option.chosen,
                                 option.defaultCase,
                                 {option.cases.begin(), option.cases.end()},
                                 option.doc});
  for (StateOp state : statesOf(objective))
    signature.states.push_back(
        {state.getName().str(), state.getDefaultNumber(), state.getDoc().value_or("").str()});
  for (const NamedValue& metric : metricsOf(objective)) signature.metrics.push_back(metric.name);
  signature.reduces_ranks = crossesRanks(objective);
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
    if (op.getNumResults() > 0 && op.use_empty())
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
                                  mlir::MLIRContext& context, const OptionChoices& options,
                                  DerivedObjective& derived) {
  derived.definition = mlir::parseSourceFile<mlir::ModuleOp>(sources, mlir::ParserConfig(&context));
  if (!derived.definition || failed(checkDefinition(*derived.definition, fileName)))
    return failure();
  derived.canonical = derived.definition->clone();
  if (failed(resolveOptions(objectiveOf(*derived.canonical), options)) ||
      failed(mlir::verify(*derived.canonical)) || failed(canonicalize(*derived.canonical)))
    return failure();
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
                                                     mlir::MLIRContext& context,
                                                     const OptionChoices& options) {
  context.loadDialect<PrefDialect>();
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  std::string diagnostics;
  llvm::raw_string_ostream stream(diagnostics);
  mlir::SourceMgrDiagnosticHandler handler(sources, &context, stream);
  DerivedObjective derived;
  if (succeeded(derive(sources, fileName, context, options, derived))) return derived;
  while (!diagnostics.empty() && diagnostics.back() == '\n') diagnostics.pop_back();
  return absl::InvalidArgumentError(diagnostics);
}

absl::StatusOr<DerivedObjective> deriveObjectiveText(const std::string& text,
                                                     const std::string& fileName,
                                                     mlir::MLIRContext& context,
                                                     const OptionChoices& options) {
  return deriveBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, fileName), fileName, context,
                      options);
}

absl::StatusOr<DerivedObjective> deriveObjectiveFile(const std::string& path,
                                                     mlir::MLIRContext& context,
                                                     const OptionChoices& options) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer) return absl::NotFoundError(absl::StrCat(path, ": ", buffer.getError().message()));
  return deriveBuffer(std::move(*buffer), path, context, options);
}

}  // namespace alidade::pref
