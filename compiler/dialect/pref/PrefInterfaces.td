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
        True when no gradient passes from the result, which is a piecewise constant of its operands or wanted for its value
        alone: a gradient that arrives is a mistake.
      }],
      "bool", "isValueOnly", (ins), /*methodBody=*/"", /*defaultImplementation=*/"return false;">,
    InterfaceMethod<[{
        Which constraint forbids a gradient to one operand, such as "(C3) no gradient passes to the decay"; empty where
        none does.
      }],
      "::llvm::StringRef", "whyNoGradient", (ins "unsigned":$operand), /*methodBody=*/"",
      /*defaultImplementation=*/"return {};">,
    InterfaceMethod<[{
        The axis whose points meet in one point of the result: of a reduction, a sort or a scan the one that it runs over.
        None where a point of the result depends on the operands' values at this point and at those it lies below alone.
      }],
      "std::optional<::alidade::pref::AxisKind>", "getCrossedAxis", (ins), /*methodBody=*/"",
      /*defaultImplementation=*/"return std::nullopt;">,
    InterfaceMethod<"True when the rows of all ranks meet in the result.",
      "bool", "crossesRanks", (ins), /*methodBody=*/"", /*defaultImplementation=*/"return false;">,
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

def Pref_CompositeOpInterface : OpInterface<"CompositeOpInterface"> {
  let cppNamespace = "::alidade::pref";
  let description = [{
    A term that is a formula of other terms. `pref-expand-composites` replaces it before differentiation, or after where
    no gradient passes; `evaluate` computes it directly, so that the two can be compared.
  }];
  let methods = [
    InterfaceMethod<"The formula, built before the operation out of its operands: no composites.",
      "::mlir::Value", "expand", (ins "::mlir::OpBuilder &":$builder)>,
  ];
}

def Pref_VocabularyOpInterface : OpInterface<"VocabularyOpInterface"> {
  let cppNamespace = "::alidade::pref";
  let description = [{
    A term that reads one number per scored token from the next-token distribution there: the only way from logits into
    an objective, and what a row kernel computes. Its operands name a token or a factor; no gradient passes to them.
  }];
  let methods = [
    InterfaceMethod<"Whose row kernel computes it, and to whose logits its gradient goes.",
      "::alidade::pref::DistributionAttr", "getDistribution">,
    InterfaceMethod<"The distribution over the same tokens that is read beside it; null for most.",
      "::alidade::pref::DistributionAttr", "getPartner">,
    InterfaceMethod<"The token, in place of the scored one; null for most.", "::mlir::Value", "getIndex">,
    InterfaceMethod<"The factor of a mixture; null for most.", "::mlir::Value", "getScale">,
    InterfaceMethod<"Said not to carry a gradient.", "bool", "getDetached">,
    InterfaceMethod<"A gradient can pass from it to the logits, and does as it is written.", "bool", "hasGradient">,
    InterfaceMethod<"Name of the operation in signatures and row programs: `logprob`, `kl_from`.",
      "::llvm::StringRef", "getReadName">,
  ];
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFINTERFACES_TD_
