#ifndef ALIDADE_DATASETS_SCHEMA_RECORDS_H_
#define ALIDADE_DATASETS_SCHEMA_RECORDS_H_

// What a dataset holds. Image names are relative to the dataset's folder ("images/000001.png").

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/text/chat_template.h"
#include "nlohmann/json.hpp"

namespace alidade::datasets {

// A question about one image, not yet answered.
struct Prompt {
  std::string id;     // unique in its source, e.g. "test/000012/adversarial/3"
  std::string image;  // a name that the source's LoadImage understands
  std::string text;   // the user's turn
  std::string kind;   // caption | yes_no | colour | count
  std::string group;  // e.g. the POPE split: random | popular | adversarial; may be empty
  // Ground truth where the source knows it, else null. The world gives {"context": 2, "objects":
  // [{"noun", "colour", "position", "contrast"}, ...]}, and for questions "noun" (yes_no, colour)
  // and "answer".
  nlohmann::json truth;
  bool end = false;  // a response closes with the end token (captions do, one-word answers do not)
  int64_t max_new_tokens = 64;  // room for a response, end token included
};

// What a model said.
struct Response {
  std::string text;
  bool ended =
      false;  // closed with the end token by itself; always true where the prompt has end = false
  int64_t num_tokens = 0;  // without the end token
};

// A conversation about one image, as a model is to learn it.
struct InstructionRecord {
  std::string id;
  std::string image;
  std::string kind;  // caption | questions
  std::vector<Turn> turns;
};

// Two responses to one prompt, of which the first is preferred.
struct PreferenceRecord {
  std::string id;
  std::string image;
  std::string prompt;
  std::string chosen;
  std::string rejected;
  std::string kind;       // caption | yes_no | ...
  std::string annotator;  // who preferred
  double chosen_score = 0;
  double rejected_score = 0;
  bool end = false;  // the responses close with the end token
};

bool operator==(const InstructionRecord& a, const InstructionRecord& b);
bool operator==(const PreferenceRecord& a, const PreferenceRecord& b);

// One line of JSON, without a line break; reading it gives the same record bit by bit.
std::string ToJsonLine(const InstructionRecord& record);
std::string ToJsonLine(const PreferenceRecord& record);

// `where` stands in messages ("records.jsonl:12"). Errors (data loss): not JSON, a field that is
// missing, unknown (with the nearest known name) or of another type, a conversation without turns,
// a preference whose responses are equal or whose scores do not prefer the chosen one.
absl::StatusOr<InstructionRecord> ParseInstructionRecord(absl::string_view line,
                                                         absl::string_view where);
absl::StatusOr<PreferenceRecord> ParsePreferenceRecord(absl::string_view line,
                                                       absl::string_view where);

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_SCHEMA_RECORDS_H_
