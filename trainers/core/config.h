// Checks of the settings that stages share. Messages name field, expected and got; `field` is the
// path of the checked message in its config ("loop").
#ifndef ALIDADE_TRAINERS_CORE_CONFIG_H_
#define ALIDADE_TRAINERS_CORE_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tensor/named_tensors.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "trainers/core/training.pb.h"

namespace alidade::trainers {

// Every number in its range, and a length.
absl::Status ValidateLoop(const LoopConfig& config, absl::string_view field);

// At least one group; names unique and [a-z_]+; kinds unique; batch sizes and weights positive.
absl::Status ValidateGroups(const google::protobuf::RepeatedPtrField<RecordGroup>& groups,
                            absl::string_view field);

// The records of each group: rows into `kinds`. Errors: a kind that no group takes (with the
// groups' kinds), a group without records.
absl::StatusOr<std::vector<std::vector<int64_t>>> AssignToGroups(
    const google::protobuf::RepeatedPtrField<RecordGroup>& groups, absl::string_view field,
    const std::vector<std::string>& kinds);

// The parameters that train: all but those whose name starts with a prefix of `frozen`. Errors: a
// prefix that fits no parameter (with the nearest name), nothing left.
absl::StatusOr<NamedTensors> TrainedParameters(
    const NamedTensors& parameters, const google::protobuf::RepeatedPtrField<std::string>& frozen);

// Sets requires_grad on the trained parameters and clears it on the others.
void MarkTrained(const NamedTensors& parameters, const NamedTensors& trained);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CORE_CONFIG_H_
