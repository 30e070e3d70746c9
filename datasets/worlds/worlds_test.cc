#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/media/preprocessor.h"
#include "common/provenance/random_stream.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "common/text/chat_template.h"
#include "common/text/tokenizer.h"
#include "datasets/worlds/language.h"
#include "datasets/worlds/test_split.h"
#include "datasets/worlds/world.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::datasets {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

WorldPreset Hard() { return *FindWorldPreset("hard"); }

// A share is tested against five standard deviations of its binomial estimate: a right program
// fails once in a million.
void ExpectShare(double hits, double trials, double p, const std::string& what) {
  const double tolerance = 5 * std::sqrt(p * (1 - p) / trials);
  EXPECT_NEAR(hits / trials, p, tolerance) << what << ", " << trials << " trials";
}

std::vector<Scene> DrawScenes(int count, absl::string_view name) {
  std::vector<Scene> scenes;
  RandomStream stream(1, name);
  for (int i = 0; i < count; ++i) scenes.push_back(DrawScene(Hard(), stream));
  return scenes;
}

Scene MakeScene(int context, const std::vector<int>& categories) {
  Scene scene;
  scene.context = context;
  for (size_t i = 0; i < categories.size(); ++i) {
    scene.objects.push_back(
        {.category = categories[i], .colour = 0, .cell = static_cast<int>(2 * i), .contrast = 0.9});
  }
  return scene;
}

TEST(WorldTest, PresetsAreTheDocumentedOnes) {
  EXPECT_EQ(Hard().noise, .22);
  EXPECT_EQ(Hard().contrast_low, .15);
  EXPECT_EQ(Hard().caption_bias, .55);
  EXPECT_EQ(Hard().question_bias, .7);
  const WorldPreset easy = *FindWorldPreset("easy");
  EXPECT_EQ(easy.noise, .18);
  EXPECT_EQ(easy.contrast_low, .2);
  EXPECT_EQ(easy.contrast_high, .9);
  EXPECT_EQ(easy.caption_bias, .65);
  EXPECT_EQ(easy.question_bias, .6);
  EXPECT_THAT(FindWorldPreset("esy"),
              StatusIs(absl::StatusCode::kNotFound, AllOf(HasSubstr("esy"), HasSubstr("easy"))));
}

TEST(WorldTest, PriorGivesTheCoreItsShare) {
  for (int context = 0; context < kWorldContexts; ++context) {
    double core = 0;
    double all = 0;
    for (int category = 0; category < kWorldCategories; ++category) {
      all += ContextPrior(context)[category];
      if (IsCore(context, category)) core += ContextPrior(context)[category];
    }
    EXPECT_NEAR(core, .85, 1e-12);
    EXPECT_NEAR(all, 1, 1e-12);
  }
  // The core of context 3 wraps round: 12, 13, 14, 15, 0, 1.
  EXPECT_NEAR(ContextPrior(3)[12] / ContextPrior(3)[1], 1 / .5, 1e-12);
  EXPECT_TRUE(IsCore(3, 1));
  EXPECT_FALSE(IsCore(3, 2));
}

TEST(WorldTest, ScenesAreWellFormedAndUniformWhereTheyShould) {
  const int n = 20000;
  std::map<int, int> contexts, sizes;
  int first_core = 0, own_colour = 0, objects = 0, shifted = 0;
  double contrast = 0;
  for (const Scene& scene : DrawScenes(n, "scenes")) {
    ++contexts[scene.context];
    ++sizes[scene.objects.size()];
    std::set<int> categories, cells;
    int last = -1;
    for (const WorldObject& object : scene.objects) {
      categories.insert(object.category);
      cells.insert(object.cell);
      EXPECT_GT(object.cell, last) << "raster order";
      last = object.cell;
      ASSERT_GE(object.contrast, .15);
      ASSERT_LE(object.contrast, .9);
      contrast += object.contrast;
      own_colour += object.colour == object.category % kWorldColours;
      shifted += object.shift_x + object.shift_y;
      ++objects;
    }
    ASSERT_EQ(categories.size(), scene.objects.size());
    ASSERT_EQ(cells.size(), scene.objects.size());
    first_core += IsPresent(scene, 4 * scene.context);
  }
  ASSERT_EQ(sizes.size(), 3u);
  for (int size = 3; size <= 5; ++size)
    ExpectShare(sizes[size], n, 1. / 3, absl::StrCat(size, " objects"));
  for (int context = 0; context < 4; ++context)
    ExpectShare(contexts[context], n, .25, absl::StrCat("context ", context));
  ExpectShare(own_colour, objects, .5 + .5 / 6, "own colour");
  ExpectShare(shifted, 2 * objects, .1, "shifts");
  EXPECT_NEAR(contrast / objects, .525, 5 * .2166 / std::sqrt(objects)) << "mean of U(.15, .9)";
  EXPECT_GT(first_core, n / 2) << "the heaviest core category is in most scenes of its context";
}

