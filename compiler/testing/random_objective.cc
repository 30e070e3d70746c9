#include "compiler/testing/random_objective.h"

#include <algorithm>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace alidade::testing {
namespace {

using Axes = std::vector<std::string>;  // "row", "token(chosen)", ...

// A value of the objective.
struct Term {
  std::string name;
  Axes axes;
  bool scored = false;  // depends on a distribution with gradient
  bool read = false;    // of a distribution
  bool used = false;
};

bool IsPrefix(const Axes& a, const Axes& b) {
  return a.size() <= b.size() && std::equal(a.begin(), a.end(), b.begin());
}

class Generator {
 public:
  Generator(uint64_t seed, const std::function<bool(absl::string_view)>& has_op)
      : seed_(seed), random_(seed), has_op_(has_op) {}

  RandomObjective Generate() {
    // Few objectives couple rows, so that all schedules get their share.
    couples_rows_ = Chance(0.3);
    // Or nothing but values without gradient weighs the scores.
    known_weights_ = !couples_rows_ && Chance(0.25);
    // Or nothing but sums of log-probabilities enters, as in most of the literature.
    sums_only_ = !known_weights_ && Chance(0.3);
    Structure();
    Leaves();
    Distributions();
    for (const Term& term : terms_) {
      if (term.read) reads_.push_back(term);
    }
    if (known_weights_) held_back_ = TakeScored();
    if (sums_only_) SumTokens();
    MakeRules();
    const int steps = 8 + static_cast<int>(Below(18));
    for (int i = 0; i < steps; ++i) rules_[Below(rules_.size())]();
    if (known_weights_) WeighHeldBack();
    return {.seed = seed_, .text = Finish()};
  }

 private:
  uint64_t Below(uint64_t count) { return random_() % count; }
  bool Chance(double probability) { return Below(1000) < probability * 1000; }
  bool Has(absl::string_view op) const { return has_op_(absl::StrCat("pref.", op)); }

  // Terms. A step that comes before its time, because no term fits, does nothing.

  Term Emit(const Axes& axes, bool scored, const std::string& text) {
    Term term = {.name = absl::StrCat("%v", next_name_++), .axes = axes, .scored = scored};
    lines_.push_back(absl::StrCat("  ", term.name, " = pref.", text));
    return term;
  }

  void Keep(Term term) { terms_.push_back(std::move(term)); }

  Term Op(absl::string_view op, const Term& x, absl::string_view after = "") {
    return Emit(x.axes, x.scored, absl::StrCat(op, " ", x.name, after));
  }

  // Of the longer axes.
  Term Op2(absl::string_view op, const Term& a, const Term& b) {
    const Axes& axes = a.axes.size() >= b.axes.size() ? a.axes : b.axes;
    return Emit(axes, a.scored || b.scored, absl::StrCat(op, " ", a.name, ", ", b.name));
  }

  Term Constant(double value) {
    std::string text = absl::StrCat(value);
    if (!absl::StrContains(text, '.')) text += ".0";
    return Emit({}, false, absl::StrCat("constant ", text));
  }

  Term Value(const Term& x) { return Op("stop_gradient", x); }

  const Term* Pick(const std::function<bool(const Term&)>& fits) {
    std::vector<size_t> found;
    for (size_t i = 0; i < terms_.size(); ++i) {
      if (fits(terms_[i])) found.push_back(i);
    }
    if (found.empty()) return nullptr;
    // Terms that nothing uses yet go first, so that expressions become deep.
    std::vector<size_t> fresh;
    for (size_t i : found) {
      if (!terms_[i].used) fresh.push_back(i);
    }
    const std::vector<size_t>& from = !fresh.empty() && Chance(0.7) ? fresh : found;
    Term& term = terms_[from[Below(from.size())]];
    term.used = true;
    picked_.push_back(std::make_unique<Term>(term));
    return picked_.back().get();
  }

