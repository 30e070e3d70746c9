// Expressions of objectives: their text, and the objective that they stand for.

#include <cmath>

#include "llvm/ADT/StringExtras.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/dialect/pref/TermBuilder.h"
#include "compiler/transforms/Compose/Compose.h"

namespace alidade::pref {

using mlir::failure;
using mlir::success;
using mlir::Value;

//===--- text to terms ---===//

namespace {

// Recursive descent over one line; the grammar is in the header.
class ExpressionParser {
 public:
  ExpressionParser(llvm::StringRef text, llvm::StringRef fileName, mlir::MLIRContext& context)
      : text(text), fileName(fileName), context(context) {}

  mlir::FailureOr<std::vector<ExpressionTerm>> parse();

 private:
  mlir::Location here() const {
    return mlir::FileLineColLoc::get(&context, fileName, 1, static_cast<unsigned>(at) + 1);
  }
  void skipSpaces() {
    while (at < text.size() && llvm::isSpace(text[at])) ++at;
  }
  // Skips the character if it comes next.
  bool take(char c) {
    skipSpaces();
    if (at >= text.size() || text[at] != c) return false;
    ++at;
    return true;
  }
  mlir::LogicalResult expected(llvm::StringRef what) {
    skipSpaces();
    mlir::InFlightDiagnostic diagnostic = mlir::emitError(here())
                                          << "expected " << what << ", got ";
    if (at >= text.size()) return diagnostic << "the end of the expression";
    return diagnostic << "'" << text.substr(at, 1) << "'";
  }
  // Empty where none begins.
  llvm::StringRef takeName();
  bool startsNumber();
  mlir::LogicalResult parseNumber(double& number);
  mlir::LogicalResult parseTerm(bool negative, std::vector<ExpressionTerm>& terms);
  mlir::LogicalResult parseBinding(ExpressionTerm& term);
  mlir::LogicalResult parseChoice(ExpressionTerm& term);
  // `open` item {, item} `close`, or nothing.
  mlir::LogicalResult parseList(char open, char close,
                                llvm::function_ref<mlir::LogicalResult()> item);

