// Reading the configuration of a command.
#ifndef ALIDADE_TRAINERS_CLI_REQUEST_FILE_H_
#define ALIDADE_TRAINERS_CLI_REQUEST_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainers/cli/request.pb.h"

namespace alidade::trainers {

// From protobuf text; `file` stands in messages. Errors (invalid argument) read "file:line:column:
// ..." and give the nearest known name of an unknown field.
absl::StatusOr<TrainRequest> ParseRequest(absl::string_view text, const std::string& file);

// From a file.
absl::StatusOr<TrainRequest> ReadRequest(const std::string& path);

}  // namespace alidade::trainers

#endif  // ALIDADE_TRAINERS_CLI_REQUEST_FILE_H_
