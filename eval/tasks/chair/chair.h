#ifndef ALIDADE_EVAL_TASKS_CHAIR_CHAIR_H_
#define ALIDADE_EVAL_TASKS_CHAIR_CHAIR_H_

// CHAIR (arXiv:1809.02156) on the embedded world: which objects of a caption are not in the image?
// Object types are counted once per caption, whatever the colour or position said of them. The task
// "chair" registers itself when this library is linked.

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace alidade::eval {

// What one caption counts.
struct CaptionCounts {
  std::vector<std::string> mentioned;     // distinct object types, in order of mention
  std::vector<std::string> hallucinated;  // of these, not in the image
  int num_present = 0;                    // distinct object types in the image
  int num_covered = 0;                    // of these, mentioned
  int num_words = 0;
};

// `present`: nouns of the objects in the image. Errors: a noun that is not of the world.
absl::StatusOr<CaptionCounts> CountCaption(absl::string_view caption,
                                           absl::Span<const std::string> present);

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_TASKS_CHAIR_CHAIR_H_
