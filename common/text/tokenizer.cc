#include "common/text/tokenizer.h"

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/files/files.h"
#include "common/json/json_fields.h"
#include "common/status/status.h"
#include "common/text/word_level_tokenizer.h"

namespace alidade {

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Load(const std::string& path) {
  ALIDADE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ALIDADE_ASSIGN_OR_RETURN(const JsonDocument document, ParseJson(text, path));
  return WordLevelTokenizer::FromJson(document);
}

}  // namespace alidade
