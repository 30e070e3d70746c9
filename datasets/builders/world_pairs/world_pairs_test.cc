#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/models/mllm.h"
#include "common/models/presets.h"
#include "common/provenance/digest.h"
#include "common/provenance/random_stream.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "common/text/tokenizer.h"
#include "datasets/annotators/annotators.h"
#include "datasets/builders/builder.h"
#include "datasets/responders/model_responder.h"
#include "datasets/schema/dataset_folder.h"
#include "datasets/worlds/language.h"
#include "datasets/worlds/test_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::datasets {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Annotators for tests: `factor` times the oracle's score, and an error once `calls_left` is used
// up.
int calls_left = 1 << 30;

class Scaled : public Annotator {
 public:
  Scaled(std::string name, double factor, std::unique_ptr<Annotator> oracle)
      : name_(std::move(name)), factor_(factor), oracle_(std::move(oracle)) {}
  std::string name() const override { return name_; }
  absl::StatusOr<std::vector<std::vector<double>>> Score(
      const ImageProvider& images, absl::Span<const Prompt> prompts,
      absl::Span<const std::vector<Response>> responses) override {
    if (calls_left-- <= 0) return absl::AbortedError("interrupted");
    auto scores = oracle_->Score(images, prompts, responses);
    if (scores.ok()) {
      for (std::vector<double>& row : *scores) {
        for (double& score : row) score *= factor_;
      }
    }
    return scores;
  }

 private:
  const std::string name_;
  const double factor_;
  const std::unique_ptr<Annotator> oracle_;
};

bool RegisterScaled(const std::string& name, double factor) {
  return RegisterAnnotator(
      name, [=](const AnnotatorRequest&) -> absl::StatusOr<std::unique_ptr<Annotator>> {
        auto oracle = MakeAnnotator("oracle", {});
        if (!oracle.ok()) return oracle.status();
        return std::make_unique<Scaled>(name, factor, *std::move(oracle));
      });
}

const bool agreeing = RegisterScaled("agreeing", 1);
const bool contrary = RegisterScaled("contrary", -1);

// An untrained model of the world's size: it says random words.
const std::string& ModelFolder() {
  static const auto* folder = [] {
    auto* path = new std::string(TempFolder());
    EXPECT_THAT(WriteWorldProcessor(*path), IsOk());
    absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer =
        Tokenizer::Load(JoinPath(*path, "tokenizer.json"));
    EXPECT_THAT(tokenizer, IsOk());
    RandomStream stream(1, "init");
    absl::StatusOr<models::MllmConfig> config = models::TinyWorldConfig(**tokenizer);
    EXPECT_THAT(config, IsOk());
    absl::StatusOr<models::Mllm> model = models::Mllm::Initialize(*config, stream);
    EXPECT_THAT(model, IsOk());
    EXPECT_THAT(model->Save(*path), IsOk());
    return path;
  }();
  return *folder;
}

BuildRequest Request(const std::string& folder, const std::string& annotator = "oracle") {
  return {{{"images", 70}, {"samples", 16}, {"annotator", annotator}},
          {{"model", ModelFolder()}},
          folder,
          1,
          /*quiet=*/true};
}

const Builder& Pairs() { return **FindBuilder("world_pairs"); }

TEST(ModelResponderTest, AnswersAreReproducibleAndNamedByStream) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto model, LoadModelResponder(ModelFolder(), "tiny"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const TestSplit split, TestSplit::Create("hard", 5));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Prompt> prompts, split.Prompts());
  auto texts = [&](const ResponseOptions& options) {
    std::vector<std::string> result;
    const auto responses = model->Respond(split, prompts, options);
    EXPECT_THAT(responses, IsOk());
    if (!responses.ok()) return result;
    EXPECT_EQ(responses->size(), prompts.size());
    for (size_t i = 0; i < responses->size(); ++i) {
      EXPECT_EQ((*responses)[i].size(), options.samples);
      for (const Response& response : (*responses)[i]) {
        EXPECT_LE(response.num_tokens, prompts[i].max_new_tokens);
        if (prompts[i].kind == "yes_no") EXPECT_TRUE(response.ended);
        result.push_back(response.text);
      }
    }
    return result;
  };
  ResponseOptions sampled;
  sampled.samples = 3;
  sampled.temperature = 1;
  const std::vector<std::string> first = texts(sampled);
  EXPECT_EQ(first, texts(sampled));
  sampled.stream = "other";
  EXPECT_NE(first, texts(sampled));
  EXPECT_EQ(texts({}), texts({})) << "greedy";
  EXPECT_EQ(model->name(), "tiny");
}

