#ifndef ALIDADE_DATASETS_WORLDS_LANGUAGE_H_
#define ALIDADE_DATASETS_WORLDS_LANGUAGE_H_

// The world's language: 54 words, four kinds of prompt, and the annotator whose answers lean on the
// context's prior.
//
//   describe :            northwest red disc , centre blue ring .
//   is there NOUN         yes | no
//   what colour NOUN      red
//   how many              3

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/provenance/random_stream.h"
#include "common/text/chat_template.h"
#include "datasets/schema/records.h"
#include "datasets/worlds/world.h"

namespace alidade::datasets {

// All 54 tokens in the order of their ids: <pad> <bos> <eos> <image>, then words.
const std::vector<std::string>& WorldVocabulary();
inline constexpr int kWorldVocabularySize = 54;
inline constexpr int kWorldPadId = 0;
inline constexpr int kWorldBosId = 1;
inline constexpr int kWorldEosId = 2;
inline constexpr int kWorldImageId = 3;

const std::string& Noun(int category);
const std::string& ColourName(int colour);
const std::string& PositionName(int cell);
// -1 if the word is none.
int CategoryOf(absl::string_view noun);
int ColourOf(absl::string_view word);
int CellOf(absl::string_view word);

// What a model of this language needs beside its weights: tokenizer.json, chat_template.json (<bos>
// <image>, then the turns) and preprocessor_config.json (kWorldPixelMean, kWorldPixelStd). World
// datasets bring these files along; training copies them into the model folder.
absl::Status WriteWorldProcessor(const std::string& folder);

std::string CaptionPrompt();  // "describe :"
std::string PresencePrompt(int category);
std::string ColourPrompt(int category);
std::string CountPrompt();
inline constexpr int kCaptionMaxTokens =
    48;  // seven phrases with separators and the end token need 29

// One phrase "POSITION COLOUR NOUN" of a caption.
struct Claim {
  int cell = 0;
  int colour = 0;
  int category = 0;
};

// "P C N , P C N ." for at least one claim.
std::string FormatCaption(absl::Span<const Claim> claims);

// What a caption says, in a form that any text has.
struct ParsedCaption {
  std::vector<Claim> claims;  // well-formed phrases, in order
  std::vector<int>
      mentioned;  // distinct categories of all nouns anywhere in the text, in order of mention
  int num_words = 0;
  bool well_formed = false;  // phrases joined by "," and one "." at the end, nothing else
};
ParsedCaption ParseCaption(absl::string_view text);

// Captions and answers of the biased annotator (world.md section 2). f is CoreShare(scene).
// Omits each object with p = .08; with p = b_cap f appends an absent core object, and then with the
// same p a second.
std::string BiasedCaption(const WorldPreset& preset, const Scene& scene, RandomStream& stream);
// Present: "no" with p = .03. Absent: "yes" with p = b_q f if core, else .05.
std::string BiasedPresenceAnswer(const WorldPreset& preset, const Scene& scene, int category,
                                 RandomStream& stream);
// One more than there are with p = .5 b_cap f.
std::string BiasedCountAnswer(const WorldPreset& preset, const Scene& scene, RandomStream& stream);

// An absent category: .7 from the context's prior, .3 uniformly.
int DrawAbsentCategory(const Scene& scene, RandomStream& stream);
// A category to ask about: half the time present, else absent as above.
int DrawQuestionCategory(const Scene& scene, RandomStream& stream);

// Six turns: 75 % presence, 15 % colour, 10 % count.
std::vector<Turn> BiasedQuestions(const WorldPreset& preset, const Scene& scene,
                                  RandomStream& stream);

// Prompts with ground truth; `id` and `image` are given, `truth` is SceneTruth(scene) and for
// questions "noun", "answer".
Prompt MakeCaptionPrompt(const Scene& scene, std::string id, std::string image);
Prompt MakePresencePrompt(const Scene& scene, int category, std::string id, std::string image);

}  // namespace alidade::datasets

#endif  // ALIDADE_DATASETS_WORLDS_LANGUAGE_H_
