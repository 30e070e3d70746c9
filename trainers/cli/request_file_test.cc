#include "trainers/cli/request_file.h"

#include <string>

#include "common/files/files.h"
#include "common/status/status_matchers.h"
#include "common/testing/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::trainers {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(RequestFileTest, ReadsAStage) {
  const std::string path = JoinPath(TempFolder(), "run.textproto");
  ALIDADE_ASSERT_OK(WriteFile(path, R"(
    sft {
      dataset: "data"
      config { preset: "tiny_world" loop { steps: 3 optimizer { learning_rate: 0.004 } } instructions {} }
    })"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const TrainRequest request, ReadRequest(path));
  EXPECT_EQ(request.sft().config().loop().steps(), 3);
  EXPECT_EQ(request.sft().config().instructions().batch_size(), 32);
}

TEST(RequestFileTest, ErrorsSayWhereAndSuggest) {
  EXPECT_THAT(ParseRequest("sft {\n  config { lop { steps: 3 } }\n}", "run.textproto"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(StartsWith("run.textproto:2:"), HasSubstr("\"lop\""),
                             HasSubstr("Did you mean \"loop\"?"))));
  EXPECT_THAT(ParseRequest("sft { config { loop { steps: many } } }", "run.textproto"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(StartsWith("run.textproto:1:"), HasSubstr("many"))));
  EXPECT_THAT(ParseRequest("", "run.textproto"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "run.textproto: expected one of sft and preference, got neither"));
  EXPECT_THAT(ReadRequest("/absent/run.textproto"), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace alidade::trainers