TEST(ModelResponderTest, BadInput) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto model, LoadModelResponder(ModelFolder()));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const TestSplit split, TestSplit::Create("hard", 1));
  ALIDADE_ASSERT_OK_AND_ASSIGN(std::vector<Prompt> prompts, split.Prompts());
  EXPECT_THAT(model->Respond(split, prompts, {.samples = 2}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("temperature 0")));
  EXPECT_THAT(model->Respond(split, prompts, {.samples = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got 0")));
  prompts[0].text = "describe the sphere";
  EXPECT_THAT(model->Respond(split, prompts, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("test/000000/caption")));
  prompts[0] = prompts[1];
  prompts[0].image = "test/000077.png";
  EXPECT_THAT(model->Respond(split, prompts, {}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("test/000077.png")));
  const std::string incomplete = TempFolder();
  EXPECT_THAT(LoadModelResponder(incomplete),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(incomplete)));
}

TEST(WorldPairsTest, BestStandsAgainstWorst) {
  const std::string folder = TempFolder();
  ALIDADE_ASSERT_OK(Pairs().Build(Request(folder)));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const DatasetFolder dataset, DatasetFolder::Open(folder));
  EXPECT_EQ(dataset.card().num_images, 70);
  EXPECT_EQ(dataset.card().kind, "preferences");
  EXPECT_EQ(dataset.card().inputs.at("model"), *FolderDigest(ModelFolder()));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<PreferenceRecord> records,
                               dataset.PreferenceRecords());
  std::map<std::string, int> kinds;
  for (const PreferenceRecord& record : records) {
    ++kinds[record.kind];
    EXPECT_EQ(record.annotator, "oracle");
    EXPECT_EQ(record.end, record.kind == "caption");
    ALIDADE_ASSERT_OK_AND_ASSIGN(const Scene scene,
                                 SceneFromTruth(dataset.images().at(record.image).truth));
    if (record.kind == "yes_no") {
      const bool present = IsPresent(scene, CategoryOf(record.prompt.substr(9)));
      EXPECT_EQ(record.chosen, present ? "yes" : "no");
      EXPECT_EQ(record.rejected, present ? "no" : "yes");
    } else {
      int score = 0;
      for (const int category : ParseCaption(record.chosen).mentioned)
        score += IsPresent(scene, category) ? 1 : -1;
      EXPECT_EQ(record.chosen_score, score);
    }
    EXPECT_THAT(dataset.LoadImage(record.image), IsOk());
  }
  EXPECT_GT(kinds["caption"], 40);
  EXPECT_GT(kinds["yes_no"], 5);
  const std::map<std::string, double>& statistics = dataset.card().statistics;
  EXPECT_EQ(statistics.at("prompts.caption"), 70);
  EXPECT_EQ(statistics.at("prompts.yes_no"), 420);
  EXPECT_EQ(statistics.at("records.caption"), kinds["caption"]);
  EXPECT_EQ(statistics.at("records.yes_no"), kinds["yes_no"]);
}

TEST(WorldPairsTest, InterruptedItEndsInTheSameBits) {
  const std::string whole = TempFolder(), interrupted = TempFolder();
  ALIDADE_ASSERT_OK(Pairs().Build(Request(whole, "agreeing")));
  calls_left = 1;  // the second shard fails
  EXPECT_THAT(Pairs().Build(Request(interrupted, "agreeing")),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(DatasetFolder::Open(interrupted), StatusIs(absl::StatusCode::kNotFound));
  calls_left = 1;  // the first shard is not made again
  ALIDADE_ASSERT_OK(Pairs().Build(Request(interrupted, "agreeing")));
  calls_left = 1 << 30;
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::string digest, FolderDigest(whole));
  EXPECT_THAT(FolderDigest(interrupted), IsOkAndHolds(digest));
}

TEST(WorldPairsTest, AnnotatorsJudgeTheSameSamplesAndKappaSaysHowFarTheyAgree) {
  const std::string agreeing_folder = TempFolder(), contrary_folder = TempFolder();
  ALIDADE_ASSERT_OK(Pairs().Build(Request(agreeing_folder, "agreeing")));
  ALIDADE_ASSERT_OK(Pairs().Build(Request(contrary_folder, "contrary")));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const DatasetFolder a, DatasetFolder::Open(agreeing_folder));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const DatasetFolder b, DatasetFolder::Open(contrary_folder));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<PreferenceRecord> records_a,
                               a.PreferenceRecords());
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<PreferenceRecord> records_b,
                               b.PreferenceRecords());
  ASSERT_EQ(records_a.size(), records_b.size());
  for (size_t i = 0; i < records_a.size(); ++i) {
    EXPECT_EQ(records_a[i].id, records_b[i].id);
    EXPECT_EQ(records_a[i].chosen_score, -records_b[i].rejected_score);
    if (records_a[i].kind == "yes_no") EXPECT_EQ(records_a[i].chosen, records_b[i].rejected);
  }
  EXPECT_EQ(a.card().statistics.at("oracle.kappa"), 1);
  EXPECT_EQ(a.card().statistics.at("oracle.kappa.caption"), 1);
  EXPECT_LT(b.card().statistics.at("oracle.kappa"), 0);
  EXPECT_EQ(a.card().statistics.at("oracle_agrees.yes_no"),
            b.card().statistics.at("oracle_disagrees.yes_no"));
}

TEST(WorldPairsTest, BadRequests) {
  EXPECT_THAT(Pairs().Resolve({{"sample", 4}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'samples'")));
  EXPECT_THAT(Pairs().Resolve({{"samples", 1}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2..64")));
  EXPECT_THAT(Pairs().Resolve({{"temperature", 0}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("temperature")));
  BuildRequest request = Request(TempFolder(), "oracel");
  EXPECT_THAT(Pairs().Build(request), StatusIs(absl::StatusCode::kNotFound,
                                               AllOf(HasSubstr("oracel"), HasSubstr("oracle"))));
  request = Request(TempFolder());
  request.inputs.clear();
  EXPECT_THAT(Pairs().Build(request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'model'")));
  request.inputs["model"] = JoinPath(TempFolder(), "absent");
  EXPECT_THAT(Pairs().Build(request), StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
}

}  // namespace
}  // namespace alidade::datasets
