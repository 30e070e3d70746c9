#include "trainers/cli/request_file.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/registry/nearest_name.h"
#include "common/status/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "re2/re2.h"

namespace alidade::trainers {
namespace {

// "; did you mean x?" for protobuf's message about an unknown field.
std::string Suggestion(const std::string& message) {
  static const RE2* pattern = new RE2(R"re(Message type "([^"]+)" has no field named "([^"]+)")re");
  std::string type, field;
  if (!RE2::PartialMatch(message, *pattern, &type, &field)) return "";
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type);
  std::vector<std::string> names;
  for (int i = 0; descriptor != nullptr && i < descriptor->field_count(); ++i) {
    names.push_back(descriptor->field(i)->name());
  }
  const std::string nearest = NearestName(field, names);
  return nearest.empty() ? "" : absl::StrCat(" Did you mean \"", nearest, "\"?");
}

// Keeps the first error.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(const std::string& file) : file_(file) {}

  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat(file_, ":", line + 1, ":", column + 1, ": ", message, Suggestion(message)));
  }
  const absl::Status& status() const { return status_; }

 private:
  const std::string& file_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<TrainRequest> ParseRequest(absl::string_view text, const std::string& file) {
  TrainRequest request;
  FirstError error(file);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(std::string(text), &request)) {
    if (!error.status().ok()) return error.status();
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": expected a TrainRequest in protobuf text"));
  }
  if (request.stage_case() == TrainRequest::STAGE_NOT_SET) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": expected one of sft and preference, got neither"));
  }
  return request;
}

absl::StatusOr<TrainRequest> ReadRequest(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseRequest(text, path);
}

}  // namespace alidade::trainers