  const Term* Any() {
    return Pick([](const Term&) { return true; });
  }
  const Term* WithAxes(const Axes& axes) {
    return Pick([&axes](const Term& term) { return term.axes == axes; });
  }
  const Term* Beside(const Term& x) {
    return Pick([&x](const Term& term) {
      return IsPrefix(term.axes, x.axes) || IsPrefix(x.axes, term.axes);
    });
  }
  // A term with an innermost axis of one of `kinds` ("row" "member" "token" "pair" "segment"); rows
  // are only crossed where scores with gradient do not come along, unless the objective couples
  // rows.
  const Term* Over(const std::vector<absl::string_view>& kinds) {
    return Pick([&](const Term& term) {
      if (term.axes.empty()) return false;
      const std::string kind = Kind(term);
      if (kind == "row" && term.scored && !couples_rows_) return false;
      return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
    });
  }

  // "token" of token(chosen).
  static std::string Kind(const Term& term) {
    return std::vector<std::string>(absl::StrSplit(term.axes.back(), '('))[0];
  }
  static Axes Parent(const Term& term) { return {term.axes.begin(), term.axes.end() - 1}; }

  std::string AxesText(const Axes& axes) {
    return absl::StrCat("[", absl::StrJoin(axes, ", "), "]");
  }

  // Declarations.

  void Structure() {
    const std::vector<std::vector<std::string>> choices = {
        {"chosen", "rejected"}, {"response", "mismatched"}, {"member"}, {"chosen"}};
    responses_ = choices[Below(choices.size())];
    for (const std::string& response : responses_) {
      Axes axes = {"row"};
      if (response == "member") axes.push_back("member");
      axes.push_back(absl::StrCat("token(", response, ")"));
      token_axes_.push_back(axes);
      all_axes_.push_back(axes);
    }
    all_axes_.push_back({});
    all_axes_.push_back({"row"});
    if (responses_[0] == "member") {
      all_axes_.push_back({"row", "member"});
      all_axes_.push_back({"row", "pair"});
    } else {
      all_axes_.push_back({"row", "segment(phrase)"});
    }
  }

  void Leaves() {
    Keep(Emit({}, false, R"(hyper "beta" default 0.7 in (0, inf))"));
    if (Chance(0.5)) Keep(Emit({}, false, R"(hyper "gamma" default 0.3 in [0, 1])"));
    if (!Has("input")) return;
    const int count = 1 + Below(3);
    for (int i = 0; i < count; ++i) {
      const Axes& axes = all_axes_[Below(all_axes_.size())];
      Keep(Input("number", axes));
    }
    if (Has("state") && Chance(0.3)) {
      Keep(Emit({}, false, R"(state "mean" default 0.25)"));
      has_state_ = true;
    }
  }

  Term Input(absl::string_view what, const Axes& axes) {
    return Emit(axes, false,
                absl::StrCat("input \"", what, next_input_++, "\" over ", AxesText(axes)));
  }

  // The policy's and the reference's reads of every response.
  void Distributions() {
    for (size_t i = 0; i < responses_.size(); ++i) {
      const std::string policy = absl::StrCat("policy(", responses_[i], ")");
      const std::string reference = absl::StrCat("reference(", responses_[i], ")");
      const Axes& axes = token_axes_[i];
      // A response that is only looked at, as KTO's mismatched pairs.
      const bool detached =
          responses_[i] == "mismatched" || (i > 0 && responses_[0] != "member" && Chance(0.15));
      const std::string stop = detached ? " detached" : "";
      const bool scored = !detached;
      if (sums_only_ || Chance(0.85)) Read(axes, scored, absl::StrCat("logprob ", policy, stop));
      if (Chance(0.5)) Read(axes, false, absl::StrCat("logprob ", reference));
      if (sums_only_) continue;
      if (Has("kl") && Chance(0.25)) {
        const bool forward = Chance(0.5);
        Read(axes, scored,
             absl::StrCat("kl ", forward ? reference : policy, ", ", forward ? policy : reference,
                          stop));
      } else if (Has("kl") && Chance(0.15)) {
        Read(axes, scored,
             absl::StrCat("logprob ", policy, " mix ", reference, " by ", terms_[0].name, stop));
        terms_[0].used = true;
      }
      if (Has("entropy") && Chance(0.25))
        Read(axes, scored, absl::StrCat("entropy ", policy, stop));
      if (Has("logit") && Chance(0.2)) Read(axes, scored, absl::StrCat("logit ", policy, stop));
      if (Has("collision") && Chance(0.2))
        Read(axes, scored, absl::StrCat("collision ", policy, " detached"));
      if (Has("collision") && Chance(0.1)) Read(axes, false, absl::StrCat("collision ", reference));
      if (Has("argmax") && Chance(0.25)) IndexedReads(axes, policy, reference, stop, scored);
      if (terms_.empty() || terms_.back().axes != axes || terms_.back().used)
        Read(axes, scored, absl::StrCat("logprob ", policy, stop));
    }
    const bool any =
        std::any_of(terms_.begin(), terms_.end(), [](const Term& term) { return term.scored; });
    if (!any) Read(token_axes_[0], true, absl::StrCat("logprob policy(", responses_[0], ")"));
  }

