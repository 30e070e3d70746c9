// Binary interface between generated code and the runtime that calls it.
//
// Plain C: the code generator writes these structs into object files field by
// field (compiler/target), ahead-of-time objects and the in-process JIT hand
// them to compiler/runtime. Any change of layout or meaning raises
// ALIDADE_ABI_VERSION; the runtime refuses a table of another version.

#ifndef ALIDADE_COMPILER_RUNTIME_ABI_H_
#define ALIDADE_COMPILER_RUNTIME_ABI_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ALIDADE_ABI_VERSION 1

// Arguments of the scalar block: everything of an objective except its
// vocabulary reads. B is the number of rows of the batch, M the number of
// packed scored tokens of one distribution. Nothing may alias a result.
typedef struct {
  // One packed array [M] per vocabulary read, in signature order.
  const float* const* reads;
  // One array [B + 1] per response role, in signature order: tokens of row i
  // of that role are offsets[role][i] .. offsets[role][i + 1] - 1.
  const int64_t* const* offsets;
  // In signature order.
  const float* hyperparameters;
  // One packed array [M] per read with gradient, in signature order: d loss /
  // d read, written for the tokens of the rows asked for. A null entry is not
  // computed.
  float* const* cotangents;
  // [0] the loss, then the metrics in signature order. Never null.
  float* results;
  // Rows [row_begin, row_end) are worked on; num_rows is the row count of the
  // whole batch, which is what a mean over rows divides by. Cotangents of a
  // chunk are those of the batch wherever no cotangent depends on another row;
  // the results of a chunk are those of the batch only for the full range.
  int64_t row_begin;
  int64_t row_end;
  int64_t num_rows;
  // scratch_floats_per_row * (row_end - row_begin) +
  // scratch_floats_per_token * (largest token count of a role in these rows)
  // floats; contents before and after a call mean nothing. May be null when
  // that count is zero.
  float* scratch;
} AlidadeScalarArgs;

typedef void (*AlidadeScalarFn)(const AlidadeScalarArgs*);

// Row kernel. logits [rows, vocab] f32, row i begins at logits + i * stride;
// labels [rows], each in [0, vocab); logp [rows] out: log softmax of the row at
// its label. gradient != 0: the row is overwritten by onehot(label) - softmax,
// unscaled; otherwise the logits stay as they are. A NaN in a row gives a NaN
// log-probability. Calls on disjoint rows may run concurrently.
typedef void (*AlidadeRowFn)(float* logits, int64_t rows, int64_t vocab, int64_t stride,
                             const int64_t* labels, float* logp, int32_t gradient);

typedef struct {
  const char* cpu; /* "x86-64-v3" | "x86-64-v4" */
  AlidadeRowFn rows;
  AlidadeScalarFn scalars;
} AlidadeVariant;

// What one compiled objective consists of. The GPU texts hold two kernels:
//   alidade_rows(logits, vocab i64, stride i64, labels, logp, gradient i32)
//     one block per row (grid x = rows), 512 threads;
//   alidade_scalars(AlidadeScalarArgs* in device memory)
//     one block of 256 threads; all pointers inside are device pointers.
// Pointers are null (cubin_bytes 0) for what was not built.
typedef struct {
  uint32_t abi_version;
  const char* name;
  const char* signature_json;
  uint64_t scratch_floats_per_row, scratch_floats_per_token;
  uint32_t num_variants;
  const AlidadeVariant* variants; /* most demanding CPU last */
  const char* ptx_sm80;
  const char* ptx_sm90a;
  const void* cubin_sm90a;
  uint64_t cubin_bytes;
} AlidadeObjectiveTable;

// Implemented by the runtime. Ahead-of-time objects call it from a constructor;
// an object for the JIT exports the table as `alidade_objective_table` instead.
// The table lives as long as the process.
void alidade_register_objective(const AlidadeObjectiveTable* table);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // ALIDADE_COMPILER_RUNTIME_ABI_H_
