#include "trainers/core/data_order.h"

#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/provenance/random_stream.h"

namespace alidade::trainers {

DataOrder::DataOrder(uint64_t seed, std::vector<DataGroup> groups)
    : seed_(seed), groups_(std::move(groups)), epochs_(groups_.size()) {}

const std::vector<int64_t>& DataOrder::Order(int64_t group, int64_t epoch) {
  Epoch& current = epochs_[group];
  if (current.number != epoch) {
    current.number = epoch;
    current.order.resize(groups_[group].size);
    std::iota(current.order.begin(), current.order.end(), int64_t{0});
    RandomStream stream(seed_, absl::StrCat("data/", groups_[group].name, "/epoch/", epoch));
    stream.Shuffle(current.order);
  }
  return current.order;
}

std::vector<int64_t> DataOrder::Rows(int64_t group, int64_t step) {
  const DataGroup& info = groups_[group];
  std::vector<int64_t> rows;
  for (int64_t position = step * info.batch_size; position < (step + 1) * info.batch_size;
       ++position) {
    rows.push_back(Order(group, position / info.size)[position % info.size]);
  }
  return rows;
}

}  // namespace alidade::trainers