  void Read(const Axes& axes, bool scored, const std::string& text) {
    Term term = Emit(axes, scored, text);
    term.read = true;
    Keep(term);
  }

  void IndexedReads(const Axes& axes, const std::string& policy, const std::string& reference,
                    const std::string& stop, bool scored) {
    Term index;
    switch (Below(3)) {
      case 0:
        index = Input("token", axes);
        break;
      case 1:
        index = Emit(axes, false, absl::StrCat("argmax ", reference));
        break;
      default:
        index = Emit(axes, scored, absl::StrCat("argmax ", policy, " detached"));
    }
    Read(axes, scored,
         absl::StrCat(Chance(0.5) ? "logprob " : "logit ", policy, " at ", index.name, stop));
    if (Chance(0.4))
      Read(axes, index.scored, absl::StrCat("logprob ", reference, " at ", index.name));
  }

  std::vector<Term> TakeScored() {
    std::vector<Term> scored, others;
    for (Term& term : terms_) (term.scored ? scored : others).push_back(term);
    terms_ = others;
    return scored;
  }

  // Rows' and members' sums and means in place of token scores.
  void SumTokens() {
    for (Term& term : terms_) {
      if (!term.axes.empty() && Kind(term) == "token")
        term = Reduce(Chance(0.5) ? "sum" : "mean", term, "token");
    }
  }

  // Each score times a value that is known before all scores.
  void WeighHeldBack() {
    for (const Term& score : held_back_) {
      const Term* weight = Beside(score);
      Keep(weight == nullptr ? score : Op2("mul", score, Op("sigmoid", *weight)));
    }
  }

  // Rules.

  void Rule(absl::string_view op, std::function<void()> rule) {
    if (Has(op)) rules_.push_back(std::move(rule));
  }

  // `make` of some term.
  void Unary(absl::string_view op, std::function<Term(const Term&)> make) {
    Rule(op, [this, make = std::move(make)] {
      if (const Term* x = Any()) Keep(make(*x));
    });
  }
  // `make` of two terms that broadcast.
  void Binary(absl::string_view op, std::function<Term(const Term&, const Term&)> make) {
    Rule(op, [this, make = std::move(make)] {
      const Term* x = Any();
      const Term* y = x == nullptr ? nullptr : Beside(*x);
      if (y != nullptr) Keep(make(*x, *y));
    });
  }
  // `make` of a term with an innermost axis of one of `kinds`, its kind, and another such term.
  void Across(absl::string_view op, std::vector<absl::string_view> kinds,
              std::function<Term(const Term&, const std::string&)> make) {
    Rule(op, [this, kinds = std::move(kinds), make = std::move(make)] {
      if (const Term* x = Over(kinds)) Keep(make(*x, Kind(*x)));
    });
  }

  void MakeRules() {
    Pointwise();
    Reductions();
    TokenRules();
    BatchRules();
    MemberRules();
  }

