#include "eval/report/example.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/provenance/random_stream.h"
#include "common/status/status.h"
#include "eval/core/task.h"

namespace alidade::eval {
namespace {

struct Behaviour {
  Method method;
  double right;          // share of absent objects denied
  double hallucination;  // per caption
};

const std::vector<Behaviour>& Behaviours() {
  static const auto* behaviours =
      new std::vector<Behaviour>{{{"sft", "SFT"}, 0.35, 0.55},
                                 {{"dpo", "DPO"}, 0.70, 0.34},
                                 {{"mdpo", "mDPO"}, 0.65, 0.31},
                                 {{"ipo", "IPO"}, 0.68, 0.36},
                                 {{"dpo_critic", "DPO, critic"}, 0.60, 0.42},
                                 {{"chosen", "SFT on chosen"}, 0.80, 0.40}};
  return *behaviours;
}

TaskOutput ExamplePope(const Behaviour& behaviour, int64_t num_images, const TaskOptions& options) {
  RandomStream stream(options.seed, absl::StrCat("example/pope/", behaviour.method.stage));
  TaskOutput output;
  for (const std::string group : {"random", "popular", "adversarial"}) {
    const double right = group == "adversarial" ? behaviour.right : 0.5 + behaviour.right / 2;
    for (int64_t i = 0; i < num_images; ++i) {
      for (int q = 0; q < 6; ++q) {
        const bool label = q < 3;
        const bool said = label ? stream.Bernoulli(0.95) : !stream.Bernoulli(right);
        SampleOutput sample;
        sample.id = absl::StrCat(i, "/", group, "/", q);
        sample.unit = absl::StrCat("image", i);
        sample.group = group;
        sample.prompt = "is there ring";
        sample.answer = said ? "yes" : "no";
        sample.truth = label ? "yes" : "no";
        sample.counts = {{said ? (label ? "tp" : "fp") : (label ? "fn" : "tn"), 1}};
        if (said != label) sample.wrong = {sample.answer};
        output.samples.push_back(std::move(sample));
      }
    }
  }
  const absl::StatusOr<const Task*> task = FindTask("pope");
  ALIDADE_CHECK(task.ok());
  ALIDADE_CHECK(ScoreSamples((*task)->definition(), options, output).ok());
  return output;
}

TaskOutput ExampleChair(const Behaviour& behaviour, int64_t num_images,
                        const TaskOptions& options) {
  RandomStream stream(options.seed, absl::StrCat("example/chair/", behaviour.method.stage));
  TaskOutput output;
  for (int64_t i = 0; i < num_images; ++i) {
    const double invented = stream.Bernoulli(behaviour.hallucination);
    const double covered = 3 + stream.Bernoulli(0.5);
    SampleOutput sample;
    sample.id = absl::StrCat(i, "/caption");
    sample.unit = absl::StrCat("image", i);
    sample.prompt = "describe :";
    sample.answer = absl::StrCat("north red disc , centre blue ring , east green cross",
                                 invented > 0 ? " , south yellow frame ." : " .");
    sample.truth = "north red disc , centre blue ring , east green cross , west cyan bars";
    if (invented > 0) sample.wrong = {"frame"};
    sample.counts = {{"captions", 1},
                     {"hallucinating", invented},
                     {"mentioned", covered + invented},
                     {"hallucinated", invented},
                     {"present", 4},
                     {"covered", covered},
                     {"words", 3 * (covered + invented)},
                     {"ended", 1}};
    output.samples.push_back(std::move(sample));
  }
  const absl::StatusOr<const Task*> task = FindTask("chair");
  ALIDADE_CHECK(task.ok());
  ALIDADE_CHECK(ScoreSamples((*task)->definition(), options, output).ok());
  return output;
}

Curve ExampleCurve(const std::string& stage, const std::string& metric, double from, double to) {
  RandomStream stream(0, absl::StrCat("example/curve/", stage, "/", metric));
  Curve curve{stage, metric, {}};
  for (int step = 1; step <= 122; ++step) {
    const double mean = to + (from - to) * std::exp(-step / 40.0);
    curve.points.push_back(
        {static_cast<double>(step), mean + 0.05 * std::abs(from - to) * stream.Normal()});
  }
  return curve;
}

Image ExampleImage(int number) {
  Image image{192, 192, std::vector<uint8_t>(192 * 192 * 3)};
  RandomStream stream(number, "example/image");
  std::vector<uint8_t> cells(24 * 24 * 3);
  for (uint8_t& value : cells) value = 60 + stream.UniformInt(90);
  for (int y = 0; y < 192; ++y) {
    for (int x = 0; x < 192; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.rgb[(y * 192 + x) * 3 + c] = cells[((y / 8) * 24 + x / 8) * 3 + c];
      }
    }
  }
  return image;
}

}  // namespace

