// Element-wise operations. An operation is one definition of a few lines: what it is, its function in double
// precision (of args `x`, or `a` and `b`) and its pullback (of the cotangent `g`, the operands and the result `y`), in
// terms of the TermBuilder `t`.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFELEMENTWISEOPS_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFELEMENTWISEOPS_TD_

include "compiler/dialect/pref/PrefOpBase.td"

// Constraint of all: (C1) the axes of one operand are a prefix of the axes of the other.
// `operands` is how an author writes them.
class Pref_ElementwiseOp<string mnemonic, string what, string formula, string operands, string definitions,
                         list<Trait> traits = []>
    : Pref_TermOp<mnemonic, [Pure, DeclareOpInterfaceMethods<Pref_ElementwiseOpInterface>] # traits> {
  let summary = what;
  let description = "\n    `" # formula # [{`

    ```mlir
    %y = pref.}] # mnemonic # " " # operands # [{
    ```

    - (C1) of any two operands, the axes of one are a prefix of the axes of the other
  }];
  let hasFolder = 1;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::inferReturnTypes(
        ::mlir::MLIRContext *context, std::optional<::mlir::Location> location, Adaptor adaptor,
        ::llvm::SmallVectorImpl<::mlir::Type> &inferred) {
      return inferElementwiseType(context, location, getOperationName(), adaptor.getOperands(), inferred);
    }
    ::mlir::OpFoldResult $cppClass::fold(FoldAdaptor adaptor) {
      return foldElementwise(*this, adaptor.getOperands());
    }
    ::alidade::pref::RealTensor $cppClass::evaluate(
        ::llvm::ArrayRef<const ::alidade::pref::RealTensor *> operands,
        const ::alidade::pref::EvaluationContext &context) {
      return evaluateElementwise(*this, operands, context);
    }
  }] # definitions;
}

class Pref_UnaryOp<string mnemonic, string what, string formula, string point, string pullback, list<Trait> traits = []>
    : Pref_ElementwiseOp<mnemonic, what, formula, "%x", [{
    double $cppClass::evaluatePoint(::llvm::ArrayRef<double> args) {
      double x = args[0];
      return }] # point # [{;
    }
    void $cppClass::buildVjp(::mlir::OpBuilder &builder, ::mlir::Value g, ::llvm::ArrayRef<bool> active,
                             ::llvm::MutableArrayRef<::mlir::Value> pulled) {
      TermBuilder t(builder, getLoc());
      ::mlir::Value x = getX(), y = getResult();
      (void)x, (void)y;
      if (active[0]) pulled[0] = }] # pullback # [{;
    }
  }], traits> {
  let arguments = (ins Pref_Value:$x);
  let assemblyFormat = "$x attr-dict `` custom<Inferred>(type($x), type($result))";
}

class Pref_BinaryOp<string mnemonic, string what, string formula, string point, string pullback_a, string pullback_b,
                    list<Trait> traits = []>
    : Pref_ElementwiseOp<mnemonic, what, formula, "%a, %b", [{
    double $cppClass::evaluatePoint(::llvm::ArrayRef<double> args) {
      double a = args[0], b = args[1];
      return }] # point # [{;
    }
    void $cppClass::buildVjp(::mlir::OpBuilder &builder, ::mlir::Value g, ::llvm::ArrayRef<bool> active,
                             ::llvm::MutableArrayRef<::mlir::Value> pulled) {
      TermBuilder t(builder, getLoc());
      ::mlir::Value a = getLhs(), b = getRhs(), y = getResult();
      (void)a, (void)b, (void)y;
      if (active[0]) pulled[0] = }] # pullback_a # [{;
      if (active[1]) pulled[1] = }] # pullback_b # [{;
    }
  }], traits> {
  let arguments = (ins Pref_Value:$lhs, Pref_Value:$rhs);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `` custom<Inferred>(type($lhs), type($rhs), type($result))";
}

//===--- one operand ---===//

def Pref_NegOp : Pref_UnaryOp<"neg", "negation", "-x", "-x", "t.neg(g)">;
def Pref_AbsOp : Pref_UnaryOp<"abs", "absolute value; its derivative at 0 is 0", "|x|", "std::fabs(x)",
    "t.mul(g, t.sign(x))">;
def Pref_SquareOp : Pref_UnaryOp<"square", "square", "x * x", "x * x", "t.mul(g, t.mul(t.constant(2), x))">;
def Pref_SqrtOp : Pref_UnaryOp<"sqrt", "square root; nan below 0, infinite derivative at 0", "sqrt(x)", "std::sqrt(x)",
    "t.div(g, t.mul(t.constant(2), y))">;
def Pref_ExpOp : Pref_UnaryOp<"exp", "exponential; inf beyond the largest exponent", "exp(x)", "std::exp(x)",
    "t.mul(g, y)">;
def Pref_LogOp : Pref_UnaryOp<"log", "natural logarithm; -inf at 0, nan below", "log(x)", "std::log(x)", "t.div(g, x)">;
def Pref_Log1pOp : Pref_UnaryOp<"log1p", "logarithm of 1 + x, accurate near 0; -inf at -1, nan below", "log(1 + x)",
    "std::log1p(x)", "t.div(g, t.add(t.constant(1), x))">;
def Pref_Expm1Op : Pref_UnaryOp<"expm1", "exp(x) - 1, accurate near 0", "exp(x) - 1", "std::expm1(x)",
    "t.mul(g, t.exp(x))">;
def Pref_SigmoidOp : Pref_UnaryOp<"sigmoid", "logistic function; 0 and 1 at the far ends, never nan", "1 / (1 + exp(-x))",
    "stableSigmoid(x)", "t.mul(g, t.mul(y, t.sigmoid(t.neg(x))))">;
