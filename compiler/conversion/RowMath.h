// What the row kernels of CPU and GPU share: which statistics of a row a program needs, and the
// formulas of its reads and gradients in them.
//
// x are the logits as the program sees them (bias, soft cap and temperature applied), b the
// partner's, u = g x - (g - 1) b the mixed ones of logprob_mix. With d = x - max x, e = exp(d),
// S = sum e, and likewise db, eb, Sb and du, eu, Su:
//
//   logprob       d[y] - log S                    w_l (onehot(y) - e / S)
//   logprob_at    d[i] - log S                    w_l (onehot(i) - e / S)
//   logprob_mix   du[y] - log Su                  w_m g (onehot(y) - eu / Su)
//   entropy       log S - W / S,   W = sum e d    -w_h e / S (d - W / S)
//   collision     log Q - 2 log S, Q = sum e^2
//   kl_to         T / S - log S + log Sb,         w_t e / S (d - db - T / S)
//                   T = sum e (d - db)
//   kl_from       F / Sb - log Sb + log S,        w_f (e / S - eb / Sb)
//                   F = sum eb (db - d)
//   logit(_at)    x[y], x[i]                      w onehot
//
// The right column is the gradient by x under the cotangent w of the read; together
//   d loss / d x = e (row + linear d + partnerLinear db) + partner eb + mix eu + points.

#ifndef ALIDADE_COMPILER_CONVERSION_ROWMATH_H_
#define ALIDADE_COMPILER_CONVERSION_ROWMATH_H_

#include <array>

#include "compiler/conversion/Emitter.h"
#include "compiler/schedule/row_program.h"

namespace alidade::pref {

// Logits that a softmax is taken of.
enum RowSource : unsigned { kLogitsSource, kPartnerSource, kMixSource };
inline constexpr unsigned kNumRowSources = 3;

// Sums over a row, by the names of the table above.
enum class RowSum { kExp, kWeighted, kSquares, kPartnerExp, kTo, kFrom, kMixExp };

// How the gradient of a program is written.
enum class RowGradient {
  kNone,
  kPoints,  // zero but at labels and indexes
  kScaled,  // one source's exponentials times a number of the row, and points
  kDense,   // the general formula
};

// One value per source; null where the source is not used.
using SourceValues = std::array<mlir::Value, kNumRowSources>;

struct RowPlan {
  explicit RowPlan(const schedule::RowProgram& program);

  schedule::RowProgram program;
  bool argmax = false;
  bool partner = false;                                  // the partner's logits are loaded
  llvm::SmallVector<RowSource, kNumRowSources> sources;  // whose maxima are needed
  llvm::SmallVector<RowSum> sums;
  RowGradient gradient = RowGradient::kNone;
  RowSource scaled = kLogitsSource;  // kScaled: whose exponentials

  bool has(RowSum sum) const { return llvm::is_contained(sums, sum); }
  bool has(RowSource source) const { return llvm::is_contained(sources, source); }
  // Position in `sums`, which holds it.
  size_t positionOf(RowSum sum) const { return llvm::find(sums, sum) - sums.begin(); }
};

// A position whose logit a read asks for: the label, or the token of an *_at read.
struct RowPoint {
  mlir::Value position;  // i64, in [0, vocab)
  mlir::Value inside;    // i1; null: always. False: the token given is none of the vocabulary
  SourceValues x;        // f32
  mlir::Value slope;     // d x / d logit, f32; null: 1
};

// The logits of one position, or of a vector of them.
struct RowElement {
  SourceValues x;
  mlir::Value slope;  // null: 1
};

// How logits become what the program sees: x = inverseTemperature cap(z + bias).
struct RowTransform {
  mlir::Value bias;                         // address, may be null at run time
  mlir::Value inverseTemperature, softCap;  // f32; a softCap of 0 means none
};

struct RowStatistics {
  SourceValues maximum;                 // f32
  llvm::SmallVector<mlir::Value> sums;  // in the order of RowPlan::sums
  mlir::Value argmax;                   // f32
};

// Of the formula at the top; null where the term is absent.
struct RowCoefficients {
  mlir::Value row, linear, partnerLinear, partner, mix;
};

class RowMath {
 public:
  RowMath(Emitter& e, const schedule::RowProgram& program) : plan(program), e(e) {}
  virtual ~RowMath() = default;

 protected:
  const RowPlan plan;
  Emitter& e;
  mlir::Value mixScale;  // AlidadeRowArgs::scale

  // exp(d) for d <= 0; d below kRowFlushBelow may give 0.
  virtual mlir::Value expOf(mlir::Value d) = 0;

  // What the program sees of a logit to which the bias is added, and its derivative.
  std::pair<mlir::Value, mlir::Value> apply(const RowTransform& transform, mlir::Value biased);
  // u of logprob_mix; -inf where x is -inf, so that a masked logit stays masked.
  mlir::Value mix(mlir::Value x, mlir::Value b);
  SourceValues differences(const SourceValues& x, const SourceValues& maxima);
  SourceValues exponentials(const SourceValues& d);
  // What one element adds to each of plan.sums.
  llvm::SmallVector<mlir::Value> terms(const SourceValues& d, const SourceValues& exponentials);
  // The gradient by x without points. Terms whose exponential is below its entry of `thresholds`
  // are 0, so that no denormal numbers reach the GEMM that reads the gradient.
  mlir::Value denseGradient(const SourceValues& d, const SourceValues& exponentials,
                            const RowCoefficients& coefficients, const SourceValues& thresholds);

  // The value of read `i`, f32. `points[i]` belongs to it; sums are f32 or f64.
  mlir::Value readValue(size_t i, const RowStatistics& statistics, llvm::ArrayRef<RowPoint> points);
  // `weights[i]` is the cotangent of read i, of the type of the sums; null without gradient.
  RowCoefficients coefficients(const RowStatistics& statistics,
                               llvm::ArrayRef<mlir::Value> weights);
  // The smallest exponentials that coefficients act on (see denseGradient), f32.
  SourceValues thresholds(const RowCoefficients& coefficients);
  // What read `i` adds to the gradient by x at its point; null: nothing.
  mlir::Value pointWeight(size_t i, llvm::ArrayRef<mlir::Value> weights);

 private:
  // `scalar` as often as `model` has lanes.
  mlir::Value spread(mlir::Value scalar, mlir::Value model);
  std::pair<mlir::Value, mlir::Value> capped(mlir::Value x, mlir::Value cap);
  mlir::Value sumOf(const RowStatistics& statistics, RowSum sum) {
    return statistics.sums[plan.positionOf(sum)];
  }
  mlir::Value logOf(const RowStatistics& statistics, RowSum sum);
  mlir::Value weightOf(llvm::StringRef op, llvm::ArrayRef<mlir::Value> weights);
};

// Below this an exponential is taken as 0. exp(-70) = 4e-31 does not move an f32 sum that is at
// least 1.
inline constexpr double kRowFlushBelow = -70.0;

}  // namespace alidade::pref

#endif  // ALIDADE_COMPILER_CONVERSION_ROWMATH_H_