  // Arguments are kept where the operation is smooth and its results are of order 1.
  void Pointwise() {
    for (const char* op : {"neg", "abs", "sigmoid", "log_sigmoid", "softplus", "relu"})
      Unary(op, [this, op](const Term& x) { return Op(op, x); });
    Unary("stop_gradient", [this](const Term& x) { return Value(x); });
    Unary("square", [this](const Term& x) { return Op("square", Op("sigmoid", x)); });
    Unary("sqrt", [this](const Term& x) { return Op("sqrt", OnePlusAbs(x)); });
    Unary("log", [this](const Term& x) { return Op("log", OnePlusAbs(x)); });
    Unary("log1p", [this](const Term& x) { return Op("log1p", Op("abs", x)); });
    Unary("exp", [this](const Term& x) { return Op("exp", Op("log_sigmoid", x)); });
    Unary("expm1", [this](const Term& x) { return Op("expm1", Op("log_sigmoid", x)); });
    Unary("log1mexp", [this](const Term& x) {
      return Op("log1mexp", Op2("sub", Op("log_sigmoid", x), Constant(0.25)));
    });
    Unary("sign", [this](const Term& x) { return Op("sign", Value(x)); });
    Unary("clamp", [this](const Term& x) {
      const Term low = Constant(-1.5), high = Constant(2);
      return Emit(x.axes, x.scored,
                  absl::StrCat("clamp ", x.name, ", ", low.name, ", ", high.name));
    });
    for (const char* op : {"add", "sub", "min", "max", "logaddexp"})
      Binary(op, [this, op](const Term& x, const Term& y) { return Op2(op, x, y); });
    Binary("mul", [this](const Term& x, const Term& y) { return Op2("mul", x, Op("sigmoid", y)); });
    Binary("div", [this](const Term& x, const Term& y) { return Op2("div", x, OnePlusAbs(y)); });
    Binary("pow", [this](const Term& x, const Term& y) {
      return Op2("pow", Op2("add", Op("sigmoid", x), Constant(0.5)), Op("sigmoid", y));
    });
    Binary("where", [this](const Term& x, const Term& y) {
      const Term condition = Op2("compare gt", Value(x), Value(y));
      const Axes& axes = condition.axes;
      return Emit(axes, x.scored || y.scored,
                  absl::StrCat("where ", condition.name, ", ", x.name, ", ", y.name));
    });
    Binary("option", [this](const Term& x, const Term& y) {
      const Axes& axes = x.axes.size() >= y.axes.size() ? x.axes : y.axes;
      return Emit(axes, x.scored || y.scored,
                  absl::StrCat("option \"choice", next_input_++,
                               "\" default \"a\" of \"a\" = ", x.name, ", \"b\" = ", y.name));
    });
  }

  Term OnePlusAbs(const Term& x) { return Op2("add", Op("abs", x), Constant(1)); }

  void Reductions() {
    const std::vector<absl::string_view> all = {"row", "member", "token", "pair", "segment"};
    for (const char* op : {"sum", "mean"}) {
      Across(op, all,
             [this, op](const Term& x, const std::string& kind) { return Reduce(op, x, kind); });
    }
    // Of nothing it is -inf.
    Across("reduce_max", all, [this](const Term& x, const std::string& kind) {
      return Op2("max", Reduce("reduce_max", Value(x), kind), Constant(-3));
    });
    Rule("broadcast", [this] {
      const Axes& axes = all_axes_[Below(all_axes_.size())];
      const Term* x = Pick([&axes](const Term& term) {
        return IsPrefix(term.axes, axes) && term.axes.size() < axes.size();
      });
      if (x != nullptr)
        Keep(Emit(axes, x->scored, absl::StrCat("broadcast ", x->name, " to ", AxesText(axes))));
    });
    Rule("count", [this] {
      const Axes& axes = all_axes_[Below(all_axes_.size())];
      if (!axes.empty())
        Keep(Emit({axes.begin(), axes.end() - 1}, false, absl::StrCat("count over ", axes.back())));
    });
    Rule("position", [this] {
      const Axes& axes = all_axes_[Below(all_axes_.size())];
      if (!axes.empty()) Keep(Emit(axes, false, absl::StrCat("position over ", axes.back())));
    });
    Rule("uniform", [this] {
      const Axes& axes = all_axes_[Below(all_axes_.size())];
      if (axes.empty()) return;
      const Term seed = Constant(3);
      Keep(Emit(axes, false, absl::StrCat("uniform ", seed.name, " over ", axes.back())));
    });
  }

