#include "compiler/schedule/row_program.h"

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::schedule {
namespace {

using testing::HasSubstr;

RowProgram Program(std::vector<RowRead> reads) { return {std::move(reads)}; }

TEST(RowProgram, SeparableNeedsExactlyOneSeparableGradient) {
  for (const ReadOp& op : ReadOps()) {
    EXPECT_EQ(Program({{std::string(op.name), true}}).separable(), op.separable) << op.name;
    EXPECT_FALSE(Program({{std::string(op.name), false}}).separable()) << op.name;
  }
  EXPECT_TRUE(Program({{"logprob", true}, {"entropy", false}}).separable());
  EXPECT_FALSE(Program({{"logprob", true}, {"entropy", true}}).separable());
  EXPECT_FALSE(Program({{"logprob", true}, {"logit", true}}).separable());
}

TEST(RowProgram, PartnerOfAnyRead) {
  EXPECT_TRUE(Program({{"logprob", true}, {"kl_from", false}}).has_partner());
  EXPECT_FALSE(Program({{"logprob", true}, {"argmax", false}}).has_partner());
}

TEST(RowProgram, EqualityAndText) {
  const RowProgram program = Program({{"logprob", true}, {"entropy", false}});
  EXPECT_EQ(program.ToString(), "logprob* entropy");
  EXPECT_EQ(program, Program({{"logprob", true}, {"entropy", false}}));
  EXPECT_FALSE(program == Program({{"logprob", true}, {"entropy", true}}));
  EXPECT_FALSE(program == Program({{"entropy", false}, {"logprob", true}}));
}

TEST(RowProgram, ValidationNamesTheRead) {
  EXPECT_THAT(ValidateRowProgram(Program({{"logprob_at", true}, {"logprob_at", true}})), IsOk());
  EXPECT_THAT(ValidateRowProgram(Program({})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected 1 to 8 reads")));
  EXPECT_THAT(ValidateRowProgram(Program(std::vector<RowRead>(9, {"logit_at", false}))),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("got 9")));
  EXPECT_THAT(ValidateRowProgram(Program({{"logprob", true}, {"entorpy", false}})),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("reads[1].op: unknown operation 'entorpy', expected one of "
                                 "logprob, logprob_at")));
  EXPECT_THAT(ValidateRowProgram(Program({{"argmax", true}})),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("reads[0].gradient: argmax has no gradient, got true")));
  EXPECT_THAT(ValidateRowProgram(Program({{"entropy", false}, {"entropy", true}})),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("reads[1].op: entropy is already reads[0]")));
}

}  // namespace
}  // namespace alidade::schedule
