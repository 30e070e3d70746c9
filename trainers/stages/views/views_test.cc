#include "trainers/stages/views/views.h"

#include <ATen/ATen.h>

#include "common/provenance/random_stream.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace alidade::trainers {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ViewsTest, UnknownViewNamesTheNearest) {
  EXPECT_EQ(ViewName("corrupted", "crop"), "corrupted(crop)");
  EXPECT_EQ(ViewName("blank", ""), "blank");
  EXPECT_THAT(FindView("corrupted", "corp"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("corrupted(corp)"), HasSubstr("corrupted(crop)"))));
}

TEST(ViewsTest, BlankIsTheMeanOfTheNormalisation) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ViewMaker* blank, FindView("blank", ""));
  EXPECT_FALSE(blank->random);
  RandomStream stream(1, "v");
  EXPECT_TRUE(at::equal(blank->make(at::rand({2, 3, 4, 4}), stream), at::zeros({2, 3, 4, 4})));
}

TEST(ViewsTest, CropShowsASmallPartOfTheImage) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ViewMaker* crop, FindView("corrupted", "crop"));
  EXPECT_TRUE(crop->random);
  // A ramp from 0 to 99 along x: the range of a view over 99 is the share of the width that it
  // shows.
  const at::Tensor ramp =
      at::arange(100, at::kFloat).view({1, 1, 1, 100}).expand({200, 1, 100, 100}).contiguous();
  RandomStream stream(1, "v");
  const at::Tensor views = crop->make(ramp, stream);
  ASSERT_EQ(views.sizes(), ramp.sizes());
  const at::Tensor flat = views.reshape({200, -1});
  const at::Tensor range = (flat.amax(1) - flat.amin(1)) / 99;
  // Width = sqrt(area * ratio): at least sqrt(.01 * 3/4) = .087, at most sqrt(.2 * 4/3) = .516;
  // rounding to pixels adds .01.
  EXPECT_GT(range.min().item<double>(), 0.06);
  EXPECT_LT(range.max().item<double>(), 0.53);
  EXPECT_GT(range.max().item<double>(), 0.4);
  // Left and right edges both occur.
  EXPECT_LT(flat.amin().item<double>(), 5);
  EXPECT_GT(flat.amax().item<double>(), 94);
}

TEST(ViewsTest, CropDrawsPerImageInOrder) {
  ALIDADE_ASSERT_OK_AND_ASSIGN(const ViewMaker* crop, FindView("corrupted", "crop"));
  const at::Tensor images = at::arange(2 * 3 * 8 * 8, at::kFloat).view({2, 3, 8, 8});
  RandomStream whole(5, "v"), parts(5, "v");
  const at::Tensor together = crop->make(images, whole);
  const at::Tensor first = crop->make(images.narrow(0, 0, 1), parts);
  const at::Tensor second = crop->make(images.narrow(0, 1, 1), parts);
  EXPECT_TRUE(at::equal(together, at::cat({first, second})));
  EXPECT_FALSE(at::equal(crop->make(images, whole), together));
}

}  // namespace
}  // namespace alidade::trainers