  Term Reduce(absl::string_view op, const Term& x, const std::string& kind) {
    return Emit(Parent(x), x.scored, absl::StrCat(op, " ", x.name, " over ", kind));
  }

  void TokenRules() {
    Across("scan", {"token", "member"}, [this](const Term& x, const std::string& kind) {
      const Term decay = Constant(0.6);
      return Emit(x.axes, x.scored,
                  absl::StrCat("scan ", x.name, ", ", decay.name, " over ", kind,
                               Chance(0.5) ? " reverse" : ""));
    });
    Across("weighted_sum", {"token", "member", "segment", "pair"},
           [this](const Term& x, const std::string& kind) {
             const Term* y = WithAxes(x.axes);
             const Term weight = Op("sigmoid", y == nullptr ? x : *y);
             return Emit(Parent(x), x.scored || weight.scored,
                         absl::StrCat("weighted_sum ", x.name, ", ", weight.name, " over ", kind,
                                      Chance(0.5) ? " normalized" : ""));
           });
    for (const char* op : {"sum_first", "sum_after"}) {
      Across(op, {"token"}, [this, op](const Term& x, const std::string& kind) {
        const Term count = Input("place", Parent(x));
        return Emit(Parent(x), x.scored,
                    absl::StrCat(op, " ", x.name, ", ", count.name, " over ", kind));
      });
    }
    Rule("scatter_at", [this] {
      const Axes& axes = token_axes_[Below(token_axes_.size())];
      const Term* x = axes.size() == 2 ? WithAxes({"row"}) : nullptr;
      if (x == nullptr) return;
      const Term place = Input("place", {"row"});
      Keep(Emit(axes, x->scored,
                absl::StrCat("scatter_at ", x->name, ", ", place.name, " over ", axes.back())));
    });
    Rule("segment_sum", [this] {
      const Axes& axes = token_axes_[Below(token_axes_.size())];
      const Term* x = axes.size() == 2 ? WithAxes(axes) : nullptr;
      if (x == nullptr) return;
      const Term ids = Input("segment", axes);
      Keep(Emit({"row", "segment(phrase)"}, x->scored,
                absl::StrCat("segment_sum ", x->name, " by ", ids.name, " to segment(phrase)")));
    });
    Rule("segment_gather", [this] {
      const Axes& axes = token_axes_[Below(token_axes_.size())];
      const Term* x = WithAxes({"row", "segment(phrase)"});
      if (x == nullptr || axes.size() != 2) return;
      const Term ids = Input("segment", axes);
      Keep(Emit(axes, x->scored, absl::StrCat("segment_gather ", x->name, " by ", ids.name)));
    });
  }

  void BatchRules() {
    const std::vector<absl::string_view> sortable = {"row", "member", "token"};
    Across("sort", sortable, [this](const Term& x, const std::string& kind) {
      return Op("sort", x, absl::StrCat(" over ", kind));
    });
    Across("unsort", sortable, [this](const Term& x, const std::string& kind) {
      const Term* y = Pick([&](const Term& term) {
        return term.axes == x.axes && (kind != "row" || !term.scored || couples_rows_);
      });
      const Term key = Value(y == nullptr ? x : *y);
      return Emit(x.axes, x.scored || key.scored,
                  absl::StrCat("unsort ", x.name, " by ", key.name, " over ", kind));
    });
    Across("leave_one_out", {"row", "member"}, [this](const Term& x, const std::string& kind) {
      return Op("leave_one_out", x, absl::StrCat(" over ", kind));
    });
    Across("whiten", {"row", "member"}, [this](const Term& x, const std::string& kind) {
      const Term eps = Constant(0.5);
      return Op("whiten", x, absl::StrCat(" by ", eps.name, " over ", kind));
    });
    // Never of equal points, where the derivative is infinite.
    Across("std", {"row"}, [this](const Term& x, const std::string& kind) {
      const Term noise = Input("number", x.axes);
      return Emit(Parent(x), x.scored,
                  absl::StrCat("std ", Op2("add", x, noise).name, " over ", kind,
                               Chance(0.5) ? " unbiased" : ""));
    });
    Across("quantile", {"row", "member", "token"}, [this](const Term& x, const std::string& kind) {
      const Term q = Constant(0.3);
      return Emit(Parent(x), x.scored,
                  absl::StrCat("quantile ", Value(x).name, " at ", q.name, " over ", kind));
    });
    Across("random_subset", {"row"}, [this](const Term& x, const std::string&) {
      const Term weight = Value(Op("sigmoid", x)), fraction = Constant(0.5), seed = Constant(11);
      return Emit(x.axes, x.scored,
                  absl::StrCat("random_subset ", weight.name, ", ", fraction.name, ", ", seed.name,
                               " over row"));
    });
    Across("mean", {"row"}, [this](const Term& x, const std::string&) {
      return Emit({}, x.scored, absl::StrCat("mean ", Value(x).name, " over row scope ranks"));
    });
  }

