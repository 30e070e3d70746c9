// ParseJson: a document, the line of each member, and errors with line and column.
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/json/json_fields.h"
#include "nlohmann/json.hpp"

namespace alidade {
namespace {

using nlohmann::json;

// Characters of the text, counting the lines that were read: the parser's events carry no position
// of their own.
class CountingIterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, int64_t* line) : at_(at), line_(line) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    if (*at_ == '\n') ++*line_;
    ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  int64_t* line_;
};

// Nesting deeper than this is refused before the stack is at risk; no document of ours is near it.
constexpr size_t kMaxDepth = 200;

class DocumentBuilder : public nlohmann::json_sax<json> {
 public:
  DocumentBuilder(JsonDocument* document, const int64_t* line) : document_(document), line_(line) {}

  bool null() override { return Add(nullptr) != nullptr; }
  bool boolean(bool value) override { return Add(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return Add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return Add(value) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override {
    return Add(value) != nullptr;
  }
  bool string(string_t& value) override { return Add(std::move(value)) != nullptr; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Open(json::object()); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(json::array()); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    if (level.value->contains(name)) {
      const auto first = document_->lines.find(MemberPath(level.path, name));
      error_ = absl::StrCat(
          document_->file, ":", *line_, ": '", name, "' occurs twice in one object",
          first == document_->lines.end() ? "" : absl::StrCat(", first in line ", first->second));
      return false;
    }
    level.key = std::move(name);
    document_->lines.emplace(MemberPath(level.path, level.key), *line_);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    error_position_ = static_cast<int64_t>(position);
    error_ = error.what();
    return false;
  }

  const std::string& error() const { return error_; }
  int64_t error_position() const { return error_position_; }

 private:
  struct Level {
    json* value;
    std::string path;
    std::string key;  // of the member that comes next
  };

  static std::string MemberPath(const std::string& path, const std::string& name) {
    return path.empty() ? name : absl::StrCat(path, ".", name);
  }

  json* Add(json value) {
    if (levels_.empty()) {
      document_->root = std::move(value);
      return &document_->root;
    }
    Level& level = levels_.back();
    if (level.value->is_array()) {
      level.value->push_back(std::move(value));
      document_->lines.emplace(absl::StrCat(level.path, "[", level.value->size() - 1, "]"), *line_);
      return &level.value->back();
    }
    json& member = (*level.value)[level.key];
    member = std::move(value);
    return &member;
  }

  bool Open(json empty) {
    if (levels_.size() >= kMaxDepth) {
      error_ = absl::StrCat(document_->file, ":", *line_, ": expected at most ", kMaxDepth,
                            " levels of nesting, got more");
      return false;
    }
    std::string path;
    if (!levels_.empty()) {
      const Level& parent = levels_.back();
      path = parent.value->is_array() ? absl::StrCat(parent.path, "[", parent.value->size(), "]")
                                      : MemberPath(parent.path, parent.key);
    }
    levels_.push_back({Add(std::move(empty)), std::move(path), ""});
    return true;
  }

  bool Close() {
    levels_.pop_back();
    return true;
  }

  JsonDocument* document_;
  const int64_t* line_;
  std::vector<Level> levels_;
  std::string error_;
  int64_t error_position_ = -1;
};

// The library's message without its identifiers: "syntax error while parsing value - invalid
// literal; last read: 'x'".
std::string PlainMessage(absl::string_view message) {
  const size_t text = message.find("syntax error");
  return std::string(text == absl::string_view::npos ? message : message.substr(text));
}

}  // namespace

absl::StatusOr<JsonDocument> ParseJson(absl::string_view text, absl::string_view file) {
  JsonDocument document;
  document.file = std::string(file);
  int64_t line = 1;
  DocumentBuilder builder(&document, &line);
  const bool parsed = json::sax_parse(CountingIterator(text.data(), &line),
                                      CountingIterator(text.data() + text.size(), &line), &builder);
  if (parsed) return document;
  if (builder.error_position() < 0) return absl::DataLossError(builder.error());
  const size_t end = std::min<size_t>(static_cast<size_t>(builder.error_position()), text.size());
  int64_t error_line = 1;
  int64_t column = 0;
  for (size_t i = 0; i < end; ++i) {
    if (i + 1 < end && text[i] == '\n') {
      ++error_line;
      column = 0;
    } else {
      ++column;
    }
  }
  return absl::DataLossError(absl::StrCat(file, ":", error_line, ":", std::max<int64_t>(column, 1),
                                          ": ", PlainMessage(builder.error())));
}

}  // namespace alidade
