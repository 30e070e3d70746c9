#include "common/json/json_fields.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kText[] = R"({
  "name": "tiny",
  "layers": 3,
  "rate": 0.5,
  "shapes": ["disc", "ring"],
  "vision": {
    "heads": 4
  },
  "tokens": [
    {"id": 0},
    {"id": 1}
  ]
})";

TEST(JsonFieldsTest, ReadsFieldsAndKeepsDefaults) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(JsonDocument document, ParseJson(kText, "a.json"));
  JsonFields fields(document);
  std::string name;
  int64_t layers = 0;
  int64_t width = 64;
  double rate = 0;
  std::vector<std::string> shapes;
  fields.Required("name", &name);
  fields.Required("layers", &layers);
  fields.Optional("width", &width);
  fields.Optional("rate", &rate);
  fields.Required("shapes", &shapes);
  fields.Ignore("tokens");
  const nlohmann::json* vision = fields.RequiredObject("vision");
  ALIDADE_ASSERT_OK(fields.Finish());
  EXPECT_EQ(name, "tiny");
  EXPECT_EQ(layers, 3);
  EXPECT_EQ(width, 64);
  EXPECT_EQ(rate, 0.5);
  EXPECT_THAT(shapes, ::testing::ElementsAre("disc", "ring"));
  ASSERT_NE(vision, nullptr);
  EXPECT_EQ((*vision)["heads"], 4);
}

TEST(JsonFieldsTest, KnowsTheLineOfEveryMember) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(JsonDocument document, ParseJson(kText, "a.json"));
  EXPECT_EQ(document.Where("name"), "a.json:2: name");
  EXPECT_EQ(document.Where("vision.heads"), "a.json:7: vision.heads");
  EXPECT_EQ(document.Where("tokens[1].id"), "a.json:11: tokens[1].id");
  EXPECT_EQ(document.Where("shapes[1]"), "a.json:5: shapes[1]");
  EXPECT_EQ(document.Where("absent"), "a.json: absent");
}

TEST(JsonFieldsTest, WrongTypeNamesLineFieldExpectedAndGot) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(JsonDocument document,
                               ParseJson("{\n \"layers\": \"3\"}", "a.json"));
  JsonFields fields(document);
  int64_t layers = 0;
  fields.Required("layers", &layers);
  EXPECT_THAT(fields.Finish(), StatusIs(absl::StatusCode::kInvalidArgument,
                                        "a.json:2: layers: expected an integer, got \"3\""));
}

TEST(JsonFieldsTest, FractionsAndHugeNumbersAreNotIntegers) {
  for (const char* text : {"{\"n\": 2.0}", "{\"n\": 18446744073709551615}", "{\"n\": true}"}) {
    ALIDADE_ASSERT_OK_AND_ASSIGN(JsonDocument document, ParseJson(text, "a.json"));
    JsonFields fields(document);
    int64_t n = 0;
    fields.Required("n", &n);
    EXPECT_THAT(fields.Finish(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected an integer")))
        << text;
  }
}

TEST(JsonFieldsTest, UnknownFieldNamesTheNearest) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(JsonDocument document, ParseJson("{\"hiden_size\": 3}", "a.json"));
  JsonFields fields(document);
  int64_t size = 0;
  fields.Optional("hidden_size", &size);
  EXPECT_THAT(fields.Finish(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "a.json:1: hiden_size: unknown field; did you mean 'hidden_size'?"));
}

TEST(JsonFieldsTest, MissingFieldAndWrongRoot) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(JsonDocument document, ParseJson("{}", "a.json"));
  JsonFields fields(document);
  double rate = 0;
  fields.Required("rate", &rate);
  EXPECT_THAT(fields.Finish(), StatusIs(absl::StatusCode::kInvalidArgument,
                                        "a.json: rate: expected a number, got no such field"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(JsonDocument list, ParseJson("[1]", "b.json"));
  JsonFields of_list(list);
  of_list.Required("rate", &rate);
  EXPECT_THAT(of_list.Finish(),
              StatusIs(absl::StatusCode::kInvalidArgument, "b.json: expected an object, got [1]"));
}

TEST(JsonFieldsTest, ChoicesAndFixedValues) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(JsonDocument document,
                               ParseJson("{\"act\": \"gelo\", \"scaling\": {}}", "a.json"));
  JsonFields choice(document);
  std::string act = "gelu";
  choice.OneOf("act", &act, {"gelu", "silu"});
  EXPECT_THAT(
      choice.Finish(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "a.json:1: act: expected one of gelu, silu; got \"gelo\"; did you mean 'gelu'?"));
  JsonFields fixed(document);
  fixed.Ignore("act");
  fixed.MustBe("scaling", nullptr);
  EXPECT_THAT(fixed.Finish(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("scaling: expected null")));
}

TEST(ParseJsonTest, MalformedTextNamesLineAndColumn) {
  EXPECT_THAT(ParseJson("{\n  \"a\": 1,\n  \"b\": tru\n}", "a.json"),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(StartsWith("a.json:3:"), HasSubstr("invalid literal"))));
  EXPECT_THAT(ParseJson("", "a.json"),
              StatusIs(absl::StatusCode::kDataLoss, StartsWith("a.json:1:1: ")));
  EXPECT_THAT(ParseJson("{\"a\": 1} x", "a.json"),
              StatusIs(absl::StatusCode::kDataLoss, StartsWith("a.json:1:10: ")));
  EXPECT_THAT(ParseJson("{\"a\": \"\xff\"}", "a.json"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("UTF-8")));
}

TEST(ParseJsonTest, ANameThatOccursTwiceIsAnError) {
  EXPECT_THAT(ParseJson("{\"a\": {\"b\": 1,\n\"b\": 2}}", "a.json"),
              StatusIs(absl::StatusCode::kDataLoss,
                       "a.json:2: 'b' occurs twice in one object, first in line 1"));
}

TEST(ParseJsonTest, DeepNestingIsAnErrorNotAStackOverflow) {
  EXPECT_THAT(ParseJson(std::string(100000, '['), "a.json"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("nesting")));
}

}  // namespace
}  // namespace alidade
