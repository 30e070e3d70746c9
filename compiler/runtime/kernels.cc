#include "compiler/runtime/kernels.h"

#include <algorithm>

#include "ATen/Parallel.h"

namespace alidade::runtime {
namespace {

// Elements below which a loop over rows is not worth another thread.
constexpr int64_t kParallelElements = 1 << 14;

template <typename T>
void Advance(T*& pointer, int64_t elements) {
  if (pointer != nullptr) pointer += elements;
}

// Rows [begin, end) of `args`.
AlidadeRowArgs Slice(const AlidadeRowArgs& args, int64_t begin, int64_t end) {
  AlidadeRowArgs slice = args;
  slice.logits += begin * args.stride;
  slice.rows = end - begin;
  Advance(slice.partner, begin * args.partner_stride);
  Advance(slice.labels, begin);
  for (int i = 0; i < ALIDADE_MAX_ROW_READS; ++i) {
    Advance(slice.indexes[i], begin);
    Advance(slice.reads[i], begin);
    Advance(slice.cotangents[i], begin);
  }
  return slice;
}

}  // namespace

absl::Status CpuKernels::Rows(int64_t program, bool bf16, const AlidadeRowArgs& args) const {
  if (bf16) return absl::UnimplementedError("row kernels of the CPU read f32 logits, got bf16");
  const AlidadeRowFn rows = variant_->rows[program];
  const int64_t grain = std::max<int64_t>(1, kParallelElements / std::max<int64_t>(1, args.vocab));
  at::parallel_for(0, args.rows, grain, [&](int64_t begin, int64_t end) {
    const AlidadeRowArgs slice = Slice(args, begin, end);
    rows(&slice);
  });
  return absl::OkStatus();
}

absl::Status CpuKernels::Known(const AlidadeScalarArgs& args) const {
  variant_->known(&args);
  return absl::OkStatus();
}

absl::Status CpuKernels::Scalars(const AlidadeScalarArgs& args) const {
  variant_->scalars(&args);
  return absl::OkStatus();
}

}  // namespace alidade::runtime