// The enumeration and the Gumbel draw are two ways to the same distribution.
TEST(WorldTest, ExactStatisticsAgreeWithDraws) {
  const int n = 40000;
  std::array<std::array<int, kWorldCategories>, kWorldCategories> together = {};
  for (const Scene& scene : DrawScenes(n, "statistics")) {
    for (const WorldObject& a : scene.objects) {
      for (const WorldObject& b : scene.objects) ++together[a.category][b.category];
    }
  }
  double expected_objects = 0;
  for (int a = 0; a < kWorldCategories; ++a) {
    expected_objects += Statistics().frequency[a];
    for (int b = 0; b < kWorldCategories; ++b) {
      ExpectShare(together[a][b], n, Statistics().together[a][b], absl::StrCat(a, " with ", b));
    }
  }
  EXPECT_NEAR(expected_objects, 4, 1e-9) << "mean of 3, 4, 5";
}

TEST(WorldTest, CoreShareOfTheFirstDrawIsRho) {
  // Of one object per scene, drawn first, 85 % are core; later draws have less left to draw from.
  const int n = 20000;
  int core = 0, objects = 0;
  for (const Scene& scene : DrawScenes(n, "core")) {
    for (const WorldObject& object : scene.objects) core += IsCore(scene.context, object.category);
    objects += scene.objects.size();
  }
  EXPECT_LT(static_cast<double>(core) / objects, .85);
  EXPECT_GT(static_cast<double>(core) / objects, .70);
}

TEST(WorldTest, RenderingShowsEveryObjectInItsCellOnly) {
  WorldPreset quiet = Hard();
  quiet.noise = 0;
  Scene scene = MakeScene(0, {2});
  scene.objects[0].cell = 4;
  scene.objects[0].colour = 3;
  scene.objects[0].contrast = 1;
  RandomStream with(1, "render"), without(1, "render");
  const Image image = RenderScene(quiet, scene, with);
  Scene empty = scene;
  empty.objects.clear();
  const Image background = RenderScene(quiet, empty, without);
  // (x + .5) / 2 of the colour (.9, .9, .2).
  const std::array<int, 3> expected = {179, 179, 89};
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 24; ++x) {
      const bool inside = x >= 8 && x < 15 && y >= 8 && y < 15;
      for (int channel = 0; channel < 3; ++channel) {
        const size_t at = (y * 24 + x) * 3 + channel;
        EXPECT_NEAR(image.rgb[at], inside ? expected[channel] : background.rgb[at], inside ? 1 : 0)
            << x << ", " << y;
      }
    }
  }
}

TEST(WorldTest, NoiseHasItsDeviationAndIsNotCutOff) {
  WorldPreset preset = Hard();
  WorldPreset quiet = preset;
  quiet.noise = 0;
  double square = 0, cut = 0;
  size_t values = 0;
  for (int i = 0; i < 50; ++i) {
    RandomStream scenes(i, "noise");
    const Scene scene = DrawScene(preset, scenes);
    RandomStream a(i, "render"), b(i, "render");
    const Image noisy = RenderScene(preset, scene, a);
    const Image clean = RenderScene(quiet, scene, b);
    for (size_t j = 0; j < noisy.rgb.size(); ++j) {
      const double difference = (noisy.rgb[j] - clean.rgb[j]) / 255. / .5;
      square += difference * difference;
      cut += noisy.rgb[j] == 0 || noisy.rgb[j] == 255;
      ++values;
    }
  }
  EXPECT_NEAR(std::sqrt(square / values), .22, .003);
  EXPECT_LT(cut / values, .002);
}

TEST(WorldTest, ShapesDifferClearly) {
  WorldPreset quiet = Hard();
  quiet.noise = 0;
  std::vector<Image> images;
  for (int category = 0; category < kWorldCategories; ++category) {
    RandomStream stream(1, "shape");
    images.push_back(RenderScene(quiet, MakeScene(0, {category}), stream));
  }
  for (int a = 0; a < kWorldCategories; ++a) {
    for (int b = 0; b < a; ++b) {
      int pixels = 0;
      for (size_t i = 0; i < images[a].rgb.size(); i += 3)
        pixels += images[a].rgb[i] != images[b].rgb[i];
      EXPECT_GE(pixels, 9) << Noun(a) << " and " << Noun(b);
    }
  }
}

