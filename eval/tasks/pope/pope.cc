#include "eval/tasks/pope/pope.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"
#include "nlohmann/json.hpp"

namespace alidade::eval {
namespace {

std::optional<double> Divide(double numerator, double denominator) {
  if (denominator == 0) return std::nullopt;
  return numerator / denominator;
}

absl::Status ReadRecord(JsonFields& fields, PopeQuestion& question) {
  std::string label;
  fields.Required("question_id", &question.id);
  fields.Required("image", &question.image);
  fields.Required("text", &question.text);
  fields.OneOf("label", &label, {"yes", "no"});
  question.label = label == "yes";
  return fields.Finish();
}

absl::Status ReadRecord(JsonFields& fields, PopeAnswer& answer) {
  fields.Required("question_id", &answer.id);
  fields.Required("question", &answer.question);
  fields.Required("answer", &answer.answer);
  return fields.Finish();
}

template <typename Record>
absl::StatusOr<std::vector<Record>> ReadArray(const std::string& text, const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, path));
  std::vector<Record> records;
  for (size_t i = 0; i < document.root.size(); ++i) {
    JsonFields fields(document, document.root[i], absl::StrCat("[", i, "]"));
    ALIDADE_RETURN_IF_ERROR(ReadRecord(fields, records.emplace_back()));
  }
  return records;
}

template <typename Record>
absl::StatusOr<std::vector<Record>> ReadLines(const std::string& text, const std::string& path) {
  std::vector<Record> records;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(absl::StripSuffix(text, "\n"), '\n')) {
    ALIDADE_ASSIGN_OR_RETURN(JsonDocument document,
                             ParseJson(line, absl::StrCat(path, ":", ++number)));
    document.lines.clear();  // a record is one line, and the file's name has it
    JsonFields fields(document);
    ALIDADE_RETURN_IF_ERROR(ReadRecord(fields, records.emplace_back()));
  }
  return records;
}

template <typename Record>
absl::StatusOr<std::vector<Record>> ReadRecords(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const absl::string_view start = absl::StripLeadingAsciiWhitespace(text);
  if (start.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected POPE records, got an empty file"));
  }
  absl::StatusOr<std::vector<Record>> records =
      start[0] == '[' ? ReadArray<Record>(text, path) : ReadLines<Record>(text, path);
  if (!records.ok()) return records;
  if (records->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected POPE records, got an empty array"));
  }
  std::set<int64_t> ids;
  for (size_t i = 0; i < records->size(); ++i) {
    if (ids.insert((*records)[i].id).second) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": record ", i + 1, ": question_id: ", (*records)[i].id, " occurs a second time"));
  }
  return records;
}

}  // namespace

bool PopeAnswerIsYes(absl::string_view answer) {
  const std::string text = absl::StrReplaceAll(answer.substr(0, answer.find('.')), {{",", ""}});
  for (absl::string_view piece : absl::StrSplit(text, ' ')) {
    if (piece == "No" || piece == "not" || piece == "no") return false;
  }
  return true;
}

void PopeCounts::Add(bool answered_yes, bool label_yes) {
  ++(answered_yes ? (label_yes ? tp : fp) : (label_yes ? fn : tn));
}

PopeScore ScorePope(const PopeCounts& counts) {
  const double tp = counts.tp, fp = counts.fp, tn = counts.tn, fn = counts.fn;
  PopeScore score;
  score.accuracy = Divide(tp + tn, tp + fp + tn + fn);
  score.precision = Divide(tp, tp + fp);
  score.recall = Divide(tp, tp + fn);
  score.yes_ratio = Divide(tp + fp, tp + fp + tn + fn);
  if (score.precision && score.recall) {
    score.f1 = Divide(2 * *score.precision * *score.recall, *score.precision + *score.recall);
  }
  return score;
}

PopeScore OfficialPopeScore(const PopeCounts& counts) {
  const PopeScore score = ScorePope(counts);
  if (score.accuracy && score.precision && score.recall && score.f1) return score;
  PopeScore stopped;
  stopped.yes_ratio = score.yes_ratio;
  return stopped;
}

absl::StatusOr<std::vector<PopeQuestion>> ReadPopeQuestions(const std::string& path) {
  return ReadRecords<PopeQuestion>(path);
}

absl::StatusOr<std::vector<PopeAnswer>> ReadPopeAnswers(const std::string& path) {
  return ReadRecords<PopeAnswer>(path);
}

absl::StatusOr<PopeCounts> CountPopeAnswers(absl::Span<const PopeQuestion> questions,
                                            absl::Span<const PopeAnswer> answers) {
  if (questions.size() != answers.size()) {
    return absl::InvalidArgumentError(absl::StrCat("POPE answers: expected ", questions.size(),
                                                   ", one per question, got ", answers.size()));
  }
  PopeCounts counts;
  for (size_t i = 0; i < questions.size(); ++i) {
    if (questions[i].id != answers[i].id || questions[i].text != answers[i].question) {
      return absl::InvalidArgumentError(absl::StrCat(
          "POPE answers: record ", i + 1, ": expected question ", questions[i].id, " '",
          questions[i].text, "', got ", answers[i].id, " '", answers[i].question, "'"));
    }
    counts.Add(PopeAnswerIsYes(answers[i].answer), questions[i].label);
  }
  return counts;
}

}  // namespace alidade::eval
