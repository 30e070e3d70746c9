// Operations that read distributions: one number per scored token each. z are the logits at the token, y the label that
// was scored, p = softmax(z), lse(z) = log sum exp z.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFVOCABULARYOPS_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFVOCABULARYOPS_TD_

include "compiler/dialect/pref/PrefOpBase.td"

// The result has the axes of the distribution's tokens.
class Pref_VocabularyOp<string mnemonic, list<Trait> traits = []> : Pref_TermOp<mnemonic, [
    Pure, Pref_VocabularyOpInterface, DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>] # traits> {
  let hasVerifier = 1;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::inferReturnTypes(
        ::mlir::MLIRContext *context, std::optional<::mlir::Location> location, Adaptor adaptor,
        ::llvm::SmallVectorImpl<::mlir::Type> &inferred) {
      inferred.push_back(typeOfRead(firstDistributionOf(adaptor)));
      return ::mlir::success();
    }
    ::alidade::pref::RealTensor $cppClass::evaluate(
        ::llvm::ArrayRef<const ::alidade::pref::RealTensor *>, const ::alidade::pref::EvaluationContext &context) {
      return evaluateRead(*this, context);
    }
    void $cppClass::buildVjp(::mlir::OpBuilder &, ::mlir::Value, ::llvm::ArrayRef<bool>,
                             ::llvm::MutableArrayRef<::mlir::Value>) {}
    void $cppClass::getAsmResultNames(::llvm::function_ref<void(::mlir::Value, ::llvm::StringRef)> setName) {
      setName(getResult(), nameOfRead(*this));
    }
  }];
}

// An operation on one distribution without operands.
class Pref_StatisticOp<string mnemonic, string what, string formula, string differentiable, list<Trait> traits = []>
    : Pref_VocabularyOp<mnemonic, traits> {
  let summary = what;
  let description = "\n    `" # formula # "`, per scored token. " # differentiable # [{

    - (C1) only a policy can be `detached`
  }];
  let arguments = (ins Pref_DistributionAttr:$distribution, UnitAttr:$detached);
  let assemblyFormat = [{
    custom<Distribution>($distribution) (`detached` $detached^)? attr-dict `` custom<Inferred>(type($result))
  }];
}

class Pref_ValueOnlyStatisticOp<string mnemonic, string what, string formula>
    : Pref_StatisticOp<mnemonic, what, formula,
        "Value-only: a gradient that arrives here is an error; say `detached` where only the value of a policy is wanted." #
        "\n\n    ```mlir\n    %s = pref." # mnemonic # " policy(chosen) detached\n    ```",
        [DeclareOpInterfaceMethods<Pref_TermOpInterface, ["isValueOnly"]>]> {
  let extraClassDeclaration = [{
    ::alidade::pref::DistributionAttr getPartner() { return {}; }
    ::mlir::Value getIndex() { return {}; }
    ::mlir::Value getScale() { return {}; }
    ::llvm::StringRef getReadName() { return "}] # mnemonic # [{"; }
    bool hasGradient() { return false; }
  }];
}

def Pref_LogProbOp : Pref_VocabularyOp<"logprob", [AttrSizedOperandSegments]> {
  let summary = "log-probability of every scored token of a response";
  let description = [{
    `z[y] - lse(z)` per scored token; with `at` that of a given token in place of `y`; with `mix E by g` under the
    distribution that contrasts two: `log softmax(g z - (g - 1) z_E)[y]` (V-DPO, arXiv:2411.02712). A policy's
    log-probability carries a gradient unless it is `detached`; no other model's does, nor does the distribution mixed in.
    The gradient by the logits of a weight w is `w (onehot - p)`, in a mixture `w g (onehot - p_mix)`.

    ```mlir
    %pw = pref.logprob policy(chosen)
    %pc = pref.logprob policy(chosen) on corrupted("crop") detached
    %best = pref.argmax reference(chosen)
    %pb = pref.logprob policy(chosen) at %best
    %pg = pref.logprob policy(chosen) mix reference(chosen) by %gamma
    ```

    - (C1) only a policy can be `detached`
    - (C2) the index is a `pref.input` or a `pref.argmax` and has the axes of the tokens
    - (C3) the distribution mixed in is another one, over the same response
    - (C4) the factor is a `pref.hyper` or a `pref.constant`
    - (C5) a mixture has no index
  }];
  let arguments = (ins Pref_DistributionAttr:$distribution, OptionalAttr<Pref_DistributionAttr>:$mixed,
                       Optional<Pref_Value>:$index, Optional<Pref_Value>:$scale, UnitAttr:$detached);
  let assemblyFormat = [{
    custom<Distribution>($distribution) `` custom<At>($index, type($index))
    `` custom<Mix>($mixed, $scale, type($scale)) (`detached` $detached^)? attr-dict `` custom<Inferred>(type($result))
  }];
  let extraClassDeclaration = [{
    ::alidade::pref::DistributionAttr getPartner() { return getMixedAttr(); }
    ::llvm::StringRef getReadName() { return getIndex() ? "logprob_at" : getPartner() ? "logprob_mix" : "logprob"; }
    // A policy read that is not detached.
    bool hasGradient();
  }];
}

