#include "common/registry/registry.h"

#include <string>

#include "common/registry/nearest_name.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;

TEST(RegistryTest, FindsByNameAndListsSorted) {
  Registry<int> numbers("number");
  numbers.Register("two", 2);
  numbers.Register("one", 1);
  EXPECT_THAT(numbers.Names(), ElementsAre("one", "two"));
  ALIDADE_ASSERT_OK_AND_ASSIGN(const int* one, numbers.Find("one"));
  EXPECT_EQ(*one, 1);
}

TEST(RegistryTest, AnUnknownNameGetsASuggestion) {
  Registry<int> numbers("number");
  EXPECT_THAT(numbers.Find("x"),
              StatusIs(absl::StatusCode::kNotFound, Eq("unknown number 'x'; known: none")));
  numbers.Register("three", 3);
  numbers.Register("eleven", 11);
  EXPECT_THAT(numbers.Find("tree"),
              StatusIs(absl::StatusCode::kNotFound,
                       Eq("unknown number 'tree'; did you mean 'three'? known: eleven, three")));
  EXPECT_THAT(numbers.Find("zzzz"), StatusIs(absl::StatusCode::kNotFound,
                                             Eq("unknown number 'zzzz'; known: eleven, three")));
}

TEST(RegistryDeathTest, ATakenNameAborts) {
  Registry<int> numbers("number");
  numbers.Register("one", 1);
  EXPECT_DEATH(numbers.Register("one", 1), "number 'one' is registered twice");
}

TEST(NearestNameTest, PrefersTheSmallestDistance) {
  EXPECT_EQ(NearestName("bts", {"alpha", "beta", "bets"}), "bets");
  EXPECT_EQ(NearestName("beat", {"alpha", "beta", "bets"}), "beta");
  EXPECT_EQ(NearestName("q", {"alpha"}), "");
  EXPECT_EQ(NearestName("", {"a"}), "");
}

}  // namespace
}  // namespace alidade
