#ifndef ALIDADE_EVAL_TASKS_POPE_POPE_H_
#define ALIDADE_EVAL_TASKS_POPE_POPE_H_

// POPE (arXiv:2305.10355): does a model see objects that are not there? Half of the questions "is
// there X" are about objects in the image; the absent ones are drawn at random, by frequency
// (popular) or by co-occurrence (adversarial).
//
//   ALIDADE_ASSIGN_OR_RETURN(auto questions, ReadPopeQuestions("coco_pope_random.json"));
//   ALIDADE_ASSIGN_OR_RETURN(auto answers, ReadPopeAnswers("answers.jsonl"));
//   ALIDADE_ASSIGN_OR_RETURN(PopeCounts counts, CountPopeAnswers(questions, answers));
//   PopeScore score = ScorePope(counts);
//
// The task "pope", which asks a model the questions of a source, registers itself when this library
// is linked.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace alidade::eval {

struct PopeQuestion {
  int64_t id = 0;
  std::string image;
  std::string text;
  bool label = false;  // yes
};

struct PopeAnswer {
  int64_t id = 0;
  std::string question;
  std::string answer;
};

// The official rule: the text up to the first ".", every "," deleted, split at single blanks; the
// answer is no if a piece is exactly "No", "not" or "no", and yes otherwise. So "", "NO", "No!",
// "isn't" and "no\n" all count as yes.
bool PopeAnswerIsYes(absl::string_view answer);

struct PopeCounts {
  int64_t tp = 0, fp = 0, tn = 0, fn = 0;  // positive: yes
  void Add(bool answered_yes, bool label_yes);
};

// Fractions; null where the denominator is zero.
struct PopeScore {
  std::optional<double> accuracy, precision, recall, f1, yes_ratio;
};

// Every metric on its own. F1 is null where precision or recall is, or where both are zero.
PopeScore ScorePope(const PopeCounts& counts);

// What the official script leaves: it stops at the first division by zero, after the yes ratio, and
// then has none of the other four numbers.
PopeScore OfficialPopeScore(const PopeCounts& counts);

// A question or answer file: a JSON array or JSON lines. Errors name file, line or index, field,
// expected and got: an unknown field, a label that is neither yes nor no, an id that occurs twice,
// a file without questions.
absl::StatusOr<std::vector<PopeQuestion>> ReadPopeQuestions(const std::string& path);
absl::StatusOr<std::vector<PopeAnswer>> ReadPopeAnswers(const std::string& path);

// Pairs by position, as the official script does, and checks that ids and question texts agree.
absl::StatusOr<PopeCounts> CountPopeAnswers(absl::Span<const PopeQuestion> questions,
                                            absl::Span<const PopeAnswer> answers);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_TASKS_POPE_POPE_H_
