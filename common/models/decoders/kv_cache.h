// Keys and values of the positions that a decoder has seen, for a left-padded batch.
#ifndef ALIDADE_COMMON_MODELS_DECODERS_KV_CACHE_H_
#define ALIDADE_COMMON_MODELS_DECODERS_KV_CACHE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"
#include "common/models/config.h"

namespace alidade::models {

class KvCache {
 public:
  // padding [B] i64: how many columns at the left of each row hold nothing. capacity: columns in
  // all.
  KvCache(const TextConfig& config, const at::Tensor& padding, int64_t capacity);

  int64_t rows() const { return padding_.size(0); }
  int64_t length() const { return length_; }
  int64_t capacity() const { return capacity_; }
  const at::Tensor& padding() const { return padding_; }

  // Stores k and v [kv heads, B, T, d] at the columns from length() on and returns all columns up
  // to theirs. Every layer does so, then Advance(T) is called once.
  std::pair<at::Tensor, at::Tensor> Append(int64_t layer, const at::Tensor& k, const at::Tensor& v);
  void Advance(int64_t columns) { length_ += columns; }

  // Keeps these rows only: indices [B'] i64.
  void SelectRows(const at::Tensor& indices);

 private:
  std::vector<at::Tensor> keys_, values_;  // per layer [kv heads, B, capacity, d]
  at::Tensor padding_;
  int64_t capacity_;
  int64_t length_ = 0;
};

}  // namespace alidade::models

#endif  // ALIDADE_COMMON_MODELS_DECODERS_KV_CACHE_H_
