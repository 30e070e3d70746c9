// The dialect, its enumerations and the kinds of axes.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFBASE_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFBASE_TD_

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Pref_Dialect : Dialect {
  let name = "pref";
  let cppNamespace = "::alidade::pref";
  let summary = "preference objectives over token log-probabilities";
  let description = [{
    An objective is a formula that maps numbers read from the next-token distributions of a few scored responses to one
    loss. The dialect holds that formula and nothing else: no logits, no model, no kernel. Every value lives on axes, which are part of its
    type; values combine only by prefix broadcasting, and reductions name their axis and their normaliser.

    Every operation that computes a value says how to differentiate it and how to evaluate it in double precision, so
    that a derivative is an objective again and both can be executed by the interpreter.

    Types of results are inferred while an objective is parsed; the assembly never spells them.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasCanonicalizer = 1;
}

class Pref_Enum<string name, string what, list<I32EnumAttrCase> cases> : I32EnumAttr<name, what, cases> {
  let cppNamespace = "::alidade::pref";
  let genSpecializedAttr = 0;
}

class Pref_EnumAttr<EnumAttrInfo info, string name> : EnumAttr<Pref_Dialect, info, name> {
  let assemblyFormat = "$value";
}

def Pref_ModelRole : Pref_Enum<"ModelRole", "whose probabilities", [
  I32EnumAttrCase<"Policy", 0, "policy">,
  I32EnumAttrCase<"Reference", 1, "reference">,
  I32EnumAttrCase<"OldPolicy", 2, "old_policy">,
]>;

def Pref_ResponseRole : Pref_Enum<"ResponseRole", "which response of the example", [
  I32EnumAttrCase<"Chosen", 0, "chosen">,
  I32EnumAttrCase<"Rejected", 1, "rejected">,
  I32EnumAttrCase<"Response", 2, "response">,
  I32EnumAttrCase<"Mismatched", 3, "mismatched">,
  I32EnumAttrCase<"Member", 4, "member">,
]>;

def Pref_View : Pref_Enum<"View", "what the model sees of the visual input", [
  I32EnumAttrCase<"Clean", 0, "clean">,
  I32EnumAttrCase<"Corrupted", 1, "corrupted">,
  I32EnumAttrCase<"Retrieved", 2, "retrieved">,
  I32EnumAttrCase<"Blank", 3, "blank">,
  I32EnumAttrCase<"Adversarial", 4, "adversarial">,
]>;

def Pref_AxisKind : Pref_Enum<"AxisKind", "what an axis counts", [
  I32EnumAttrCase<"Row", 0, "row">,
  I32EnumAttrCase<"Token", 1, "token">,
  I32EnumAttrCase<"Member", 2, "member">,
  I32EnumAttrCase<"Segment", 3, "segment">,
  I32EnumAttrCase<"Pair", 4, "pair">,
]>;
def Pref_AxisKindAttr : Pref_EnumAttr<Pref_AxisKind, "axis_kind">;

def Pref_PairSide : Pref_Enum<"PairSide", "which member of a pair", [
  I32EnumAttrCase<"First", 0, "first">,
  I32EnumAttrCase<"Second", 1, "second">,
]>;
def Pref_PairSideAttr : Pref_EnumAttr<Pref_PairSide, "pair_side">;

def Pref_Predicate : Pref_Enum<"Predicate", "order of two numbers", [
  I32EnumAttrCase<"Eq", 0, "eq">,
  I32EnumAttrCase<"Ne", 1, "ne">,
  I32EnumAttrCase<"Lt", 2, "lt">,
  I32EnumAttrCase<"Le", 3, "le">,
  I32EnumAttrCase<"Gt", 4, "gt">,
  I32EnumAttrCase<"Ge", 5, "ge">,
]>;
def Pref_PredicateAttr : Pref_EnumAttr<Pref_Predicate, "predicate">;

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFBASE_TD_
