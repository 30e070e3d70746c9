// Which records a step trains on.
#ifndef ALIDADE_TRAINERS_CORE_DATA_ORDER_H_
#define ALIDADE_TRAINERS_CORE_DATA_ORDER_H_

#include <cstdint>
#include <string>
#include <vector>

namespace alidade::trainers {

// Records drawn together.
struct DataGroup {
  std::string name;
  int64_t size = 0;        // records, >= 1
  int64_t batch_size = 0;  // per step, >= 1
};

// Every group runs through its records epoch after epoch, each epoch in a new order drawn from the
// stream "data/<group>/epoch/<number>" of the seed. A batch may reach over the end of an epoch, so
// no record is dropped; a group smaller than its batch repeats records within a step. The rows of a
// step depend on the seed and the step alone, so a data position is a step number.
class DataOrder {
 public:
  DataOrder(uint64_t seed, std::vector<DataGroup> groups);

  const std::vector<DataGroup>& groups() const { return groups_; }
  // Rows of group `group` (an index into groups()) in step `step` (0 is the first), `batch_size` of
  // them.
  std::vector<int64_t> Rows(int64_t group, int64_t step);

 private:
  // The order of one epoch.
  const std::vector<int64_t>& Order(int64_t group, int64_t epoch);

  struct Epoch {
    int64_t number = -1;
    std::vector<int64_t> order;
  };
  uint64_t seed_;
  std::vector<DataGroup> groups_;
  std::vector<Epoch> epochs_;  // the one in use, per group
};

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_DATA_ORDER_H_
