// JSON documents whose errors say where: `config.json:12: text_config.hidden_size: expected an
// integer, got "64"`.
//
//   ALIDADE_ASSIGN_OR_RETURN(JsonDocument document, ParseJson(text, "config.json"));
//   JsonFields fields(document);
//   fields.Required("hidden_size", &config.hidden_size);
//   fields.Optional("rms_norm_eps", &config.rms_norm_eps);
//   JsonFields vision = fields.Object("vision_config");  ... vision.Finish() ...
//   ALIDADE_RETURN_IF_ERROR(fields.Finish());   // the first error, or a field that nobody asked
//   for
#ifndef ALIDADE_COMMON_JSON_JSON_FIELDS_H_
#define ALIDADE_COMMON_JSON_JSON_FIELDS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace alidade {

// A parsed document and the line of each member, by dotted path ("text_config.hidden_size",
// "added_tokens[2].id").
struct JsonDocument {
  std::string file;  // as it stands in messages
  nlohmann::json root;
  std::map<std::string, int64_t> lines;

  // "file:line: path" of a member, "file: path" where the line is not known, "file" for the root.
  std::string Where(absl::string_view path) const;
};

// Errors (data loss): malformed text with file, line and column; a name that occurs twice in one
// object, with its line.
absl::StatusOr<JsonDocument> ParseJson(absl::string_view text, absl::string_view file);

// Reads the members of one object. The first error is kept and returned by Finish(); later calls
// then do nothing. The document must outlive this.
class JsonFields {
 public:
  explicit JsonFields(const JsonDocument& document);
  JsonFields(const JsonDocument& document, const nlohmann::json& object, std::string path);

  bool Has(absl::string_view name) const;

  // Optional leaves `*value` as it is when the member is absent or null. Integers must be
  // integers: 2.0 is refused.
  void Required(absl::string_view name, int64_t* value);
  void Required(absl::string_view name, double* value);
  void Required(absl::string_view name, bool* value);
  void Required(absl::string_view name, std::string* value);
  void Required(absl::string_view name, std::vector<std::string>* value);
  void Optional(absl::string_view name, int64_t* value);
  void Optional(absl::string_view name, double* value);
  void Optional(absl::string_view name, bool* value);
  void Optional(absl::string_view name, std::string* value);
  void Optional(absl::string_view name, std::vector<std::string>* value);

  // A member that is an object or an array; null (with the error kept) when it is absent or of
  // another type.
  const nlohmann::json* RequiredObject(absl::string_view name);
  const nlohmann::json* RequiredArray(absl::string_view name);
  // Null, without an error, when absent or null.
  const nlohmann::json* OptionalObject(absl::string_view name);
  // Any value; null, without an error, when absent.
  const nlohmann::json* OptionalValue(absl::string_view name);

  // A member that is known and has no effect here.
  void Ignore(absl::string_view name);
  // A member that, if present, must have this value, because nothing else is implemented.
  void MustBe(absl::string_view name, const nlohmann::json& value);
  // The value must be one of `choices`; the error names the nearest.
  void OneOf(absl::string_view name, std::string* value, const std::vector<std::string>& choices);
  // Checks a value that was read: error "expected <expectation>, got <value in the file>" unless
  // `holds`.
  void Expect(bool holds, absl::string_view name, absl::string_view expectation);

  // Path of a member in messages.
  std::string Path(absl::string_view name) const;
  void Fail(absl::string_view name, absl::string_view message);

  // OK, the first error, or the first unknown member with the nearest known name (invalid
  // argument).
  absl::Status Finish();

 private:
  const nlohmann::json* Find(absl::string_view name, bool required, absl::string_view expected);
  template <typename T>
  void Read(absl::string_view name, bool required, T* value);

  const JsonDocument& document_;
  const nlohmann::json* object_;
  std::string path_;
  std::vector<std::string> known_;
  absl::Status status_;
};

// A value for a message: compact, cut after 60 characters.
std::string JsonForMessage(const nlohmann::json& value);

}  // namespace alidade

#endif  // ALIDADE_COMMON_JSON_JSON_FIELDS_H_
