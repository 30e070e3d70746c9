#ifndef ALIDADE_EVAL_CORE_TESTING_H_
#define ALIDADE_EVAL_CORE_TESTING_H_

// A source and a responder for tests of tasks: prompts from a list, answers from a table.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/media/image.h"
#include "datasets/schema/factors.h"
#include "datasets/schema/records.h"

namespace alidade::eval {

class ListSource : public datasets::Source {
 public:
  explicit ListSource(std::vector<datasets::Prompt> prompts) : prompts_(std::move(prompts)) {}
  std::string name() const override { return "list"; }
  absl::StatusOr<std::vector<datasets::Prompt>> Prompts() const override { return prompts_; }
  // A 3 x 3 picture, the same for every name.
  absl::StatusOr<Image> LoadImage(const std::string&) const override {
    return Image{3, 3, std::vector<uint8_t>(27, 128)};
  }

 private:
  std::vector<datasets::Prompt> prompts_;
};

// Answers by prompt id; a prompt that is not in the table is an error. Counts the prompts it was
// asked.
class TableResponder : public datasets::Responder {
 public:
  explicit TableResponder(std::map<std::string, datasets::Response> answers)
      : answers_(std::move(answers)) {}
  std::string name() const override { return "table"; }
  absl::StatusOr<std::vector<std::vector<datasets::Response>>> Respond(
      const datasets::ImageProvider&, absl::Span<const datasets::Prompt> prompts,
      const datasets::ResponseOptions&) override {
    std::vector<std::vector<datasets::Response>> responses;
    for (const datasets::Prompt& prompt : prompts) {
      const auto found = answers_.find(prompt.id);
      if (found == answers_.end())
        return absl::NotFoundError(absl::StrCat("no answer to '", prompt.id, "'"));
      responses.push_back({found->second});
      ++num_asked;
    }
    return responses;
  }

  int num_asked = 0;

 private:
  std::map<std::string, datasets::Response> answers_;
};

}  // namespace alidade::eval

#endif  // ALIDADE_EVAL_CORE_TESTING_H_
