// The code that TableGen writes for the operations.

#include "compiler/dialect/pref/Pref.h"

#include "mlir/IR/Builders.h"

#include "compiler/dialect/pref/CrossPoint.h"
#include "compiler/dialect/pref/OpSupport.h"

#include "compiler/dialect/pref/PrefInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "compiler/dialect/pref/PrefOps.cpp.inc"
