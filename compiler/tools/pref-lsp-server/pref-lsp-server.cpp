// Serves editors that speak the language server protocol: errors while typing, what a value is,
// where it comes from.

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Support/LogicalResult.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

#include "compiler/dialect/pref/Pref.h"

int main(int argc, char** argv) {
  mlir::DialectRegistry registry;
  registry.insert<alidade::pref::PrefDialect>();
  return mlir::succeeded(mlir::MlirLspServerMain(argc, argv, registry)) ? 0 : 1;
}
