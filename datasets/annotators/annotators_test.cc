#include "datasets/annotators/annotators.h"

#include <string>
#include <vector>

#include "common/status/status_matchers.h"
#include "datasets/annotators/agreement.h"
#include "datasets/annotators/oracle.h"
#include "datasets/schema/factors.h"
#include "datasets/worlds/language.h"
#include "datasets/worlds/world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::datasets {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class NoImages : public ImageProvider {
 public:
  absl::StatusOr<Image> LoadImage(const std::string& name) const override {
    return absl::NotFoundError(name);
  }
};

Scene TwoObjects() {
  Scene scene;
  scene.context = 0;
  scene.objects = {{.category = CategoryOf("disc"), .cell = 0},
                   {.category = CategoryOf("ring"), .cell = 4}};
  return scene;
}

absl::StatusOr<std::vector<double>> Score(const Prompt& prompt,
                                          const std::vector<std::string>& texts) {
  std::vector<Response> responses;
  for (const std::string& text : texts) responses.push_back({text, true, 1});
  absl::StatusOr<std::vector<std::vector<double>>> scores =
      MakeOracle()->Score(NoImages(), {prompt}, {responses});
  if (!scores.ok()) return scores.status();
  return (*scores)[0];
}

TEST(OracleTest, CaptionsScoreCoveredMinusHallucinatedTypes) {
  const Prompt prompt = MakeCaptionPrompt(TwoObjects(), "a", "a.png");
  EXPECT_THAT(
      Score(prompt,
            {"north red disc , centre red ring .",                    // 2
             "north red disc .",                                      // 1
             "north red disc , south red disc , east cyan square .",  // a type counts once: 1 - 1
             "east cyan square , west cyan frame .",                  // -2
             "garbage"}),
      IsOkAndHolds(ElementsAre(2, 1, 0, -2, 0)));
}

TEST(OracleTest, AnswersScoreCorrectness) {
  EXPECT_THAT(Score(MakePresencePrompt(TwoObjects(), CategoryOf("ring"), "a", "a.png"),
                    {"yes", "no", "ring"}),
              IsOkAndHolds(ElementsAre(1, 0, 0)));
  EXPECT_THAT(
      Score(MakePresencePrompt(TwoObjects(), CategoryOf("T"), "a", "a.png"), {"yes", "no", ""}),
      IsOkAndHolds(ElementsAre(0, 1, 0)));
}

TEST(OracleTest, WithoutTruthThereIsNoScore) {
  Prompt prompt = MakeCaptionPrompt(TwoObjects(), "pairs/7", "a.png");
  prompt.truth = nullptr;
  EXPECT_THAT(Score(prompt, {"a"}), StatusIs(absl::StatusCode::kInvalidArgument,
                                             AllOf(HasSubstr("pairs/7"), HasSubstr("objects"))));
  prompt.kind = "yes_no";
  EXPECT_THAT(Score(prompt, {"a"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("truth.answer")));
  prompt.kind = "count";
  EXPECT_THAT(Score(prompt, {"a"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'count'")));
  EXPECT_THAT(MakeOracle()->Score(NoImages(), {prompt}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 prompts")));
}

TEST(RegistryTest, FindsTheOracleAndSuggestsIt) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto oracle, MakeAnnotator("oracle", {}));
  EXPECT_EQ(oracle->name(), "oracle");
  EXPECT_THAT(MakeAnnotator("orcale", {}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("oracle")));
  EXPECT_THAT(MakeAnnotator("oracle", {.config = {{"votes", 3}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("votes")));
}

// Known answers, worked by hand from Cohen (1960), which scikit-learn's cohen_kappa_score
// implements.
TEST(KappaTest, KnownAnswers) {
  // 2 x 2 table [[20, 5], [10, 15]]: observed .7, expected .5 * .6 + .5 * .4 = .5.
  std::vector<int> a, b;
  auto add = [&](int count, int label_a, int label_b) {
    a.insert(a.end(), count, label_a);
    b.insert(b.end(), count, label_b);
  };
  add(20, 1, 1);
  add(5, 1, 0);
  add(10, 0, 1);
  add(15, 0, 0);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const double kappa, CohenKappa(a, b));
  EXPECT_NEAR(kappa, 0.4, 1e-12);

  // The example of scikit-learn's documentation: negative 0, positive 1, neutral 2.
  ALIDADE_ASSERT_OK_AND_ASSIGN(const double documented,
                               CohenKappa({0, 1, 0, 2, 1}, {0, 1, 0, 2, 0}));
  EXPECT_NEAR(documented, 0.6875, 1e-12);

  EXPECT_THAT(CohenKappa({0, 1, 2}, {0, 1, 2}), IsOkAndHolds(1.0));
  EXPECT_THAT(CohenKappa({0, 1}, {1, 0}), IsOkAndHolds(-1.0));
  // One rater constant: no agreement beyond chance.
  EXPECT_THAT(CohenKappa({1, 1, 1, 1}, {1, 0, 1, 0}), IsOkAndHolds(0.0));
}

TEST(KappaTest, BadInput) {
  EXPECT_THAT(CohenKappa({}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got none")));
  EXPECT_THAT(CohenKappa({1}, {1, 2}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got 1 and 2")));
  EXPECT_THAT(CohenKappa({1, 1}, {1, 1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 / 0")));
}

TEST(KappaTest, LabelsOfAllPairs) {
  PreferenceLabels labels;
  labels.Add({3, 1, 3}, {0, 0, 5});
  EXPECT_THAT(labels.a, ElementsAre(1, 0, -1));
  EXPECT_THAT(labels.b, ElementsAre(0, -1, -1));
}

}  // namespace
}  // namespace alidade::datasets
