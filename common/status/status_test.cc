#include "common/status/status.h"

#include <memory>
#include <string>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade {
namespace {

using ::testing::Eq;

absl::StatusOr<std::unique_ptr<int>> Half(int value) {
  if (value % 2 != 0)
    return absl::InvalidArgumentError(absl::StrCat("expected an even number, got ", value));
  return std::make_unique<int>(value / 2);
}

absl::StatusOr<int> Quarter(int value) {
  ALIDADE_ASSIGN_OR_RETURN(std::unique_ptr<int> half, Half(value), "first half of ", value);
  ALIDADE_ASSIGN_OR_RETURN(half, Half(*half));
  return *half;
}

absl::Status CheckQuarter(int value) {
  ALIDADE_RETURN_IF_ERROR(Quarter(value).status(), "while quartering");
  return absl::OkStatus();
}

TEST(StatusTest, PassesValuesThrough) {
  EXPECT_THAT(Quarter(8), IsOkAndHolds(2));
  EXPECT_THAT(CheckQuarter(8), IsOk());
}

TEST(StatusTest, AddsContextOnlyWhereGiven) {
  EXPECT_THAT(Quarter(7), StatusIs(absl::StatusCode::kInvalidArgument,
                                   Eq("first half of 7: expected an even number, got 7")));
  EXPECT_THAT(Quarter(6),
              StatusIs(absl::StatusCode::kInvalidArgument, Eq("expected an even number, got 3")));
  EXPECT_THAT(CheckQuarter(6), StatusIs(absl::StatusCode::kInvalidArgument,
                                        Eq("while quartering: expected an even number, got 3")));
}

}  // namespace
}  // namespace alidade
