#ifndef ALIDADE_COMPILER_SCHEDULE_QUADRATIC_TESTUTIL_H_
#define ALIDADE_COMPILER_SCHEDULE_QUADRATIC_TESTUTIL_H_

// Objectives written by hand that stand for every sort of coupling, so that schedules are tested
// without the compiler. With s_r the sum over a row's tokens t of a_t read_r[t], c and d one number
// per read, k a number that depends on reads without gradient:
//   loss = mean over rows of (k sum_r c_r s_r + q^2 / 2),    q = sum_r d_r s_r
// With `batch` the square is of the mean of q over rows. metric "square" = the squared part.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "compiler/schedule/interpreter.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/signature.h"

namespace alidade::schedule {

struct QuadraticObjective {
  Signature signature;
  std::vector<double> linear, quadratic;  // by read: c, d
  bool batch = false;
  bool uniform = true;  // a_t = 1; otherwise 1, 1.5 or 2

  double TokenWeight(int64_t token) const { return uniform ? 1 : 1 + 0.5 * (token % 3); }
};

// The scalar block. k is 1, or from the known block 1 + the mean over rows of the reads of
// distributions that feed known values, over 8.
class QuadraticBlock {
 public:
  explicit QuadraticBlock(const QuadraticObjective& objective) : objective_(objective) {}
  absl::Status operator()(const ScalarCall& call);

 private:
  double RowSum(const ScalarCall& call, int64_t read, int64_t row) const;
  const QuadraticObjective& objective_;
  double known_ = 1;
};

// Axis of the tokens of `response`, which is added with its parents where it is missing.
int64_t AddTokens(Signature& signature, const std::string& response);

// Adds a distribution, and returns its index. Reads are added by AddRead; Finish numbers
// cotangents, assigns row programs and fills the coupling of distributions with gradient.
int64_t AddDistribution(Signature& signature, const std::string& model, const std::string& response,
                        bool requires_grad, const std::string& view = "clean");
int64_t AddRead(QuadraticObjective& objective, VocabularyRead read, bool gradient, double linear,
                double quadratic);
void Finish(QuadraticObjective& objective);

// Four rows, one of them without tokens of the first response; heads [7, 5].
constexpr int64_t kTestHidden = 5, kTestVocabulary = 7;
Problem QuadraticProblem(const Signature& signature, bool head_gradient);
// Heads that the problem says are the same are the same.
InterpreterInputs QuadraticInputs(const Signature& signature, const Problem& problem,
                                  uint64_t seed);

}  // namespace alidade::schedule

#endif  // ALIDADE_COMPILER_SCHEDULE_QUADRATIC_TESTUTIL_H_
