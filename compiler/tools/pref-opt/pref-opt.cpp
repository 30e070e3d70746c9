// Runs passes over objectives, for tests and for the curious: pref-opt --pref-differentiate
// --canonicalize dpo.mlir

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

#include "compiler/dialect/pref/Pref.h"
#include "compiler/transforms/AnalyzeCoupling/AnalyzeCoupling.h"
#include "compiler/transforms/Compose/Compose.h"
#include "compiler/transforms/Differentiate/Differentiate.h"
#include "compiler/transforms/ExpandComposites/ExpandComposites.h"
#include "compiler/transforms/ResolveOptions/ResolveOptions.h"

int main(int argc, char** argv) {
  mlir::DialectRegistry registry;
  registry.insert<alidade::pref::PrefDialect>();
  mlir::registerCanonicalizer();
  mlir::registerCSE();
  alidade::pref::registerAnalyzeCoupling();
  alidade::pref::registerDifferentiate();
  alidade::pref::registerExpandComposites();
  alidade::pref::registerInline();
  alidade::pref::registerResolveOptions();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "preference objectives\n", registry));
}
