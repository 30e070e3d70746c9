// Definitions of objectives by name, parsed once.

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "mlir/Parser/Parser.h"

#include "compiler/dialect/pref/ObjectiveInfo.h"
#include "compiler/transforms/Compose/Compose.h"

namespace alidade::pref {

using mlir::failure;

ObjectiveResolver neighboursOf(const std::string& path) {
  std::string folder = llvm::sys::path::parent_path(path).str();
  if (folder.empty()) folder = ".";
  std::string above = folder + "/..";
  ObjectiveResolver resolver;
  resolver.definition = [=](llvm::StringRef name) -> std::optional<std::string> {
    if (!llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; }))
      return std::nullopt;
    for (const std::string& file : {folder + "/" + name.str() + ".mlir",
                                    above + "/" + name.str() + "/" + name.str() + ".mlir"})
      if (auto buffer = llvm::MemoryBuffer::getFile(file, /*IsText=*/true))
        return (*buffer)->getBuffer().str();
    return std::nullopt;
  };
  std::error_code error;
  for (llvm::sys::fs::directory_iterator it(above, error), end; it != end && !error;
       it.increment(error)) {
    std::string name = llvm::sys::path::filename(it->path()).str();
    if (llvm::sys::fs::exists(it->path() + "/" + name + ".mlir")) resolver.names.push_back(name);
  }
  for (llvm::sys::fs::directory_iterator it(folder, error), end; it != end && !error;
       it.increment(error))
    if (llvm::sys::path::extension(it->path()) == ".mlir")
      resolver.names.push_back(llvm::sys::path::stem(it->path()).str());
  llvm::sort(resolver.names);
  resolver.names.erase(std::unique(resolver.names.begin(), resolver.names.end()),
                       resolver.names.end());
  return resolver;
}

mlir::LogicalResult refuseUnknownObjective(llvm::StringRef name,
                                           llvm::ArrayRef<llvm::StringRef> names,
                                           mlir::Location where) {
  return mlir::emitError(where) << "no objective is named @" << name << ": expected "
                                << (names.empty() ? "none" : "one of " + llvm::join(names, ", "))
                                << didYouMean(name, names);
}

mlir::LogicalResult checkDefinition(mlir::ModuleOp module, llvm::StringRef fileName) {
  auto objectives = module.getOps<ObjectiveOp>();
  ObjectiveOp objective = objectives.empty() ? ObjectiveOp() : *objectives.begin();
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
  return mlir::success();
}

mlir::FailureOr<ObjectiveOp> ObjectiveLibrary::find(llvm::StringRef name, mlir::Location where) {
  auto known = modules.find(name);
  if (known != modules.end()) return *known->second->getOps<ObjectiveOp>().begin();
  std::optional<std::string> text;
  if (resolver.definition) text = resolver.definition(name);
  if (!text) {
    llvm::SmallVector<llvm::StringRef> names(resolver.names.begin(), resolver.names.end());
    return refuseUnknownObjective(name, names, where);
  }
  std::string fileName = name.str() + ".mlir";
  auto module = mlir::parseSourceString<mlir::ModuleOp>(*text, &context, fileName);
  if (!module || failed(checkDefinition(*module, fileName)))
    return mlir::emitError(where) << "the definition of @" << name << " is not valid";
  return *(modules[name] = std::move(module))->getOps<ObjectiveOp>().begin();
}

}  // namespace alidade::pref