  llvm::StringRef text, fileName;
  mlir::MLIRContext& context;
  size_t at = 0;
};

}  // namespace

llvm::StringRef ExpressionParser::takeName() {
  skipSpaces();
  size_t begin = at;
  auto isLetter = [](char c) { return llvm::isAlpha(c) || c == '_'; };
  if (at < text.size() && isLetter(text[at]))
    while (at < text.size() && (isLetter(text[at]) || llvm::isDigit(text[at]))) ++at;
  return text.slice(begin, at);
}

bool ExpressionParser::startsNumber() {
  skipSpaces();
  return at < text.size() && (llvm::isDigit(text[at]) || text[at] == '.');
}

mlir::LogicalResult ExpressionParser::parseNumber(double& number) {
  bool negative = take('-');
  if (!startsNumber()) return expected("a number");
  mlir::Location where = here();
  size_t begin = at;
  while (at < text.size()) {
    bool isSign = (text[at] == '+' || text[at] == '-') && (text[at - 1] | 0x20) == 'e';
    if (!isSign && !llvm::isAlnum(text[at]) && text[at] != '.') break;
    ++at;
  }
  llvm::StringRef digits = text.slice(begin, at);
  if (digits.getAsDouble(number) || !std::isfinite(number))
    return mlir::emitError(where) << "expected a finite number, got '" << digits << "'";
  if (negative) number = -number;
  return success();
}

mlir::LogicalResult ExpressionParser::parseBinding(ExpressionTerm& term) {
  skipSpaces();
  ExpressionTerm::Binding binding{"", 0, "", here()};
  binding.name = takeName().str();
  if (binding.name.empty()) return expected("the name of a hyperparameter");
  if (!take('=')) return expected("'='");
  skipSpaces();
  binding.newName = takeName().str();
  if (binding.newName.empty()) {
    bool isNumber = startsNumber() || (at < text.size() && text[at] == '-');
    if (!isNumber) return expected("a number or the new name of the hyperparameter");
    if (failed(parseNumber(binding.number))) return failure();
  }
  for (const ExpressionTerm::Binding& other : term.bindings)
    if (other.name == binding.name)
      return mlir::emitError(binding.location) << "binds " << binding.name << " twice";
  term.bindings.push_back(std::move(binding));
  return success();
}

mlir::LogicalResult ExpressionParser::parseChoice(ExpressionTerm& term) {
  skipSpaces();
  mlir::Location where = here();
  std::string option = takeName().str();
  if (option.empty()) return expected("the name of an option");
  if (!take('=')) return expected("'='");
  std::string chosen = takeName().str();
  if (chosen.empty()) return expected("the case of the option");
  for (const ExpressionTerm::Choice& other : term.choices)
    if (other.option == option) return mlir::emitError(where) << "chooses " << option << " twice";
  term.choices.push_back({option, chosen});
  return success();
}

mlir::LogicalResult ExpressionParser::parseList(char open, char close,
                                                llvm::function_ref<mlir::LogicalResult()> item) {
  if (!take(open)) return success();
  do {
    if (failed(item())) return failure();
  } while (take(','));
  if (!take(close)) return expected(std::string("',' or '") + close + "'");
  return success();
}

mlir::LogicalResult ExpressionParser::parseTerm(bool negative, std::vector<ExpressionTerm>& terms) {
  skipSpaces();
  ExpressionTerm term{1, "", {}, {}, here()};
  if (startsNumber()) {
    if (failed(parseNumber(term.weight))) return failure();
    if (!take('*')) return expected("'*' between a weight and the name of an objective");
  }
  if (negative) term.weight = -term.weight;
  skipSpaces();
  term.location = here();
  term.objective = takeName().str();
  if (term.objective.empty()) return expected("a weight or the name of an objective");
  if (failed(parseList('(', ')', [&] { return parseBinding(term); })) ||
      failed(parseList('[', ']', [&] { return parseChoice(term); })))
    return failure();
  terms.push_back(std::move(term));
  return success();
}

mlir::FailureOr<std::vector<ExpressionTerm>> ExpressionParser::parse() {
  std::vector<ExpressionTerm> terms;
  if (failed(parseTerm(take('-'), terms))) return failure();
  while (true) {
    bool plus = take('+'), minus = !plus && take('-');
    if (!plus && !minus) break;
    if (failed(parseTerm(minus, terms))) return failure();
  }
  skipSpaces();
  if (at < text.size()) return expected("'+', '-' or the end of the expression");
  return terms;
}

mlir::FailureOr<std::vector<ExpressionTerm>> parseExpression(llvm::StringRef text,
                                                             llvm::StringRef fileName,
                                                             mlir::MLIRContext& context) {
  return ExpressionParser(text, fileName, context).parse();
}

//===--- terms to text ---===//

// `open` a, b `close` in order of names, or nothing.
static std::string listText(llvm::StringRef open, std::vector<std::string> items,
                            llvm::StringRef close) {
  if (items.empty()) return "";
  llvm::sort(items);
  return (open + llvm::join(items, ", ") + close).str();
}

std::string canonicalText(llvm::ArrayRef<ExpressionTerm> terms) {
  std::string text;
  for (const ExpressionTerm& term : terms) {
    bool negative = std::signbit(term.weight);
    double weight = std::fabs(term.weight);
    if (text.empty())
      text += negative ? "-" : "";
    else
      text += negative ? " - " : " + ";
    if (weight != 1) text += formatNumber(weight) + "*";
    text += term.objective;
    std::vector<std::string> bindings, choices;
    for (const ExpressionTerm::Binding& binding : term.bindings)
      bindings.push_back(
          binding.name + "=" +
          (binding.newName.empty() ? formatNumber(binding.number) : binding.newName));
    for (const ExpressionTerm::Choice& choice : term.choices)
      choices.push_back(choice.option + "=" + choice.chosen);
    text += listText("(", std::move(bindings), ")") + listText("[", std::move(choices), "]");
  }
  return text;
}

//===--- terms to an objective ---===//

namespace {

// Writes the sum of applies.
class Composer {
 public:
  Composer(ObjectiveOp objective, ObjectiveFinder find)
      : builder(objective.getContext()), find(find), block(objective.getBody().front()) {
    builder.setInsertionPointToEnd(&block);
  }

  mlir::LogicalResult add(const ExpressionTerm& term);
  void finish(mlir::Location location);

 private:
  // The value that a hyperparameter is bound to.
  mlir::FailureOr<Value> valueOf(const ExpressionTerm& term,
                                 const ExpressionTerm::Binding& binding);
  mlir::FailureOr<Value> renamed(const ExpressionTerm& term,
                                 const ExpressionTerm::Binding& binding);
  mlir::StringAttr labelOf(const ExpressionTerm& term);