TEST(WorldTest, TruthRoundTrip) {
  for (const Scene& scene : DrawScenes(50, "truth")) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(const Scene read, SceneFromTruth(SceneTruth(scene)));
    EXPECT_EQ(SceneTruth(read), SceneTruth(scene));
    EXPECT_EQ(read.context, scene.context);
  }
  nlohmann::json truth = SceneTruth(MakeScene(1, {3, 4, 5}));
  truth["objects"][1]["noun"] = "sphere";
  EXPECT_THAT(SceneFromTruth(truth),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("objects[1].noun"), HasSubstr("sphere"))));
  EXPECT_THAT(SceneFromTruth({{"context", 9}}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(LanguageTest, VocabularyHasFiftyFourDistinctWords) {
  const std::vector<std::string>& words = WorldVocabulary();
  EXPECT_EQ(words.size(), 54u);
  EXPECT_EQ(std::set<std::string>(words.begin(), words.end()).size(), 54u);
  EXPECT_EQ(words[kWorldPadId], "<pad>");
  EXPECT_EQ(words[kWorldBosId], "<bos>");
  EXPECT_EQ(words[kWorldEosId], "<eos>");
  EXPECT_EQ(words[kWorldImageId], "<image>");
}

TEST(LanguageTest, TokenizerKnowsEverythingThatIsSaid) {
  const std::string folder = TempFolder();
  ALIDADE_ASSERT_OK(WriteWorldProcessor(folder));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const auto tokenizer,
                               Tokenizer::Load(JoinPath(folder, "tokenizer.json")));
  EXPECT_EQ(tokenizer->vocab_size(), kWorldVocabularySize);
  for (int id = 0; id < kWorldVocabularySize; ++id)
    EXPECT_THAT(tokenizer->Token(id), IsOkAndHolds(WorldVocabulary()[id]));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ChatTemplate chat,
                               ChatTemplate::Load(JoinPath(folder, "chat_template.json")));
  RandomStream stream(3, "say");
  size_t longest = 0;
  for (const Scene& scene : DrawScenes(300, "say")) {
    const std::vector<Turn> caption = {
        {CaptionPrompt(), BiasedCaption(Hard(), scene, stream), true}};
    ALIDADE_ASSERT_OK_AND_ASSIGN(const EncodedConversation encoded,
                                 chat.Encode(*tokenizer, caption));
    EXPECT_EQ(encoded.ids[0], kWorldBosId);
    EXPECT_EQ(encoded.ids[1], kWorldImageId);
    EXPECT_EQ(encoded.ids.back(), kWorldEosId);
    longest = std::max(longest, encoded.ids.size());
    ASSERT_THAT(chat.Encode(*tokenizer, BiasedQuestions(Hard(), scene, stream)), IsOk());
  }
  EXPECT_LE(longest, 4u + kCaptionMaxTokens);
  ALIDADE_ASSERT_OK_AND_ASSIGN(const Preprocessor preprocessor,
                               LoadPreprocessor(JoinPath(folder, "preprocessor_config.json")));
  EXPECT_EQ(preprocessor.width, 24);
  EXPECT_EQ(preprocessor.normalisation.mean[1], kWorldPixelMean);
  EXPECT_EQ(preprocessor.normalisation.std[2], kWorldPixelStd);
}

TEST(LanguageTest, CaptionsParseBack) {
  const std::vector<Claim> claims = {{0, 0, 0}, {4, 2, 11}};
  const std::string text = FormatCaption(claims);
  EXPECT_EQ(text, "northwest red disc , centre blue L .");
  const ParsedCaption parsed = ParseCaption(text);
  EXPECT_TRUE(parsed.well_formed);
  EXPECT_EQ(parsed.num_words, 8);
  EXPECT_EQ(parsed.mentioned, (std::vector<int>{0, 11}));
  ASSERT_EQ(parsed.claims.size(), 2u);
  EXPECT_EQ(parsed.claims[1].cell, 4);
  EXPECT_EQ(parsed.claims[1].colour, 2);

  const ParsedCaption cut = ParseCaption("northwest red disc , centre blue");
  EXPECT_FALSE(cut.well_formed);
  EXPECT_EQ(cut.claims.size(), 1u);
  const ParsedCaption twice = ParseCaption("north red disc , south red disc .");
  EXPECT_TRUE(twice.well_formed);
  EXPECT_EQ(twice.mentioned, std::vector<int>{0});
  EXPECT_EQ(twice.claims.size(), 2u);
  EXPECT_FALSE(ParseCaption("north red disc . south red ring .").well_formed);
  EXPECT_FALSE(ParseCaption("").well_formed);
  EXPECT_EQ(ParseCaption("yes ring ring").mentioned, std::vector<int>{1});
}

