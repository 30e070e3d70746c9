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

#define ALIDADE_ABI_VERSION 2

// Sizes of the arrays below. An objective that exceeds one is a compile error
// at the operation that does.
#define ALIDADE_MAX_READS 32
#define ALIDADE_MAX_ROW_READS 8
#define ALIDADE_MAX_AXES 8
#define ALIDADE_MAX_INPUTS 16
#define ALIDADE_MAX_HYPERPARAMETERS 32

// Arguments of the scalar block: everything of an objective except its
// vocabulary reads. One self-contained struct, so that a GPU kernel takes it by
// value (every pointer is then a device pointer). Nothing may alias a result.
// M is the number of points of the axis that a value lies on.
typedef struct {
  // One packed array [M] per vocabulary read, in signature order.
  const float* reads[ALIDADE_MAX_READS];
  // One array per axis, in signature order: the points of parent point p are
  // offsets[axis][p] .. offsets[axis][p + 1] - 1; the parent is a row, or for
  // the tokens of members a member.
  const int64_t* offsets[ALIDADE_MAX_AXES];
  // One packed array [M] per data input, in signature order.
  const float* inputs[ALIDADE_MAX_INPUTS];
  // One packed array [M] per read with gradient, in signature order: d loss /
  // d read, written for the points of the rows asked for. Null: not computed.
  float* cotangents[ALIDADE_MAX_READS];
  // In signature order.
  float hyperparameters[ALIDADE_MAX_HYPERPARAMETERS];
  // One number per state, in signature order: at the start of the step, and as
  // the step leaves it. A null new_state is not written.
  const double* state;
  double* new_state;
  // What `known` computed over the whole batch: known_fixed + known_per_row *
  // num_rows + the sum of known_per_axis * points of the axis in the batch.
  double* known;
  // [0] the loss, then the metrics in signature order. Never null.
  float* results;
  // Rows [row_begin, row_end) are worked on; num_rows is the row count of the
  // whole batch, which is what a mean over rows divides by. Cotangents of a
  // chunk are those of the batch wherever no cotangent depends on another
  // row's unknown value; results and new state of a chunk are those of the
  // batch only for the full range.
  int64_t row_begin;
  int64_t row_end;
  int64_t num_rows;
  // scratch_fixed + scratch_per_row * (row_end - row_begin) + the sum of
  // scratch_per_axis * points of the axis in these rows. Contents before and
  // after a call mean nothing. May be null when that count is zero.
  double* scratch;
  // Sums `count` values over all ranks, in place; called in the same order on
  // every rank. CPU only; null: one rank.
  void (*all_reduce)(void* context, double* values, int64_t count);
  void* context;
} AlidadeScalarArgs;

typedef void (*AlidadeScalarFn)(const AlidadeScalarArgs*);

// Threads per block of the GPU kernels; the launcher uses exactly these.
#define ALIDADE_GPU_ROW_THREADS 512
#define ALIDADE_GPU_SCALAR_THREADS 256

// Modes of a row kernel. READ: reads only; the logits stay as they are.
// UNSCALED: reads, and each row of logits becomes the gradient of the program's
// one read with gradient (separable programs only). SCALED: each row becomes
// d loss / d logits from `cotangents`; reads too, where not null.
#define ALIDADE_ROWS_READ 0
#define ALIDADE_ROWS_UNSCALED 1
#define ALIDADE_ROWS_SCALED 2

// Arguments of the row kernel of one row program (the reads of a distribution).
// The kernel sees x = inverse_temperature * cap(z + bias), cap(t) = soft_cap *
// tanh(t / soft_cap), or t where soft_cap is 0; gradients are with respect to z.
// A NaN in a row gives NaN reads. Calls on disjoint rows may run concurrently.
typedef struct {
  // [rows, vocab] f32 (bf16 for the GPU kernels named so), row i begins at
  // logits + i * stride.
  float* logits;
  int64_t rows, vocab, stride;
  // Logits of the partner distribution at the same tokens, read only; null
  // for a program without partner.
  const float* partner;
  int64_t partner_stride;
  // [rows], each in [0, vocab).
  const int64_t* labels;
  // Per program read in order: the token of an *_at read, an exact integer
  // [rows]; null for other reads.
  const float* indexes[ALIDADE_MAX_ROW_READS];
  // Factor g of logprob_mix.
  float scale;
  // Per program read in order: [rows] out; null: not wanted.
  float* reads[ALIDADE_MAX_ROW_READS];
  // ALIDADE_ROWS_SCALED: d loss / d read per program read with gradient, in
  // order: [rows].
  const float* cotangents[ALIDADE_MAX_ROW_READS];
  // [vocab], or null.
  const float* bias;
  float inverse_temperature, soft_cap;
  // The same for the partner's logits.
  const float* partner_bias;
  float partner_inverse_temperature, partner_soft_cap;
  int32_t mode;
} AlidadeRowArgs;

typedef void (*AlidadeRowFn)(const AlidadeRowArgs*);

typedef struct {
  const char* cpu; /* "x86-64-v3" | "x86-64-v4" */
  // One kernel per row program, in signature order.
  const AlidadeRowFn* rows;
  // Fills args->known over the whole batch from what carries no gradient; null
  // where nothing is known so. row_begin is 0 and row_end is num_rows.
  AlidadeScalarFn known;
  AlidadeScalarFn scalars;
} AlidadeVariant;

// What one compiled objective consists of. The GPU texts hold the kernels
//   alidade_rows_<program>, alidade_rows_<program>_bf16 (AlidadeRowArgs)
//     one block per row (grid x = rows) of ALIDADE_GPU_ROW_THREADS;
//   alidade_known, alidade_scalars (AlidadeScalarArgs)
//     one block of ALIDADE_GPU_SCALAR_THREADS.
// Each takes its struct by value.
// Pointers are null (cubin_bytes 0) for what was not built.
typedef struct {
  uint32_t abi_version;
  const char* name;
  const char* signature_json;
  // Text of the definition, for composition with other objectives.
  const char* definition;
  // Doubles of AlidadeScalarArgs::scratch and ::known.
  uint64_t scratch_fixed, scratch_per_row, scratch_per_axis[ALIDADE_MAX_AXES];
  uint64_t known_fixed, known_per_row, known_per_axis[ALIDADE_MAX_AXES];
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