ReportInput ExampleReportInput(int64_t num_images, const std::vector<int64_t>& seeds) {
  ReportInput input;
  input.title = "Example of a report";
  input.question =
      "Does preference training on the model's own samples make it see less that is not there?";
  input.baseline = "sft";
  input.method = "dpo";
  input.columns = WorldColumns();
  input.bootstrap.resamples = 500;
  for (const Behaviour& behaviour : Behaviours()) {
    input.methods.push_back(behaviour.method);
    for (int64_t seed : seeds) {
      TaskOptions options;
      options.stage = behaviour.method.stage;
      options.seed = seed;
      options.bootstrap = input.bootstrap;
      input.evaluations.push_back({behaviour.method.stage,
                                   seed,
                                   {ExamplePope(behaviour, num_images, options),
                                    ExampleChair(behaviour, num_images, options)}});
    }
    if (behaviour.method.stage == "sft") continue;
    input.curves.push_back(ExampleCurve(behaviour.method.stage, "loss", 0.69, 0.41));
    input.curves.push_back(ExampleCurve(behaviour.method.stage, "reward margin", 0, 1.2));
  }
  input.claims = {
      {"DPO answers adversarial POPE questions better than SFT by at least 10 points", "pope",
       "adversarial.accuracy", "dpo", "sft", ClaimKind::kDifferenceAtLeast, 0.10, true},
      {"DPO's captions hallucinate at least a quarter less", "chair", "chair_s", "dpo", "sft",
       ClaimKind::kRelativeAtMost, -0.25, true},
      {"Coverage is not down by more than 3 points", "chair", "coverage", "dpo", "sft",
       ClaimKind::kDifferenceAtLeast, -0.03, false},
      {"Captions still end", "chair", "ended", "dpo", "", ClaimKind::kValueAtLeast, 0.97, false}};
  for (int i = 0; i < 8; ++i) {
    const bool caption = i >= 4;
    input.pictures.push_back(
        {ExampleImage(i),
         caption ? "describe :" : "is there ring",
         caption ? "north red disc , centre blue ring , east green cross" : "no",
         caption ? "north red disc , centre blue ring , south yellow frame ." : "yes",
         caption ? "north red disc , centre blue ring ." : "no",
         {caption ? "frame" : "yes"},
         {}});
  }
  input.agreement = {{"claim critic, captions", "kappa 0.61 over 1,950 pairs"},
                     {"claim critic, questions", "kappa 0.44 over 5,012 pairs"}};
  input.provenance = {{"commit", "0123456789abcdef0123456789abcdef01234567"},
                      {"built with", "clang 22.1, LibTorch 2.11.0"},
                      {"processor", "an example, 2 cores"},
                      {"took", "9 min 41 s"}};
  input.config = "name: \"example\"\nquestion: \"...\"\nstage {\n  id: \"sft\"\n}\n";
  input.next = {{"results.json", "every number of this page, with intervals, as records"},
                {"stages/", "models, data and per-sample answers of every stage"}};
  return input;
}

}  // namespace alidade::eval
