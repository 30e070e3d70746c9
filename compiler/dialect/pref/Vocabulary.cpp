// Operations that read distributions: assembly, checks, names.

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/OpSupport.h"

namespace alidade::pref {

using mlir::failure;
using mlir::success;
using mlir::Value;

//===--- support of what TableGen writes ---===//

mlir::Type typeOfRead(DistributionAttr distribution) {
  return ValueType::get(distribution.getContext(), pathOf(distribution.getTokenAxis()));
}

RealTensor evaluateRead(VocabularyOpInterface op, const EvaluationContext& context) {
  return RealTensor{llvm::to_vector<3>(axesOf(op->getResult(0))), context.reads[readIndexOf(op)]};
}

// policy_chosen, reference2_chosen_corrupted, policy_chosen_entropy.
std::string nameOfRead(VocabularyOpInterface op) {
  DistributionAttr distribution = op.getDistribution();
  std::string name = stringifyModelRole(distribution.getModel()).str();
  if (distribution.getModelIndex() > 1) name += std::to_string(distribution.getModelIndex());
  (name += "_") += stringifyResponseRole(distribution.getResponse());
  if (distribution.getView() != View::Clean)
    ((name += "_") += stringifyView(distribution.getView()));
  if (op.getReadName() != "logprob") ((name += "_") += op.getReadName());
  return name;
}

//===--- assembly ---===//

using MaybeOperand = std::optional<mlir::OpAsmParser::UnresolvedOperand>;

mlir::ParseResult parseAt(mlir::OpAsmParser& parser, MaybeOperand& index, mlir::Type& type) {
  if (failed(parser.parseOptionalKeyword("at"))) return success();
  type = UnresolvedType::get(parser.getContext());
  return parser.parseOperand(index.emplace());
}

void printAt(mlir::OpAsmPrinter& printer, mlir::Operation*, Value index, mlir::Type) {
  if (index) printer << " at " << index;
}

mlir::ParseResult parseMix(mlir::OpAsmParser& parser, DistributionAttr& mixed, MaybeOperand& scale,
                           mlir::Type& type) {
  if (failed(parser.parseOptionalKeyword("mix"))) return success();
  type = UnresolvedType::get(parser.getContext());
  if (parseDistribution(parser, mixed) || parser.parseKeyword("by")) return failure();
  return parser.parseOperand(scale.emplace());
}

void printMix(mlir::OpAsmPrinter& printer, mlir::Operation*, DistributionAttr mixed, Value scale,
              mlir::Type) {
  if (!mixed) return;
  printer << " mix ";
  printDistribution(printer, mixed);
  printer << " by " << scale;
}

//===--- gradients ---===//

static bool isPolicy(DistributionAttr distribution) {
  return distribution.getModel() == ModelRole::Policy;
}

bool LogProbOp::hasGradient() { return isPolicy(getDistribution()) && !getDetached(); }
bool LogitOp::hasGradient() { return isPolicy(getDistribution()) && !getDetached(); }
bool EntropyOp::hasGradient() { return isPolicy(getDistribution()) && !getDetached(); }
bool KlOp::hasGradient() { return isPolicy(getDistribution()) && !getDetached(); }

bool CollisionOp::isValueOnly() { return true; }
bool ArgmaxOp::isValueOnly() { return true; }

DistributionAttr KlOp::getDistribution() {
  return isPolicy(getRhs()) || !isPolicy(getLhs()) ? getRhs() : getLhs();
}

DistributionAttr KlOp::getPartner() { return getDistribution() == getRhs() ? getLhs() : getRhs(); }

//===--- checks ---===//

// (C1)
static mlir::LogicalResult verifyDetached(VocabularyOpInterface op) {
  if (!op.getDetached() || isPolicy(op.getDistribution())) return success();
  return op->emitOpError() << "(C1) detached: expected model policy, got "
                           << op.getDistribution().getModelName() << ", which never has a gradient";
}

// (C2)
static mlir::LogicalResult verifyIndex(VocabularyOpInterface op) {
  Value index = op.getIndex();
  if (!index) return success();
  mlir::Operation* definition = index.getDefiningOp();
  if (!llvm::isa_and_present<InputOp, ArgmaxOp>(definition)) {
    mlir::InFlightDiagnostic diagnostic =
        op->emitOpError() << "(C2) index: expected the result of pref.input or pref.argmax";
    if (definition) diagnostic << ", got that of " << definition->getName();
    diagnostic.attachNote(index.getLoc()) << "the index";
    return diagnostic;
  }
  if (index.getType() == op->getResult(0).getType()) return success();
  mlir::InFlightDiagnostic diagnostic = op->emitOpError() << "(C2) index: expected axes "
                                                          << toString(axesOf(op->getResult(0)))
                                                          << ", got " << toString(axesOf(index));
  diagnostic.attachNote(index.getLoc()) << "the index";
  return diagnostic;
}

// (C3)
static mlir::LogicalResult verifyPartner(VocabularyOpInterface op) {
  DistributionAttr distribution = op.getDistribution(), partner = op.getPartner();
  if (distribution == partner)
    return op->emitOpError() << "(C3) expected two distributions, got " << partner.getName()
                             << " twice";
  if (distribution.getResponse() == partner.getResponse()) return success();
  return op->emitOpError() << "(C3) expected two distributions over one response, got "
                           << distribution.getName() << " and " << partner.getName();
}

mlir::LogicalResult LogProbOp::verify() {
  if (failed(verifyDetached(*this)) || failed(verifyIndex(*this))) return failure();
  if (static_cast<bool>(getPartner()) != static_cast<bool>(getScale()))
    return emitOpError() << "(C4) expected a distribution mixed in and a factor, or neither";
  if (!getPartner()) return success();
  if (getIndex()) return emitOpError() << "(C5) expected either an index or a mixture, got both";
  if (failed(verifyPartner(*this))) return failure();
  if (llvm::isa_and_present<HyperOp, ConstantOp>(getScale().getDefiningOp())) return success();
  mlir::InFlightDiagnostic diagnostic =
      emitOpError() << "(C4) factor: expected the result of pref.hyper or pref.constant";
  if (mlir::Operation* definition = getScale().getDefiningOp())
    diagnostic << ", got that of " << definition->getName();
  diagnostic.attachNote(getScale().getLoc()) << "the factor";
  return diagnostic;
}

mlir::LogicalResult LogitOp::verify() {
  return failed(verifyDetached(*this)) ? failure() : verifyIndex(*this);
}
mlir::LogicalResult EntropyOp::verify() { return verifyDetached(*this); }
mlir::LogicalResult CollisionOp::verify() { return verifyDetached(*this); }
mlir::LogicalResult ArgmaxOp::verify() { return verifyDetached(*this); }

mlir::LogicalResult KlOp::verify() {
  return failed(verifyDetached(*this)) ? failure() : verifyPartner(*this);
}

}  // namespace alidade::pref
