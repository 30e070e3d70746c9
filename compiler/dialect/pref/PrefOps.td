// All operations of the dialect.

#ifndef ALIDADE_COMPILER_DIALECT_PREF_PREFOPS_TD_
#define ALIDADE_COMPILER_DIALECT_PREF_PREFOPS_TD_

include "compiler/dialect/pref/PrefBatchOps.td"
include "compiler/dialect/pref/PrefCompositionOps.td"
include "compiler/dialect/pref/PrefElementwiseOps.td"
include "compiler/dialect/pref/PrefLeafOps.td"
include "compiler/dialect/pref/PrefReductionOps.td"
include "compiler/dialect/pref/PrefStructureOps.td"
include "compiler/dialect/pref/PrefTokenOps.td"
include "compiler/dialect/pref/PrefVocabularyOps.td"

#endif  // ALIDADE_COMPILER_DIALECT_PREF_PREFOPS_TD_
