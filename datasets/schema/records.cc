#include "datasets/schema/records.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"

namespace alidade::datasets {
namespace {

absl::StatusOr<JsonDocument> ParseLine(absl::string_view line, absl::string_view where) {
  JsonDocument document{
      std::string(where), nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false), {}};
  if (!document.root.is_object()) {
    return absl::DataLossError(
        absl::StrCat(where, ": expected a record {...}, got ",
                     document.root.is_discarded() ? "text that is not JSON: " : "",
                     document.root.is_discarded() ? std::string(line.substr(0, 60))
                                                  : JsonForMessage(document.root)));
  }
  return document;
}

// A wrong record is a defect of the stored data, whatever the reader of the fields calls it.
absl::Status AsDataLoss(const absl::Status& status) {
  return status.ok() ? status : absl::DataLossError(status.message());
}

std::string Dump(const nlohmann::ordered_json& json) {
  // Text from outside may hold bytes that are not UTF-8; replacing them keeps the line readable.
  return json.dump(-1, ' ', /*ensure_ascii=*/false,
                   nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

bool operator==(const InstructionRecord& a, const InstructionRecord& b) {
  if (a.id != b.id || a.image != b.image || a.kind != b.kind || a.turns.size() != b.turns.size())
    return false;
  for (size_t i = 0; i < a.turns.size(); ++i) {
    if (a.turns[i].user != b.turns[i].user || a.turns[i].assistant != b.turns[i].assistant ||
        a.turns[i].end != b.turns[i].end) {
      return false;
    }
  }
  return true;
}

bool operator==(const PreferenceRecord& a, const PreferenceRecord& b) {
  return a.id == b.id && a.image == b.image && a.prompt == b.prompt && a.chosen == b.chosen &&
         a.rejected == b.rejected && a.kind == b.kind && a.annotator == b.annotator &&
         a.chosen_score == b.chosen_score && a.rejected_score == b.rejected_score && a.end == b.end;
}

std::string ToJsonLine(const InstructionRecord& record) {
  nlohmann::ordered_json turns = nlohmann::ordered_json::array();
  for (const Turn& turn : record.turns) {
    turns.push_back({{"user", turn.user}, {"assistant", turn.assistant}, {"end", turn.end}});
  }
  return Dump({{"id", record.id},
               {"image", record.image},
               {"kind", record.kind},
               {"turns", std::move(turns)}});
}

std::string ToJsonLine(const PreferenceRecord& record) {
  return Dump({{"id", record.id},
               {"image", record.image},
               {"kind", record.kind},
               {"prompt", record.prompt},
               {"chosen", record.chosen},
               {"rejected", record.rejected},
               {"end", record.end},
               {"annotator", record.annotator},
               {"chosen_score", record.chosen_score},
               {"rejected_score", record.rejected_score}});
}

absl::StatusOr<InstructionRecord> ParseInstructionRecord(absl::string_view line,
                                                         absl::string_view where) {
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseLine(line, where));
  InstructionRecord record;
  JsonFields fields(document);
  fields.Required("id", &record.id);
  fields.Required("image", &record.image);
  fields.Required("kind", &record.kind);
  const nlohmann::json* turns = fields.RequiredArray("turns");
  if (turns != nullptr) fields.Expect(!turns->empty(), "turns", "at least one turn");
  ALIDADE_RETURN_IF_ERROR(AsDataLoss(fields.Finish()));
  record.turns.resize(turns->size());
  for (size_t i = 0; i < turns->size(); ++i) {
    const std::string path = absl::StrCat("turns[", i, "]");
    if (!(*turns)[i].is_object()) {
      return absl::DataLossError(absl::StrCat(document.Where(path),
                                              ": expected {user, assistant, end}, got ",
                                              JsonForMessage((*turns)[i])));
    }
    JsonFields turn(document, (*turns)[i], path);
    turn.Required("user", &record.turns[i].user);
    turn.Required("assistant", &record.turns[i].assistant);
    turn.Required("end", &record.turns[i].end);
    ALIDADE_RETURN_IF_ERROR(AsDataLoss(turn.Finish()));
  }
  return record;
}

absl::StatusOr<PreferenceRecord> ParsePreferenceRecord(absl::string_view line,
                                                       absl::string_view where) {
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseLine(line, where));
  PreferenceRecord record;
  JsonFields fields(document);
  fields.Required("id", &record.id);
  fields.Required("image", &record.image);
  fields.Required("kind", &record.kind);
  fields.Required("prompt", &record.prompt);
  fields.Required("chosen", &record.chosen);
  fields.Required("rejected", &record.rejected);
  fields.Required("end", &record.end);
  fields.Required("annotator", &record.annotator);
  fields.Required("chosen_score", &record.chosen_score);
  fields.Required("rejected_score", &record.rejected_score);
  fields.Expect(record.chosen != record.rejected, "rejected",
                "another response than the chosen one");
  fields.Expect(record.chosen_score > record.rejected_score, "rejected_score",
                "less than chosen_score");
  ALIDADE_RETURN_IF_ERROR(AsDataLoss(fields.Finish()));
  return record;
}

}  // namespace alidade::datasets
