// Classes that the operations of all groups share.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFOPBASE_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFOPBASE_TD_

include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "compiler/dialect/pref/PrefInterfaces.td"
include "compiler/dialect/pref/PrefTypes.td"

class Pref_Op<string mnemonic, list<Trait> traits = []> : Op<Pref_Dialect, mnemonic, traits>;

// An operation with one result whose axes follow from operands and attributes. `custom<Inferred>` reads and prints
// nothing: it marks the types that the enclosing objective infers.
class Pref_TermOp<string mnemonic, list<Trait> traits = []> : Pref_Op<mnemonic, traits # [
    HasParent<"ObjectiveOp">,
    InferTypeOpAdaptor,
    DeclareOpInterfaceMethods<Pref_TermOpInterface>,
  ]> {
  let results = (outs Pref_Value:$result);
}

// An operation that is a formula of others. It has no pullback: pref-differentiate wants it expanded, or reports it
// where it is value-only.
class Pref_CompositeOp<string mnemonic, string crossed, list<Trait> traits = []> : Pref_TermOp<mnemonic, [
    Pure, DeclareOpInterfaceMethods<Pref_CompositeOpInterface>,
    DeclareOpInterfaceMethods<Pref_TermOpInterface, ["getCrossedAxis"]>] # traits> {
  let extraClassDefinition = [{
    std::optional<::alidade::pref::AxisKind> $cppClass::getCrossedAxis() { return }] # crossed # [{; }
    void $cppClass::buildVjp(::mlir::OpBuilder &, ::mlir::Value, ::llvm::ArrayRef<bool>,
                             ::llvm::MutableArrayRef<::mlir::Value>) {}
  }];
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFOPBASE_TD_