TEST(LanguageTest, CaptionsAreBiasedAsDocumented) {
  // Context 0 has core 0..5. Three of four are core: f = .75; absent core objects: 3, 4, 5.
  const Scene scene = MakeScene(0, {0, 1, 2, 9});
  ASSERT_EQ(CoreShare(scene), .75);
  const double p = .55 * .75;
  const int n = 20000;
  int omitted = 0, one = 0, two = 0, third = 0, stray = 0;
  std::map<int, int> cells;
  RandomStream stream(5, "captions");
  for (int i = 0; i < n; ++i) {
    const ParsedCaption caption = ParseCaption(BiasedCaption(Hard(), scene, stream));
    ASSERT_TRUE(caption.well_formed);
    int present = 0, absent = 0;
    bool seen_absent = false;
    for (const Claim& claim : caption.claims) {
      if (IsPresent(scene, claim.category)) {
        ++present;
        EXPECT_FALSE(seen_absent) << "additions come last";
        EXPECT_EQ(claim.colour, 0);
      } else {
        ++absent;
        if (!seen_absent) {
          ++cells[claim.cell];
          third += claim.category == 3;
        }
        seen_absent = true;
        stray += !IsCore(0, claim.category);
      }
    }
    omitted += 4 - present;
    one += absent >= 1;
    two += absent == 2;
  }
  ExpectShare(omitted, 4. * n, .08, "omissions");
  ExpectShare(one, n, p, "first addition");
  ExpectShare(two, one, p, "second addition");
  ExpectShare(third, one, .7 / (.7 + .6 + .5), "additions by prior weight");
  EXPECT_EQ(stray, 0);
  EXPECT_EQ(cells.size(), 9u);
  for (const auto& [cell, count] : cells)
    ExpectShare(count, one, 1. / 9, absl::StrCat("cell ", cell));
}

TEST(LanguageTest, AnswersAreBiasedAsDocumented) {
  const Scene scene = MakeScene(0, {0, 1, 2, 9});
  const int n = 20000;
  RandomStream stream(6, "answers");
  int missed = 0, core = 0, stray = 0, more = 0;
  for (int i = 0; i < n; ++i) {
    missed += BiasedPresenceAnswer(Hard(), scene, 9, stream) == "no";
    core += BiasedPresenceAnswer(Hard(), scene, 4, stream) == "yes";
    stray += BiasedPresenceAnswer(Hard(), scene, 12, stream) == "yes";
    const std::string count = BiasedCountAnswer(Hard(), scene, stream);
    ASSERT_TRUE(count == "4" || count == "5") << count;
    more += count == "5";
  }
  ExpectShare(missed, n, .03, "missed presence");
  ExpectShare(core, n, .7 * .75, "absent core");
  ExpectShare(stray, n, .05, "absent outside the core");
  ExpectShare(more, n, .5 * .55 * .75, "count + 1");
}

TEST(LanguageTest, QuestionsHaveTheirShares) {
  const Scene scene = MakeScene(0, {0, 1, 2, 9});
  RandomStream stream(7, "questions");
  const int n = 5000;
  int presence = 0, colour = 0, count = 0, present = 0, absent_core = 0, absent = 0;
  for (int i = 0; i < n; ++i) {
    const std::vector<Turn> turns = BiasedQuestions(Hard(), scene, stream);
    ASSERT_EQ(turns.size(), 6u);
    for (const Turn& turn : turns) {
      EXPECT_FALSE(turn.end);
      if (turn.user == "how many") {
        ++count;
      } else if (turn.user.starts_with("what colour ")) {
        ++colour;
        EXPECT_EQ(turn.assistant, "red");
        EXPECT_TRUE(IsPresent(scene, CategoryOf(turn.user.substr(12))));
      } else {
        ++presence;
        const int category = CategoryOf(turn.user.substr(9));
        ASSERT_GE(category, 0) << turn.user;
        present += IsPresent(scene, category);
        if (!IsPresent(scene, category)) {
          ++absent;
          absent_core += IsCore(0, category);
        }
      }
    }
  }
  ExpectShare(presence, 6. * n, .75, "presence");
  ExpectShare(colour, 6. * n, .15, "colour");
  ExpectShare(count, 6. * n, .10, "count");
  ExpectShare(present, presence, .5, "about present objects");
  // Absent: core 3, 4, 5 with weights .7 + .6 + .5 of 4.5 x .85, and nine others of .015 each.
  const double core = .85 * 1.8 / 4.5;
  ExpectShare(absent_core, absent, .7 * core / (core + 9 * .015) + .3 * 3 / 12, "absent core");
}

