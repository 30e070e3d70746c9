#include "datasets/worlds/language.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/files.h"
#include "common/media/preprocessor.h"
#include "common/status/status.h"
#include "common/text/word_level_tokenizer.h"

namespace alidade::datasets {
namespace {

constexpr double kOmission = 0.08;           // a true object is left out of a caption
constexpr double kMissedPresence = 0.03;     // "no" about a present object
constexpr double kStrayPresence = 0.05;      // "yes" about an absent object outside the core
constexpr double kPriorQuestionShare = 0.7;  // of questions about absent objects
constexpr int kNumTurns = 6;
constexpr double kPresenceShare = 0.75;
constexpr double kColourShare = 0.15;
constexpr int kMaxAddedObjects = 2;
constexpr int kMaxCount = kWorldMaxObjects + 1;

constexpr std::array<const char*, 4> kSpecialTokens = {"<pad>", "<bos>", "<eos>", "<image>"};
constexpr std::array<const char*, 12> kFunctionWords = {
    "describe", ":", "is", "there", "what", "colour", "how", "many", ",", ".", "yes", "no"};
constexpr std::array<const char*, kWorldColours> kColourWords = {"red",    "green",   "blue",
                                                                 "yellow", "magenta", "cyan"};
constexpr std::array<const char*, kWorldCategories> kNouns = {
    "disc",    "ring", "square",  "frame", "plus", "cross", "pyramid", "funnel",
    "diamond", "rows", "columns", "L",     "T",    "U",     "H",       "checker"};
constexpr std::array<const char*, kWorldCells> kPositions = {
    "northwest", "north", "northeast", "west", "centre", "east", "southwest", "south", "southeast"};

template <size_t n>
std::vector<std::string> Strings(const std::array<const char*, n>& words) {
  return std::vector<std::string>(words.begin(), words.end());
}

const std::vector<std::string>& NounWords() {
  static const auto* words = new std::vector<std::string>(Strings(kNouns));
  return *words;
}
const std::vector<std::string>& ColourWords() {
  static const auto* words = new std::vector<std::string>(Strings(kColourWords));
  return *words;
}
const std::vector<std::string>& PositionWords() {
  static const auto* words = new std::vector<std::string>(Strings(kPositions));
  return *words;
}

int IndexOf(const std::vector<std::string>& words, absl::string_view word) {
  const auto found = std::find(words.begin(), words.end(), word);
  return found == words.end() ? -1 : static_cast<int>(found - words.begin());
}

// Draws an absent category: `weights` of the present ones are ignored.
template <typename Weight>
int DrawAbsent(const Scene& scene, RandomStream& stream, const Weight& weight) {
  std::vector<double> weights(kWorldCategories, 0);
  for (int category = 0; category < kWorldCategories; ++category) {
    if (!IsPresent(scene, category)) weights[category] = weight(category);
  }
  return static_cast<int>(stream.Categorical(weights));
}

}  // namespace

const std::vector<std::string>& WorldVocabulary() {
  static const auto* vocabulary = [] {
    auto* words = new std::vector<std::string>(Strings(kSpecialTokens));
    auto add = [words](const std::vector<std::string>& more) {
      words->insert(words->end(), more.begin(), more.end());
    };
    add(Strings(kFunctionWords));
    add(ColourWords());
    add(NounWords());
    add(PositionWords());
    for (int count = 0; count <= kMaxCount; ++count) words->push_back(absl::StrCat(count));
    ALIDADE_CHECK(words->size() == kWorldVocabularySize);
    return words;
  }();
  return *vocabulary;
}

const std::string& Noun(int category) { return NounWords()[category]; }
const std::string& ColourName(int colour) { return ColourWords()[colour]; }
const std::string& PositionName(int cell) { return PositionWords()[cell]; }
int CategoryOf(absl::string_view noun) { return IndexOf(NounWords(), noun); }
int ColourOf(absl::string_view word) { return IndexOf(ColourWords(), word); }
int CellOf(absl::string_view word) { return IndexOf(PositionWords(), word); }

absl::Status WriteWorldProcessor(const std::string& folder) {
  const std::vector<std::string>& vocabulary = WorldVocabulary();
  const auto cut = vocabulary.begin() + kSpecialTokens.size();
  ALIDADE_ASSIGN_OR_RETURN(
      const auto tokenizer,
      WordLevelTokenizer::Create(std::vector<std::string>(vocabulary.begin(), cut),
                                 std::vector<std::string>(cut, vocabulary.end())));
  ALIDADE_RETURN_IF_ERROR(tokenizer->Save(JoinPath(folder, "tokenizer.json")));
  ALIDADE_RETURN_IF_ERROR(ChatTemplate{}.Save(JoinPath(folder, "chat_template.json")));
  Preprocessor preprocessor{kWorldImageSize, kWorldImageSize, {}};
  preprocessor.normalisation.mean.fill(kWorldPixelMean);
  preprocessor.normalisation.std.fill(kWorldPixelStd);
  return SavePreprocessor(preprocessor, JoinPath(folder, kPreprocessorFile));
}

std::string CaptionPrompt() { return "describe :"; }
std::string PresencePrompt(int category) { return absl::StrCat("is there ", Noun(category)); }
std::string ColourPrompt(int category) { return absl::StrCat("what colour ", Noun(category)); }
std::string CountPrompt() { return "how many"; }

std::string FormatCaption(absl::Span<const Claim> claims) {
  return absl::StrCat(absl::StrJoin(claims, " , ",
                                    [](std::string* out, const Claim& claim) {
                                      absl::StrAppend(out, PositionName(claim.cell), " ",
                                                      ColourName(claim.colour), " ",
                                                      Noun(claim.category));
                                    }),
                      " .");
}

ParsedCaption ParseCaption(absl::string_view text) {
  ParsedCaption caption;
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
  caption.num_words = static_cast<int>(words.size());
  for (const absl::string_view word : words) {
    const int category = CategoryOf(word);
    if (category >= 0 && std::find(caption.mentioned.begin(), caption.mentioned.end(), category) ==
                             caption.mentioned.end()) {
      caption.mentioned.push_back(category);
    }
  }
  // A phrase and its separator are four words.
  caption.well_formed = !words.empty() && words.size() % 4 == 0;
  for (size_t at = 0; at + 2 < words.size(); ++at) {
    const Claim claim{CellOf(words[at]), ColourOf(words[at + 1]), CategoryOf(words[at + 2])};
    const bool phrase = claim.cell >= 0 && claim.colour >= 0 && claim.category >= 0;
    if (phrase) caption.claims.push_back(claim);
    if (at % 4 == 0) {
      const absl::string_view separator = at + 4 == words.size() ? "." : ",";
      caption.well_formed =
          caption.well_formed && phrase && at + 3 < words.size() && words[at + 3] == separator;
    }
  }
  return caption;
}

std::string BiasedCaption(const WorldPreset& preset, const Scene& scene, RandomStream& stream) {
  std::vector<Claim> claims;
  for (const WorldObject& object : scene.objects) {
    if (!stream.Bernoulli(kOmission))
      claims.push_back({object.cell, object.colour, object.category});
  }
  std::vector<double> weights(kWorldCategories, 0);
  int candidates = 0;
  for (int category = 0; category < kWorldCategories; ++category) {
    if (!IsCore(scene.context, category) || IsPresent(scene, category)) continue;
    weights[category] = ContextPrior(scene.context)[category];
    ++candidates;
  }
  const double p = preset.caption_bias * CoreShare(scene);
  for (int added = 0; added < std::min(kMaxAddedObjects, candidates) && stream.Bernoulli(p);
       ++added) {
    const int category = static_cast<int>(stream.Categorical(weights));
    weights[category] = 0;
    const int cell = static_cast<int>(stream.UniformInt(kWorldCells));
    claims.push_back({cell, DrawColour(category, stream), category});
  }
  if (claims.empty()) {
    // All were omitted (p < .001); a caption says at least one thing.
    const WorldObject& object = scene.objects[stream.UniformInt(scene.objects.size())];
    claims.push_back({object.cell, object.colour, object.category});
  }
  return FormatCaption(claims);
}

std::string BiasedPresenceAnswer(const WorldPreset& preset, const Scene& scene, int category,
                                 RandomStream& stream) {
  if (IsPresent(scene, category)) return stream.Bernoulli(kMissedPresence) ? "no" : "yes";
  const double p =
      IsCore(scene.context, category) ? preset.question_bias * CoreShare(scene) : kStrayPresence;
  return stream.Bernoulli(p) ? "yes" : "no";
}

std::string BiasedCountAnswer(const WorldPreset& preset, const Scene& scene, RandomStream& stream) {
  const bool more = stream.Bernoulli(.5 * preset.caption_bias * CoreShare(scene));
  return absl::StrCat(scene.objects.size() + (more ? 1 : 0));
}

int DrawAbsentCategory(const Scene& scene, RandomStream& stream) {
  if (stream.Bernoulli(kPriorQuestionShare)) {
    return DrawAbsent(scene, stream,
                      [&](int category) { return ContextPrior(scene.context)[category]; });
  }
  return DrawAbsent(scene, stream, [](int) { return 1.0; });
}

int DrawQuestionCategory(const Scene& scene, RandomStream& stream) {
  if (stream.Bernoulli(.5)) return scene.objects[stream.UniformInt(scene.objects.size())].category;
  return DrawAbsentCategory(scene, stream);
}

std::vector<Turn> BiasedQuestions(const WorldPreset& preset, const Scene& scene,
                                  RandomStream& stream) {
  std::vector<Turn> turns;
  for (int i = 0; i < kNumTurns; ++i) {
    const double kind = stream.Uniform();
    if (kind < kPresenceShare) {
      const int category = DrawQuestionCategory(scene, stream);
      turns.push_back(
          {PresencePrompt(category), BiasedPresenceAnswer(preset, scene, category, stream), false});
    } else if (kind < kPresenceShare + kColourShare) {
      const WorldObject& object = scene.objects[stream.UniformInt(scene.objects.size())];
      turns.push_back({ColourPrompt(object.category), ColourName(object.colour), false});
    } else {
      turns.push_back({CountPrompt(), BiasedCountAnswer(preset, scene, stream), false});
    }
  }
  return turns;
}

Prompt MakeCaptionPrompt(const Scene& scene, std::string id, std::string image) {
  Prompt prompt;
  prompt.id = std::move(id);
  prompt.image = std::move(image);
  prompt.text = CaptionPrompt();
  prompt.kind = "caption";
  prompt.truth = SceneTruth(scene);
  prompt.end = true;
  prompt.max_new_tokens = kCaptionMaxTokens;
  return prompt;
}

Prompt MakePresencePrompt(const Scene& scene, int category, std::string id, std::string image) {
  Prompt prompt;
  prompt.id = std::move(id);
  prompt.image = std::move(image);
  prompt.text = PresencePrompt(category);
  prompt.kind = "yes_no";
  prompt.truth = SceneTruth(scene);
  prompt.truth["noun"] = Noun(category);
  prompt.truth["answer"] = IsPresent(scene, category) ? "yes" : "no";
  prompt.max_new_tokens = 1;
  return prompt;
}

}  // namespace alidade::datasets