  mlir::OpBuilder builder;
  ObjectiveFinder find;
  mlir::Block& block;
  Value sum;
  llvm::StringMap<int> uses;  // of an objective, so far
};

}  // namespace

mlir::FailureOr<Value> Composer::renamed(const ExpressionTerm& term,
                                         const ExpressionTerm::Binding& binding) {
  mlir::FailureOr<ObjectiveOp> found = find(term.objective, term.location);
  if (failed(found)) return failure();
  // It may have hyperparameters of objectives that it applies itself.
  mlir::OwningOpRef<ObjectiveOp> objective(found->clone());
  if (failed(inlineApplies(*objective, find))) return failure();
  llvm::SmallVector<llvm::StringRef> names;
  HyperOp declared;
  for (HyperOp hyper : hypersOf(*objective)) {
    names.push_back(hyper.getName());
    if (hyper.getName() == binding.name) declared = hyper;
  }
  if (!declared) {
    return mlir::emitError(binding.location)
           << "@" << term.objective << " has no hyperparameter \"" << binding.name
           << "\": expected " << (names.empty() ? "none" : "one of " + llvm::join(names, ", "))
           << didYouMean(binding.name, names);
  }
  for (HyperOp earlier : block.getOps<HyperOp>()) {
    if (earlier.getName() != binding.newName) continue;
    if (earlier.getDefaultNumber() == declared.getDefaultNumber() &&
        earlier.getRangeText() == declared.getRangeText())
      return earlier.getResult();
    mlir::InFlightDiagnostic diagnostic =
        mlir::emitError(binding.location)
        << "hyperparameter " << binding.newName << " stands for declarations that differ: default "
        << formatNumber(declared.getDefaultNumber()) << " in " << declared.getRangeText()
        << " and default " << formatNumber(earlier.getDefaultNumber()) << " in "
        << earlier.getRangeText();
    diagnostic.attachNote(earlier.getLoc()) << "the other one";
    return diagnostic;
  }
  auto hyper = llvm::cast<HyperOp>(builder.clone(*declared.getOperation()));
  hyper.setName(binding.newName);
  hyper->setLoc(binding.location);
  return hyper.getResult();
}

mlir::FailureOr<Value> Composer::valueOf(const ExpressionTerm& term,
                                         const ExpressionTerm::Binding& binding) {
  if (!binding.newName.empty()) return renamed(term, binding);
  return TermBuilder(builder, binding.location).constant(binding.number);
}

// The second dpo of an expression reports as dpo_2.
mlir::StringAttr Composer::labelOf(const ExpressionTerm& term) {
  int use = ++uses[term.objective];
  if (use == 1) return {};
  return builder.getStringAttr(term.objective + "_" + std::to_string(use));
}

mlir::LogicalResult Composer::add(const ExpressionTerm& term) {
  llvm::SmallVector<Value> values;
  llvm::SmallVector<llvm::StringRef> names, options, cases;
  for (const ExpressionTerm::Binding& binding : term.bindings) {
    mlir::FailureOr<Value> value = valueOf(term, binding);
    if (failed(value)) return failure();
    values.push_back(*value);
    names.push_back(binding.name);
  }
  for (const ExpressionTerm::Choice& choice : term.choices) {
    options.push_back(choice.option);
    cases.push_back(choice.chosen);
  }
  TermBuilder t(builder, term.location);
  Value loss = ApplyOp::create(
      builder, term.location, mlir::FlatSymbolRefAttr::get(builder.getContext(), term.objective),
      values, builder.getStrArrayAttr(names), builder.getStrArrayAttr(options),
      builder.getStrArrayAttr(cases), labelOf(term));
  if (term.weight != 1) loss = t.mul(t.constant(term.weight), loss);
  sum = sum ? t.add(sum, loss) : loss;
  return success();
}

void Composer::finish(mlir::Location location) {
  YieldOp::create(builder, location, sum, mlir::ValueRange{}, mlir::ValueRange{},
                  builder.getArrayAttr({}), builder.getArrayAttr({}));
}

mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> composeObjective(
    llvm::ArrayRef<ExpressionTerm> terms, ObjectiveFinder find, mlir::MLIRContext& context) {
  mlir::Location location = terms.front().location;
  mlir::OwningOpRef<mlir::ModuleOp> module(mlir::ModuleOp::create(location));
  mlir::OpBuilder builder(module->getBodyRegion());
  std::string name = canonicalText(terms);
  if (name == terms.front().objective) {
    mlir::FailureOr<ObjectiveOp> found = find(name, location);
    if (failed(found)) return failure();
    builder.clone(*found->getOperation());
    return module;
  }
  auto objective = ObjectiveOp::create(builder, location, builder.getStringAttr(name),
                                       /*paper=*/mlir::StringAttr(),
                                       builder.getStringAttr("The sum " + name + "."));
  objective.getBody().emplaceBlock();
  Composer composer(objective, find);
  for (const ExpressionTerm& term : terms)
    if (failed(composer.add(term))) return failure();
  composer.finish(location);
  return module;
}

}  // namespace alidade::pref
