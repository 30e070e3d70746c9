#ifndef ALIDADE_EVAL_CORE_ASK_H_
#define ALIDADE_EVAL_CORE_ASK_H_

// What every task does before it scores: puts a source's questions of one kind to a model.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "datasets/schema/records.h"
#include "eval/core/task.h"

namespace alidade::eval {

struct Answered {
  datasets::Prompt prompt;
  datasets::Response response;
  std::string answer;  // truth.answer of the prompt; empty where the truth has none
};

// All prompts of that kind in the source's order, answered greedily. The same question about the
// same image is put once, however many splits it stands in. Errors: no source, no prompt of that
// kind, those of the responder.
absl::StatusOr<std::vector<Answered>> Ask(datasets::Responder& model, const TaskOptions& options,
                                          absl::string_view kind);

// Id, image, texts and the three digests; group, truth, wrong and counts are the task's.
SampleOutput MakeSample(const Answered& answered);

// The definition compiled into a task; a mistake in it aborts at start with the error.
TaskDefinition BuiltInTaskDefinition(absl::string_view text, absl::string_view source);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_CORE_ASK_H_