  void MemberRules() {
    Rule("pair_gather", [this] {
      const Term* x = WithAxes({"row", "member"});
      if (x == nullptr) return;
      const char* side = Chance(0.5) ? " first" : " second";
      Keep(Emit({"row", "pair"}, x->scored, absl::StrCat("pair_gather ", x->name, side)));
    });
    Rule("pair_scatter", [this] {
      const Term* x = WithAxes({"row", "pair"});
      if (x == nullptr) return;
      const char* side = Chance(0.5) ? " first" : " second";
      Keep(Emit({"row", "member"}, x->scored, absl::StrCat("pair_scatter ", x->name, side)));
    });
    Rule("pair_index", [this] {
      if (responses_[0] != "member") return;
      Keep(Emit({"row", "pair"}, false,
                absl::StrCat("pair_index", Chance(0.5) ? " first" : " second")));
    });
  }

  // Everything that nothing uses goes into the loss.
  std::string Finish() {
    std::vector<Term> open;
    for (const Term& term : terms_) {
      if (!term.used) open.push_back(term);
    }
    Term loss = Constant(0.125);
    // A read whose gradient all paths stop, or a response that only the case of an option reads
    // which was not chosen, is an error; so each has a path of its own.
    for (Term term : reads_) {
      while (!term.axes.empty()) term = Reduce("mean", term, Kind(term));
      loss = Op2("add", loss, Op2("mul", term, Constant(0.25)));
    }
    for (Term term : open) {
      if (!term.axes.empty() && term.axes.size() > 1 && !known_weights_ && Chance(0.5))
        term = Op("softplus", term);
      while (!term.axes.empty()) {
        const bool sum = term.axes.size() > 1 && Chance(0.3);
        term = Reduce(sum ? "sum" : "mean", term, Kind(term));
        if (term.axes.size() == 1 && !known_weights_ && Chance(0.4)) term = Op("log_sigmoid", term);
      }
      if (couples_rows_ && Chance(0.3)) term = Op("softplus", term);
      loss = Op2("add", loss, Op2("mul", term, Constant(0.5)));
    }
    if (has_state_) {
      const Term next = Value(loss);
      lines_.push_back(absl::StrCat("  pref.update \"mean\" = ", next.name));
    }
    return absl::StrCat("pref.objective @random {\n", absl::StrJoin(lines_, "\n"),
                        "\n  pref.yield ", loss.name, "\n}\n");
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  const std::function<bool(absl::string_view)>& has_op_;
  bool couples_rows_ = false, known_weights_ = false, sums_only_ = false, has_state_ = false;
  int next_name_ = 0, next_input_ = 0;
  std::vector<std::string> responses_, lines_;
  std::vector<Axes> token_axes_, all_axes_;
  std::vector<Term> terms_, held_back_;
  std::vector<Term> reads_;                    // with gradient
  std::vector<std::unique_ptr<Term>> picked_;  // copies that outlive growth of terms_
  std::vector<std::function<void()>> rules_;
};

}  // namespace

RandomObjective MakeRandomObjective(uint64_t seed,
                                    const std::function<bool(absl::string_view)>& has_op) {
  return Generator(seed, has_op).Generate();
}

}  // namespace alidade::testing
