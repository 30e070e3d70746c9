#ifndef ALIDADE_DATASETS_WORLDS_TEST_SPLIT_H_
#define ALIDADE_DATASETS_WORLDS_TEST_SPLIT_H_

// The images on which every model is tested: always the same 600, whatever seed a run has.
//
//   ALIDADE_ASSIGN_OR_RETURN(TestSplit split, TestSplit::Create("hard"));
//   ALIDADE_ASSIGN_OR_RETURN(std::vector<Prompt> prompts, split.Prompts());

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "datasets/schema/factors.h"
#include "datasets/worlds/world.h"

namespace alidade::datasets {

inline constexpr int kTestImages = 600;
inline constexpr int kTestQuestionsPerAnswer = 3;  // present, and absent, per image and POPE split

// Prompts of one image: first its caption ("test/000012/caption", kind caption), then per POPE
// split (group random, popular, adversarial) 3 questions about present objects (the same in all
// splits, as POPE does) and 3 about absent ones
// ("test/000012/random/0" .. "/5", kind yes_no, truth.answer yes | no):
//   random       drawn uniformly
//   popular      those most often present in the training split
//   adversarial  those that co-occur most with the present ones in the training split: largest sum
//   over the present
//                objects b of P(a present | b present)
// Ties are broken at random, once and for all.
class TestSplit : public Source {
 public:
  // The first `num_images` of the 600. Errors: unknown preset, num_images outside 1..600.
  static absl::StatusOr<TestSplit> Create(absl::string_view preset, int num_images = kTestImages);

  std::string name() const override;
  // Goes up when any bit of an image or a question can change.
  static int version() { return 1; }
  absl::StatusOr<std::vector<Prompt>> Prompts() const override;
  // Names are those of the prompts' `image`. Errors: an image that is not part of the split.
  absl::StatusOr<Image> LoadImage(const std::string& name) const override;

  const std::vector<Scene>& scenes() const { return scenes_; }

 private:
  std::string preset_;
  std::vector<Scene> scenes_;
  std::vector<Image> images_;
  std::vector<Prompt> prompts_;
};

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_WORLDS_TEST_SPLIT_H_
