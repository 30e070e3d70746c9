#include "agents/claim_critic/policy.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"
#include "datasets/worlds/language.h"

namespace alidade::agents {
namespace {

using datasets::CategoryOf;
using datasets::ParseCaption;

// result[question][sample].
absl::StatusOr<std::vector<std::vector<std::string>>> ReadAnswers(const Observation& observation,
                                                                  size_t num_questions) {
  const JsonDocument document{"answers of ask_model", observation.data, {}};
  JsonFields fields(document);
  const nlohmann::json* answers = fields.RequiredArray("answers");
  if (answers != nullptr) {
    fields.Expect(answers->size() == num_questions, "answers",
                  absl::StrCat("answers to ", num_questions, " questions"));
  }
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  std::vector<std::vector<std::string>> result(answers->size());
  for (size_t i = 0; i < answers->size(); ++i) {
    for (const nlohmann::json& sample : (*answers)[i]) {
      if (!sample.is_string()) {
        return absl::InvalidArgumentError(
            absl::StrCat("answers[", i, "]: expected texts, got ", JsonForMessage(sample)));
      }
      result[i].push_back(sample.get<std::string>());
    }
    if (result[i].empty())
      return absl::InvalidArgumentError(
          absl::StrCat("answers[", i, "]: expected a sample, got none"));
  }
  return result;
}

nlohmann::json Question(absl::string_view id, const std::string& image, const std::string& text,
                        bool end, int64_t max_new_tokens) {
  return {{"id", id},
          {"image", image},
          {"text", text},
          {"end", end},
          {"max_new_tokens", max_new_tokens}};
}

}  // namespace

absl::Status ClaimCritic::Begin(uint64_t seed) {
  phase_ = Phase::kItems;
  items_.clear();
  claims_.clear();
  images_.clear();
  refuted_.clear();
  mentioned_.clear();
  return absl::OkStatus();
}

absl::StatusOr<Action> ClaimCritic::Act(const Observation& observation) {
  switch (phase_) {
    case Phase::kItems:
      ALIDADE_RETURN_IF_ERROR(ReadItems(observation));
      if (!claims_.empty()) return Ask(Phase::kVotes);
      if (!images_.empty()) return Ask(Phase::kCaptions);
      return Verdict();
    case Phase::kVotes:
      ALIDADE_RETURN_IF_ERROR(ReadVotes(observation));
      if (!images_.empty()) return Ask(Phase::kCaptions);
      return Verdict();
    case Phase::kCaptions:
      ALIDADE_RETURN_IF_ERROR(ReadCaptions(observation));
      return Verdict();
    case Phase::kDone:
      break;
  }
  return absl::FailedPreconditionError("the verdict is given; expected Begin");
}

absl::Status ClaimCritic::ReadItems(const Observation& observation) {
  const JsonDocument document{"observation", observation.data, {}};
  JsonFields fields(document);
  const nlohmann::json* items = fields.RequiredArray("items");
  ALIDADE_RETURN_IF_ERROR(fields.Finish());
  std::set<Claim> known_claims;
  std::set<std::string> known_images;
  for (size_t i = 0; i < items->size(); ++i) {
    std::string id, kind, text;
    Item item;
    JsonFields item_fields(document, (*items)[i], absl::StrCat("items[", i, "]"));
    item_fields.Required("id", &id);
    item_fields.Required("image", &item.image);
    item_fields.Required("kind", &kind);
    item_fields.OneOf("kind", &kind, {"caption", "yes_no"});
    item_fields.Required("text", &text);
    item_fields.Required("responses", &item.responses);
    item.caption = kind == "caption";
    absl::string_view noun = text;
    if (!item.caption) {
      const bool question = absl::ConsumePrefix(&noun, "is there ");
      item.category = CategoryOf(noun);
      item_fields.Expect(question && item.category >= 0, "text", "'is there NOUN'");
    }
    ALIDADE_RETURN_IF_ERROR(item_fields.Finish());
    if (item.caption) {
      for (const std::string& response : item.responses) {
        for (const int category : ParseCaption(response).mentioned) {
          if (known_claims.emplace(item.image, category).second)
            claims_.emplace_back(item.image, category);
        }
      }
    } else if (known_images.insert(item.image).second) {
      images_.push_back(item.image);
    }
    items_.push_back(std::move(item));
  }
  return absl::OkStatus();
}

absl::StatusOr<Action> ClaimCritic::Ask(Phase phase) {
  phase_ = phase;
  nlohmann::json questions = nlohmann::json::array();
  if (phase == Phase::kVotes) {
    for (const auto& [image, category] : claims_) {
      questions.push_back(Question(absl::StrCat(image, "/", datasets::Noun(category)), image,
                                   datasets::PresencePrompt(category), /*end=*/false,
                                   /*max_new_tokens=*/1));
    }
  } else {
    for (const std::string& image : images_) {
      questions.push_back(Question(image, image, datasets::CaptionPrompt(), /*end=*/true,
                                   datasets::kCaptionMaxTokens));
    }
  }
  const bool votes = phase == Phase::kVotes;
  return Action{ask_model_->name(),
                {{"questions", std::move(questions)},
                 {"samples", votes ? config_.votes : config_.captions},
                 {"temperature", config_.temperature},
                 {"stream", votes ? "claim_critic/votes" : "claim_critic/captions"}}};
}

absl::Status ClaimCritic::ReadVotes(const Observation& observation) {
  ALIDADE_ASSIGN_OR_RETURN(const auto answers, ReadAnswers(observation, claims_.size()));
  for (size_t i = 0; i < claims_.size(); ++i) {
    const auto denials = std::count(answers[i].begin(), answers[i].end(), "no");
    refuted_[claims_[i]] = denials >= config_.refuting_share * answers[i].size();
  }
  return absl::OkStatus();
}

absl::Status ClaimCritic::ReadCaptions(const Observation& observation) {
  ALIDADE_ASSIGN_OR_RETURN(const auto answers, ReadAnswers(observation, images_.size()));
  for (size_t i = 0; i < images_.size(); ++i) {
    for (const std::string& caption : answers[i]) {
      for (const int category : ParseCaption(caption).mentioned)
        mentioned_[{images_[i], category}] += 1.0 / answers[i].size();
    }
  }
  return absl::OkStatus();
}

double ClaimCritic::Score(const Item& item, const std::string& response) const {
  if (item.caption) {
    double score = 0;
    for (const int category : ParseCaption(response).mentioned)
      score -= refuted_.at({item.image, category}) ? 1 : 0;
    return score;
  }
  const auto found = mentioned_.find({item.image, item.category});
  const double share = found == mentioned_.end() ? 0 : found->second;
  return response == "yes" ? share : response == "no" ? 1 - share : 0;
}

Action ClaimCritic::Verdict() {
  phase_ = Phase::kDone;
  nlohmann::json scores = nlohmann::json::array();
  for (const Item& item : items_) {
    nlohmann::json row = nlohmann::json::array();
    for (const std::string& response : item.responses) row.push_back(Score(item, response));
    scores.push_back(std::move(row));
  }
  return Action{"", {{"scores", std::move(scores)}}};
}

}  // namespace alidade::agents
