// The generated page of operations: complete, rendered as meant, and every example parses.

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include "llvm/ADT/StringExtras.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include "compiler/dialect/pref/Pref.h"

namespace alidade::pref {
namespace {

// What the examples take for granted, by name: an operation, or operations, that define it.
const std::map<std::string, std::string> kKnown = {
    {"x", "%x = pref.logprob policy(chosen)"},
    {"a", "%a = pref.logprob policy(chosen)"},
    {"score", "%score = pref.logprob policy(chosen)"},
    {"log_ratio", "%log_ratio = pref.logprob policy(chosen)"},
    {"g", "%g = pref.logprob policy(chosen)"},
    {"b", "%b = pref.logprob reference(chosen)"},
    {"weight", "%weight = pref.logprob reference(chosen)"},
    {"condition", "%condition = pref.logprob old_policy(chosen)"},
    {"delta", "%delta = pref.logprob old_policy(chosen)"},
    {"h", "%h = pref.entropy policy(chosen)"},
    {"entropy", "%entropy = pref.entropy reference(chosen)"},
    {"low", "%low = pref.constant -1"},
    {"high", "%high = pref.constant 1"},
    {"half", "%half = pref.constant 0.5"},
    {"decay", "%decay = pref.constant 0.95"},
    {"gamma", "%gamma = pref.constant 1.5"},
    {"q", "%q = pref.constant 0.25"},
    {"fraction", "%fraction = pref.constant 0.8"},
    {"loss", "%loss = pref.input \"loss\" over []"},
    {"seed", "%seed = pref.input \"seed\" over []"},
    {"reward_mean", "%reward_mean = pref.input \"reward_mean\" over []"},
    {"margin", "%margin = pref.input \"margin\" over [row]"},
    {"u", "%u = pref.input \"u\" over [row]"},
    {"raw", "%raw = pref.input \"raw\" over [row]"},
    {"outcome", "%outcome = pref.input \"outcome\" over [row]"},
    {"row_weight", "%row_weight = pref.input \"row_weight\" over [row]"},
    {"index", "%index = pref.input \"index\" over [row, token(chosen)]"},
    {"ids", "%ids = pref.input \"ids\" over [row, token(chosen)]"},
    {"reward", "%reward = pref.input \"reward\" over [row, member]"},
    {"member_score", "%member_score = pref.input \"member_score\" over [row, member]"},
    {"pair_margin", "%pair_margin = pref.input \"pair_margin\" over [row, pair]"},
    {"phrase_weight", "%phrase_weight = pref.input \"phrase_weight\" over [row, segment(phrase)]"},
    {"length", "%length = pref.count over token(rejected)"},
    {"chosen_length", "%chosen_length = pref.count over token(chosen)"},
    {"rejected_length", "%rejected_length = pref.count over token(rejected)"},
};

std::string ReadPage() {
  std::ifstream file("compiler/dialect/pref/Pref.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The section of one operation, or nothing.
std::string SectionOf(const std::string& page, const std::string& op) {
  size_t begin = page.find("### `" + op + "` (");
  if (begin == std::string::npos) return "";
  size_t end = page.find("\n### ", begin + 1);
  return page.substr(begin, end - begin);
}

std::vector<std::string> ExamplesOf(const std::string& section) {
  std::vector<std::string> examples;
  const std::string fence = "```mlir\n";
  for (size_t at = section.find(fence); at != std::string::npos; at = section.find(fence, at)) {
    at += fence.size();
    size_t end = section.find("```", at);
    examples.push_back(section.substr(at, end - at));
    at = end;
  }
  return examples;
}

// Names after '%' that the lines use and do not define.
std::vector<std::string> UndefinedNames(const std::string& lines) {
  std::set<std::string> defined, seen;
  std::vector<std::string> undefined;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    line = line.substr(0, line.find("//"));
    std::vector<std::string> names;
    for (size_t at = line.find('%'); at != std::string::npos; at = line.find('%', at + 1)) {
      size_t end = at + 1;
      while (end < line.size() && (llvm::isAlnum(line[end]) || line[end] == '_')) ++end;
      names.push_back(line.substr(at + 1, end - at - 1));
    }
    bool defines =
        !names.empty() && line.compare(line.find('%') + 1 + names[0].size(), 8, " = pref.") == 0;
    for (size_t i = defines ? 1 : 0; i < names.size(); ++i)
      if (!defined.count(names[i]) && seen.insert(names[i]).second) undefined.push_back(names[i]);
    if (defines) defined.insert(names[0]);
  }
  return undefined;
}

// The example as a whole objective.
std::string Completed(const std::string& example) {
  if (example.find("pref.objective") != std::string::npos) return example;
  // Responses whose tokens an example counts are read.
  std::string text = "pref.objective @example {\n";
  for (const char* response : {"chosen", "rejected", "response"})
    text += std::string("%read_") + response + " = pref.logprob reference(" + response + ")\n";
  for (const std::string& name : UndefinedNames(example)) {
    auto known = kKnown.find(name);
    EXPECT_NE(known, kKnown.end()) << "the test knows no %" << name << ", used in\n" << example;
    if (known != kKnown.end()) text += known->second + "\n";
  }
  text += example;
  if (example.find("pref.yield") == std::string::npos)
    text += "%example_loss = pref.constant 0\npref.yield %example_loss\n";
  return text + "}\n";
}

std::vector<std::string> Operations(mlir::MLIRContext& context) {
  context.loadDialect<PrefDialect>();
  std::vector<std::string> names;
  for (mlir::RegisteredOperationName op : context.getRegisteredOperationsByDialect("pref"))
    names.push_back(op.getStringRef().str());
  return names;
}

TEST(Page, HasEveryOperation) {
  mlir::MLIRContext context;
  std::string page = ReadPage();
  std::vector<std::string> operations = Operations(context);
  EXPECT_GE(operations.size(), 40);
  for (const std::string& op : operations) {
    std::string section = SectionOf(page, op);
    ASSERT_NE(section, "") << op << " has no section";
    // A summary in one line, and the example: the operation itself occurs in it.
    EXPECT_NE(section.find("\n_"), std::string::npos) << op << " has no summary";
    std::vector<std::string> examples = ExamplesOf(section);
    EXPECT_TRUE(llvm::any_of(
        examples,
        [&](const std::string& example) { return example.find(op + " ") != std::string::npos; }))
        << op << " has no example";
  }
}

// A list of constraints that is indented by four is rendered as code.
TEST(Page, ShowsConstraintsAsLists) {
  std::string page = ReadPage();
  EXPECT_NE(page.find("\n- (C1) "), std::string::npos);
  EXPECT_EQ(page.find("\n    - (C"), std::string::npos);
}

TEST(Page, HasExamplesThatParse) {
  mlir::MLIRContext context;
  std::string page = ReadPage();
  for (const std::string& op : Operations(context)) {
    for (const std::string& example : ExamplesOf(SectionOf(page, op))) {
      std::string text = Completed(example);
      EXPECT_TRUE(mlir::parseSourceString<mlir::ModuleOp>(text, &context))
          << "example of " << op << ":\n"
          << text;
    }
  }
}

}  // namespace
}  // namespace alidade::pref