def Pref_LogSigmoidOp : Pref_UnaryOp<"log_sigmoid",
    "logarithm of the logistic function; equals x far below 0 and 0 far above, never inf or nan for finite x",
    "min(x, 0) - log(1 + exp(-|x|))", "std::fmin(x, 0) - std::log1p(std::exp(-std::fabs(x)))",
    "t.mul(g, t.sigmoid(t.neg(x)))">;
def Pref_SoftplusOp : Pref_UnaryOp<"softplus", "equals x far above 0 and 0 far below, never inf or nan for finite x",
    "max(x, 0) + log(1 + exp(-|x|))", "std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)))",
    "t.mul(g, t.sigmoid(x))">;
def Pref_Log1mExpOp : Pref_UnaryOp<"log1mexp",
    "logarithm of 1 - exp(x) for x < 0, accurate near 0 and far below; -inf at 0, nan above", "log(1 - exp(x))",
    "x > -0.6931471805599453 ? std::log(-std::expm1(x)) : std::log1p(-std::exp(x))",
    "t.neg(t.div(g, t.expm1(t.neg(x))))">;
def Pref_ReluOp : Pref_UnaryOp<"relu", "positive part; its derivative at 0 is 0", "max(x, 0)", "x > 0 ? x : 0",
    "t.mul(g, t.compare(Predicate::Gt, x, t.constant(0)))">;
def Pref_SignOp : Pref_UnaryOp<"sign", "-1, 0 or 1; no gradient passes", "sign(x)", "(x > 0) - (x < 0)", "{}",
    [DeclareOpInterfaceMethods<Pref_TermOpInterface, ["isValueOnly"]>]>;
def Pref_StopGradientOp : Pref_UnaryOp<"stop_gradient", "the operand as a value: no gradient passes", "x", "x", "{}">;

//===--- two operands ---===//

def Pref_AddOp : Pref_BinaryOp<"add", "sum", "a + b", "a + b", "g", "g", [Commutative]>;
def Pref_SubOp : Pref_BinaryOp<"sub", "difference", "a - b", "a - b", "g", "t.neg(g)">;
def Pref_MulOp : Pref_BinaryOp<"mul", "product", "a * b", "a * b", "t.mul(g, b)", "t.mul(g, a)", [Commutative]>;
def Pref_DivOp : Pref_BinaryOp<"div", "quotient; x / 0 is inf or nan", "a / b", "a / b", "t.div(g, b)",
    "t.neg(t.div(t.mul(g, y), b))">;
def Pref_MinOp : Pref_BinaryOp<"min", "the smaller; of equals, a receives the gradient", "min(a, b)", "b < a ? b : a",
    "t.mul(g, t.compare(Predicate::Le, a, b))", "t.mul(g, t.compare(Predicate::Lt, b, a))">;
def Pref_MaxOp : Pref_BinaryOp<"max", "the larger; of equals, a receives the gradient", "max(a, b)", "b > a ? b : a",
    "t.mul(g, t.compare(Predicate::Ge, a, b))", "t.mul(g, t.compare(Predicate::Gt, b, a))">;
def Pref_PowOp : Pref_BinaryOp<"pow",
    "power as IEEE 754 defines pow; a gradient by the exponent needs a > 0", "a ^ b", "std::pow(a, b)",
    "t.mul(g, t.mul(b, t.pow(a, t.sub(b, t.constant(1)))))", "t.mul(g, t.mul(y, t.log(a)))">;
def Pref_LogAddExpOp : Pref_BinaryOp<"logaddexp", "logarithm of a sum of exponentials, without overflow",
    "log(exp(a) + exp(b))",
    "a == b ? a + std::log(2.0) : std::fmax(a, b) + std::log1p(std::exp(-std::fabs(a - b)))",
    "t.mul(g, t.sigmoid(t.sub(a, b)))", "t.mul(g, t.sigmoid(t.sub(b, a)))", [Commutative]>;

//===--- others ---===//

def Pref_CompareOp : Pref_ElementwiseOp<"compare", "1 where the predicate holds, else 0; no gradient passes",
    "a <predicate> b ? 1 : 0", "gt %a, %b", "", [DeclareOpInterfaceMethods<Pref_TermOpInterface, ["isValueOnly"]>]> {
  let arguments = (ins Pref_PredicateAttr:$predicate, Pref_Value:$lhs, Pref_Value:$rhs);
  let assemblyFormat = [{
    custom<Predicate>($predicate) $lhs `,` $rhs attr-dict ``
    custom<Inferred>(type($lhs), type($rhs), type($result))
  }];
}

def Pref_WhereOp : Pref_ElementwiseOp<"where",
    "one of two values, chosen by a condition; no gradient passes to the condition", "condition != 0 ? a : b",
    "%condition, %a, %b", ""> {
  let arguments = (ins Pref_Value:$condition, Pref_Value:$lhs, Pref_Value:$rhs);
  let assemblyFormat = [{
    $condition `,` $lhs `,` $rhs attr-dict `` custom<Inferred>(type($condition), type($lhs), type($rhs), type($result))
  }];
}

def Pref_ClampOp : Pref_ElementwiseOp<"clamp",
    "the nearest value in a range; the operand keeps its gradient inside the range and on its ends",
    "min(max(x, low), high)", "%x, %low, %high", ""> {
  let arguments = (ins Pref_Value:$x, Pref_Value:$low, Pref_Value:$high);
  let assemblyFormat = [{
    $x `,` $low `,` $high attr-dict `` custom<Inferred>(type($x), type($low), type($high), type($result))
  }];
}

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFELEMENTWISEOPS_TD_
