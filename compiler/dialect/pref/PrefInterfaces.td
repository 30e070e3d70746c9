// What every operation that computes a value can do.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFINTERFACES_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFINTERFACES_TD_

include "mlir/IR/OpBase.td"

def Pref_TermOpInterface : OpInterface<"TermOpInterface"> {
  let cppNamespace = "::alidade::pref";
  let description = [{
    An operation that computes one value of an objective: it can be differentiated and it can be evaluated.
  }];
  let methods = [
    InterfaceMethod<[{
        The pullback of a cotangent. Appends nothing to `pulled` but fills it: pulled[i] is the product of `cotangent`
        (same axes as the result) with the partial derivative by operand i, or null where that is zero. pulled[i] may
        have more axes than operand i, which stands for its sum over them: the caller reduces. Only operands with
        active[i] need an entry.
      }],
      "void", "buildVjp",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Value":$cotangent, "::llvm::ArrayRef<bool>":$active,
           "::llvm::MutableArrayRef<::mlir::Value>":$pulled)>,
    InterfaceMethod<[{
        True when the result is a piecewise constant of its operands, so that a gradient through it is a mistake.
      }],
      "bool", "isValueOnly", (ins), /*methodBody=*/"", /*defaultImplementation=*/"return false;">,
    InterfaceMethod<[{
        The result in double precision, given the operands'.
      }],
      "::alidade::pref::RealTensor", "evaluate",
      (ins "::llvm::ArrayRef<const ::alidade::pref::RealTensor *>":$operands,
           "const ::alidade::pref::EvaluationContext &":$context)>,
  ];
}

def Pref_ElementwiseOpInterface : OpInterface<"ElementwiseOpInterface"> {
  let cppNamespace = "::alidade::pref";
  let description = [{
    A term whose result at a point is a function of its operands at that point. Operands with fewer axes are broadcast.
  }];
  let methods = [
    InterfaceMethod<"The function, in double precision; args in operand order.",
      "double", "evaluatePoint", (ins "::llvm::ArrayRef<double>":$args)>,
  ];
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFINTERFACES_TD_