def Pref_LogitOp : Pref_VocabularyOp<"logit"> {
  let summary = "logit of every scored token of a response";
  let description = [{
    `z[y]` per scored token; with `at` that of a given token. The gradient by the logits of a weight w is `w onehot`.

    ```mlir
    %z = pref.logit policy(chosen)
    %other = pref.logit policy(chosen) at %index
    ```

    - (C1) only a policy can be `detached`
    - (C2) the index is a `pref.input` or a `pref.argmax` and has the axes of the tokens
  }];
  let arguments = (ins Pref_DistributionAttr:$distribution, Optional<Pref_Value>:$index, UnitAttr:$detached);
  let assemblyFormat = [{
    custom<Distribution>($distribution) `` custom<At>($index, type($index)) (`detached` $detached^)?
    attr-dict `` custom<Inferred>(type($result))
  }];
  let extraClassDeclaration = [{
    ::alidade::pref::DistributionAttr getPartner() { return {}; }
    ::mlir::Value getScale() { return {}; }
    ::llvm::StringRef getReadName() { return getIndex() ? "logit_at" : "logit"; }
    bool hasGradient();
  }];
}

def Pref_EntropyOp : Pref_StatisticOp<"entropy", "entropy of every next-token distribution, in nats", "lse(z) - sum p z",
    "Its gradient by the logits is dense: `-w p (log p + entropy)`.\n\n    ```mlir\n    %h = pref.entropy policy(response)\n    ```"> {
  let extraClassDeclaration = [{
    ::alidade::pref::DistributionAttr getPartner() { return {}; }
    ::mlir::Value getIndex() { return {}; }
    ::mlir::Value getScale() { return {}; }
    ::llvm::StringRef getReadName() { return "entropy"; }
    bool hasGradient();
  }];
}

def Pref_CollisionOp : Pref_ValueOnlyStatisticOp<"collision",
    "log-probability that two draws from a next-token distribution agree", "lse(2 z) - 2 lse(z) = log sum p^2">;

def Pref_ArgmaxOp : Pref_ValueOnlyStatisticOp<"argmax", "the likeliest next token", "index of the largest z, first of equals">;

def Pref_KlOp : Pref_VocabularyOp<"kl"> {
  let summary = "Kullback-Leibler divergence of two next-token distributions";
  let description = [{
    `pref.kl A, B` is `sum_v p_A (log p_A - log p_B)` per scored token, over the whole vocabulary. Its gradient is dense and
    goes to one side, B if that is a policy, else A: the other side is taken as given.

    ```mlir
    %k = pref.kl reference(chosen), policy(chosen)      // [row, token(chosen)]
    ```

    - (C1) only the divergence of a policy can be `detached`
    - (C3) the two are different distributions over the same response
  }];
  let arguments = (ins Pref_DistributionAttr:$lhs, Pref_DistributionAttr:$rhs, UnitAttr:$detached);
  let assemblyFormat = [{
    custom<Distribution>($lhs) `,` custom<Distribution>($rhs) (`detached` $detached^)? attr-dict ``
    custom<Inferred>(type($result))
  }];
  let extraClassDeclaration = [{
    // B if that is a policy, or if none is; else A.
    ::alidade::pref::DistributionAttr getDistribution();
    ::alidade::pref::DistributionAttr getPartner();
    ::mlir::Value getIndex() { return {}; }
    ::mlir::Value getScale() { return {}; }
    ::llvm::StringRef getReadName() { return getDistribution() == getLhs() ? "kl_to" : "kl_from"; }
    bool hasGradient();
  }];
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFVOCABULARYOPS_TD_
