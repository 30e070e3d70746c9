#include "common/tensor/fence.h"

#include <ATen/ATen.h>

#include <new>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(FenceTest, PassesStatusesThrough) {
  EXPECT_THAT(FenceTorch("step", [] { return absl::OkStatus(); }), IsOk());
  EXPECT_THAT(FenceTorch("step", [] { return absl::NotFoundError("x"); }),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(FenceTest, TurnsExceptionsIntoOneLine) {
  const absl::Status status = FenceTorch("step", [] {
    at::mm(at::ones({2, 3}), at::ones({2, 3}));
    return absl::OkStatus();
  });
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kInternal,
                       AllOf(StartsWith("step: mat1 and mat2 shapes"), Not(HasSubstr("\n")))));
  EXPECT_THAT(FenceTorch("step", []() -> absl::Status { throw std::bad_alloc(); }),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace alidade