TEST(TestSplitTest, IsFixedAndAPartIsAPartOfTheWhole) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const TestSplit split, TestSplit::Create("hard"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const TestSplit part, TestSplit::Create("hard", 7));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Prompt> prompts, split.Prompts());
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Prompt> few, part.Prompts());
  ASSERT_EQ(prompts.size(), 600u * 19);
  ASSERT_EQ(few.size(), 7u * 19);
  std::set<std::string> ids;
  for (const Prompt& prompt : prompts) ids.insert(prompt.id);
  EXPECT_EQ(ids.size(), prompts.size());
  for (size_t i = 0; i < few.size(); ++i) {
    EXPECT_EQ(few[i].id, prompts[i].id);
    EXPECT_EQ(few[i].text, prompts[i].text);
    EXPECT_EQ(few[i].truth, prompts[i].truth);
    ALIDADE_ASSERT_OK_AND_ASSIGN(const Image a, part.LoadImage(few[i].image));
    EXPECT_THAT(split.LoadImage(few[i].image), IsOkAndHolds(a));
  }
  EXPECT_THAT(part.LoadImage(prompts.back().image),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("test/000599.png")));
  EXPECT_THAT(TestSplit::Create("hard", 601),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1..600")));
}

TEST(TestSplitTest, QuestionsFollowThePopeProtocol) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const TestSplit split, TestSplit::Create("hard"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const std::vector<Prompt> prompts, split.Prompts());
  int adversarial_core = 0, random_core = 0, available_core = 0;
  std::set<std::string> popular;
  for (int image = 0; image < kTestImages; ++image) {
    const Scene& scene = split.scenes()[image];
    for (int category = 0; category < kWorldCategories; ++category) {
      available_core += IsCore(scene.context, category) && !IsPresent(scene, category);
    }
    std::map<std::string, std::map<std::string, std::set<int>>>
        asked;  // group -> answer -> categories
    for (int i = 0; i < 19; ++i) {
      const Prompt& prompt = prompts[image * 19 + i];
      if (i == 0) {
        EXPECT_EQ(prompt.kind, "caption");
        EXPECT_TRUE(prompt.end);
        continue;
      }
      EXPECT_EQ(prompt.kind, "yes_no");
      EXPECT_FALSE(prompt.end);
      const int category = CategoryOf(prompt.truth["noun"].get<std::string>());
      EXPECT_EQ(prompt.text, PresencePrompt(category));
      EXPECT_EQ(prompt.truth["answer"], IsPresent(scene, category) ? "yes" : "no");
      asked[prompt.group][prompt.truth["answer"].get<std::string>()].insert(category);
    }
    ASSERT_EQ(asked.size(), 3u);
    for (auto& [group, answers] : asked) {
      EXPECT_EQ(answers["yes"].size(), 3u) << group;
      EXPECT_EQ(answers["no"].size(), 3u) << group;
      EXPECT_EQ(answers["yes"], asked["random"]["yes"])
          << "the same present objects in every split";
    }
    double least = 2;
    for (const int category : asked["popular"]["no"])
      least = std::min(least, Statistics().frequency[category]);
    for (int category = 0; category < kWorldCategories; ++category) {
      if (!IsPresent(scene, category) && !asked["popular"]["no"].contains(category)) {
        EXPECT_LE(Statistics().frequency[category], least + 1e-9)
            << "a more frequent absent object was left out";
      }
    }
    for (const int category : asked["adversarial"]["no"])
      adversarial_core += IsCore(scene.context, category);
    for (const int category : asked["random"]["no"]) random_core += IsCore(scene.context, category);
  }
  EXPECT_GT(adversarial_core, .7 * std::min(available_core, 3 * kTestImages))
      << "adversarial questions aim at the core";
  EXPECT_LT(random_core, adversarial_core / 2);
}

TEST(TestSplitTest, NoScenePictureRepeats) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const TestSplit split, TestSplit::Create("easy"));
  std::set<std::vector<uint8_t>> images;
  for (int i = 0; i < kTestImages; ++i) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(
        const Image image,
        split.LoadImage(absl::StrCat("test/", absl::Dec(i, absl::kZeroPad6), ".png")));
    images.insert(image.rgb);
  }
  EXPECT_EQ(images.size(), 600u);
}

}  // namespace
}  // namespace alidade::datasets
