#include "compiler/transforms/Pipeline.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h"
#include "compiler/transforms/Compose/Compose.h"
#include "compiler/transforms/Differentiate/Differentiate.h"
#include "compiler/transforms/ExpandComposites/ExpandComposites.h"

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

static mlir::LogicalResult canonicalize(mlir::ModuleOp module) {
  mlir::PassManager passes(module.getContext());
  passes.addPass(mlir::createCanonicalizerPass());
  passes.addPass(mlir::createCSEPass());
  passes.addPass(mlir::createCanonicalizerPass());
  return passes.run(module);
}

// Everything that follows from a module with one checked objective.
static mlir::LogicalResult derive(mlir::OwningOpRef<mlir::ModuleOp> module, ObjectiveFinder find,
                                  const OptionChoices& options, DerivedObjective& derived) {
  if (failed(inlineApplies(objectiveOf(*module), find)) || failed(mlir::verify(*module)))
    return failure();
  derived.definition = std::move(module);
  derived.canonical = derived.definition->clone();
  if (failed(resolveOptions(objectiveOf(*derived.canonical), options))) return failure();
  expandComposites(objectiveOf(*derived.canonical));
  if (failed(mlir::verify(*derived.canonical)) || failed(canonicalize(*derived.canonical)))
    return failure();
  derived.differentiated = derived.canonical->clone();
  if (failed(differentiate(derived.objective()))) return failure();
  expandComposites(derived.objective());  // the value-only ones
  if (failed(canonicalize(*derived.differentiated)) ||
      failed(mlir::verify(*derived.differentiated)))
    return failure();
  mlir::FailureOr<schedule::Signature> signature = deriveSignature(derived.objective());
  if (failed(signature)) return failure();
  derived.signature = std::move(*signature);
  return success();
}

using MaybeModule = mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>;

// Derives what read(sources) makes of a buffer; objectives that it applies come from the library.
// Diagnostics become the error.
static absl::StatusOr<DerivedObjective> deriveBuffer(
    std::unique_ptr<llvm::MemoryBuffer> buffer, mlir::MLIRContext& context,
    ObjectiveLibrary& library, const OptionChoices& options,
    llvm::function_ref<MaybeModule(llvm::SourceMgr&)> read) {
  context.loadDialect<PrefDialect>();
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  std::string diagnostics;
  llvm::raw_string_ostream stream(diagnostics);
  mlir::SourceMgrDiagnosticHandler handler(sources, &context, stream);
  auto find = [&](llvm::StringRef name, mlir::Location where) { return library.find(name, where); };
  DerivedObjective derived;
  MaybeModule module = read(sources);
  if (succeeded(module) && succeeded(derive(std::move(*module), find, options, derived)))
    return derived;
  while (!diagnostics.empty() && diagnostics.back() == '\n') diagnostics.pop_back();
  return absl::InvalidArgumentError(diagnostics);
}

static absl::StatusOr<DerivedObjective> deriveDefinition(std::unique_ptr<llvm::MemoryBuffer> buffer,
                                                         const std::string& fileName,
                                                         mlir::MLIRContext& context,
                                                         const OptionChoices& options,
                                                         const ObjectiveResolver& resolver) {
  ObjectiveLibrary library(context, resolver);
  auto read = [&](llvm::SourceMgr& sources) -> MaybeModule {
    auto module = mlir::parseSourceFile<mlir::ModuleOp>(sources, mlir::ParserConfig(&context));
    if (!module || failed(checkDefinition(*module, fileName))) return failure();
    return module;
  };
  return deriveBuffer(std::move(buffer), context, library, options, read);
}

absl::StatusOr<DerivedObjective> deriveObjectiveText(const std::string& text,
                                                     const std::string& fileName,
                                                     mlir::MLIRContext& context,
                                                     const OptionChoices& options,
                                                     const ObjectiveResolver& resolver) {
  return deriveDefinition(llvm::MemoryBuffer::getMemBufferCopy(text, fileName), fileName, context,
                          options, resolver);
}

absl::StatusOr<DerivedObjective> deriveObjectiveFile(const std::string& path,
                                                     mlir::MLIRContext& context,
                                                     const OptionChoices& options,
                                                     const ObjectiveResolver& resolver) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer) return absl::NotFoundError(absl::StrCat(path, ": ", buffer.getError().message()));
  return deriveDefinition(std::move(*buffer), path, context, options,
                          resolver.definition ? resolver : neighboursOf(path));
}

absl::StatusOr<DerivedObjective> deriveExpression(const std::string& text,
                                                  const ObjectiveResolver& resolver,
                                                  mlir::MLIRContext& context,
                                                  const OptionChoices& options) {
  constexpr char kFileName[] = "expression";
  ObjectiveLibrary library(context, resolver);
  auto find = [&](llvm::StringRef name, mlir::Location where) { return library.find(name, where); };
  auto read = [&](llvm::SourceMgr&) -> MaybeModule {
    mlir::FailureOr<std::vector<ExpressionTerm>> terms = parseExpression(text, kFileName, context);
    if (failed(terms)) return failure();
    return composeObjective(*terms, find, context);
  };
  return deriveBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, kFileName), context, library,
                      options, read);
}

}  // namespace alidade::pref
