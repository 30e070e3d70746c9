#ifndef ALIDADE_COMMON_STATUS_STATUS_MATCHERS_H_
#define ALIDADE_COMMON_STATUS_STATUS_MATCHERS_H_

// GoogleMock matchers for absl::Status and absl::StatusOr.
//
//   EXPECT_THAT(ReadFile(path), IsOkAndHolds("text"));
//   EXPECT_THAT(ReadFile("/absent"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("/absent")));

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"

namespace alidade {

inline const absl::Status& AsStatus(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& AsStatus(const absl::StatusOr<T>& value) {
  return value.status();
}

MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << AsStatus(arg).ToString();
  return AsStatus(arg).ok();
}

MATCHER_P2(StatusIsImpl, code, message, "has the code and a matching message") {
  const absl::Status& status = AsStatus(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         ::testing::SafeMatcherCast<std::string>(message).Matches(std::string(status.message()));
}

template <typename Message>
auto StatusIs(absl::StatusCode code, Message message) {
  return StatusIsImpl(code, message);
}
inline auto StatusIs(absl::StatusCode code) { return StatusIsImpl(code, ::testing::_); }

MATCHER_P(IsOkAndHolds, value_matcher, "is OK and holds a matching value") {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  return ::testing::ExplainMatchResult(value_matcher, *arg, result_listener);
}

}  // namespace alidade

#define ALIDADE_ASSERT_OK(expression) ASSERT_THAT((expression), ::alidade::IsOk())
#define ALIDADE_EXPECT_OK(expression) EXPECT_THAT((expression), ::alidade::IsOk())

// Declares `target` from a StatusOr in a test, or fails the test.
#define ALIDADE_ASSERT_OK_AND_ASSIGN(target, expression)                                          \
  ALIDADE_ASSERT_OK_AND_ASSIGN_IMPL_(ALIDADE_TEST_CONCAT_(alidade_test_value_, __LINE__), target, \
                                     expression)
#define ALIDADE_ASSERT_OK_AND_ASSIGN_IMPL_(holder, target, expression) \
  auto holder = (expression);                                          \
  ASSERT_THAT(holder, ::alidade::IsOk());                              \
  target = std::move(holder).value()
#define ALIDADE_TEST_CONCAT_(a, b) ALIDADE_TEST_CONCAT_IMPL_(a, b)
#define ALIDADE_TEST_CONCAT_IMPL_(a, b) a##b

#endif  // ALIDADE_COMMON_STATUS_STATUS_MATCHERS_H_
