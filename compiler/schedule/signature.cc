#include "compiler/schedule/signature.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"

namespace alidade::schedule {
namespace {

// The row program that the reads of a distribution make.
RowProgram ProgramOf(const Signature& signature, int64_t distribution) {
  RowProgram program;
  for (const VocabularyRead& read : signature.reads)
    if (read.distribution == distribution)
      program.reads.push_back({read.op, /*gradient=*/read.cotangent >= 0});
  return program;
}

// The checks of ValidateSignature, one method per member.
class Validator {
 public:
  explicit Validator(const Signature& signature) : s_(signature) {}

  absl::Status Validate() {
    if (s_.name.empty()) return Fail("name: expected a name, got \"\"");
    if (s_.distributions.empty()) return Fail("distributions: expected at least one, got none");
    if (s_.known_values < 0)
      return Fail("known_values: expected at least 0, got ", s_.known_values);
    ALIDADE_RETURN_IF_ERROR(Axes());
    ALIDADE_RETURN_IF_ERROR(Scalars());
    ALIDADE_RETURN_IF_ERROR(Reads());
    return Distributions();
  }

 private:
  template <typename... Parts>
  static absl::Status Fail(const Parts&... parts) {
    return absl::InvalidArgumentError(absl::StrCat("signature.", parts...));
  }

  // `index` in [low, size), or the error that says so.
  template <typename... Where>
  static absl::Status InRange(int64_t index, int64_t low, int64_t size, const Where&... where) {
    if (index >= low && index < size) return absl::OkStatus();
    return Fail(where..., ": expected [", low, ", ", size, "), got ", index);
  }

  absl::Status Axes() {
    std::set<std::string> names;
    for (size_t i = 0; i < s_.axes.size(); ++i) {
      const Axis& axis = s_.axes[i];
      const std::string where = absl::StrCat("axes[", i, "]");
      const bool named = axis.kind == "token" || axis.kind == "segment";
      if (!named && axis.kind != "member" && axis.kind != "pair")
        return Fail(where, ".kind: expected token, member, segment or pair, got '", axis.kind, "'");
      if (named == axis.name.empty())
        return Fail(where, ".name: expected ", named ? "a name" : "\"\"", ", got \"", axis.name,
                    "\"");
      if (!names.insert(axis.Name()).second) return Fail("axes: '", axis.Name(), "' twice");
      ALIDADE_RETURN_IF_ERROR(InRange(axis.parent, -1, i, where, ".parent"));
      const bool of_member = axis.kind == "token" && axis.name == "member";
      const std::string expected = of_member ? "member" : "row";
      const std::string parent = axis.parent < 0 ? "row" : s_.axes[axis.parent].Name();
      if (parent != expected) return Fail(where, ".parent: expected ", expected, ", got ", parent);
      if (axis.kind == "pair" && !names.count("member"))
        return Fail(where, ": expected the axis member before pair, got none");
    }
    return absl::OkStatus();
  }

  absl::Status Scalars() {
    for (const Hyperparameter& hyper : s_.hyperparameters) {
      if (!hyper.Contains(hyper.default_value))
        return Fail("hyperparameters.", hyper.name, ".default: expected in ", hyper.Range(),
                    ", got ", hyper.default_value);
    }
    ALIDADE_RETURN_IF_ERROR(Unique("hyperparameters", s_.hyperparameters));
    ALIDADE_RETURN_IF_ERROR(Unique("inputs", s_.inputs));
    ALIDADE_RETURN_IF_ERROR(Unique("states", s_.states));
    ALIDADE_RETURN_IF_ERROR(Unique("options", s_.options));
    for (size_t i = 0; i < s_.inputs.size(); ++i)
      ALIDADE_RETURN_IF_ERROR(
          InRange(s_.inputs[i].axis, Input::kNone, s_.axes.size(), "inputs[", i, "].axis"));
    for (const Option& option : s_.options) {
      for (const std::string& chosen : {option.chosen, option.default_case}) {
        if (std::find(option.cases.begin(), option.cases.end(), chosen) == option.cases.end())
          return Fail("options.", option.name, ": expected one of ",
                      absl::StrJoin(option.cases, ", "), ", got '", chosen, "'");
      }
    }
    return absl::OkStatus();
  }

  template <typename T>
  static absl::Status Unique(absl::string_view member, const std::vector<T>& items) {
    std::set<std::string> names;
    for (const T& item : items) {
      if (item.name.empty()) return Fail(member, ": expected a name, got \"\"");
      if (!names.insert(item.name).second) return Fail(member, ": '", item.name, "' twice");
    }
    return absl::OkStatus();
  }

  absl::Status Reads() {
    int64_t next_cotangent = 0;
    for (size_t i = 0; i < s_.reads.size(); ++i) {
      const VocabularyRead& read = s_.reads[i];
      const std::string where = absl::StrCat("reads[", i, "]");
      const ReadOp* op = FindReadOp(read.op);
      if (op == nullptr) return Fail(where, ".op: no operation '", read.op, "'");
      ALIDADE_RETURN_IF_ERROR(
          InRange(read.distribution, 0, s_.distributions.size(), where, ".distribution"));
      ALIDADE_RETURN_IF_ERROR(
          InRange(read.index_input, -1, s_.inputs.size(), where, ".index_input"));
      ALIDADE_RETURN_IF_ERROR(InRange(read.index_read, -1, i, where, ".index_read"));
      ALIDADE_RETURN_IF_ERROR(
          InRange(read.scale_hyper, -1, s_.hyperparameters.size(), where, ".scale_hyper"));
      const Distribution& distribution = s_.distributions[read.distribution];
      const int64_t partner = op->has_partner ? distribution.partner : -1;
      if (read.partner != partner || (op->has_partner && partner < 0))
        return Fail(where, ".partner: expected ",
                    op->has_partner ? "the partner of its distribution" : "-1", ", got ",
                    read.partner);
      if (op->has_index != ((read.index_input >= 0) != (read.index_read >= 0)) ||
          (!op->has_index && read.index_input >= 0))
        return Fail(where, ": expected ",
                    op->has_index ? "either index_input or index_read" : "no index");
      if (read.index_read >= 0 && s_.reads[read.index_read].op != "argmax")
        return Fail(where, ".index_read: expected an argmax, got ", s_.reads[read.index_read].op);
      if (read.cotangent >= 0 && !op->has_gradient)
        return Fail(where, ".cotangent: ", read.op, " has no gradient, got ", read.cotangent);
      if (read.cotangent != -1 && read.cotangent != next_cotangent)
        return Fail(where, ".cotangent: expected -1 or ", next_cotangent, ", got ", read.cotangent);
      if (read.cotangent >= 0) ++next_cotangent;
    }
    return absl::OkStatus();
  }

  absl::Status Distributions() {
    std::set<std::string> names;
    const int64_t num_distributions = s_.distributions.size();
    for (int64_t i = 0; i < num_distributions; ++i) {
      const Distribution& d = s_.distributions[i];
      const std::string where = absl::StrCat("distributions[", i, "]");
      if (!names.insert(d.Name()).second) return Fail("distributions: '", d.Name(), "' twice");
      ALIDADE_RETURN_IF_ERROR(InRange(d.axis, 0, s_.axes.size(), where, ".axis"));
      const Axis& axis = s_.axes[d.axis];
      if (axis.kind != "token" || axis.name != d.response)
        return Fail(where, ".axis: expected token(", d.response, "), got ", axis.Name());
      ALIDADE_RETURN_IF_ERROR(InRange(d.partner, -1, num_distributions, where, ".partner"));
      if (d.partner >= 0 && (d.partner == i || s_.distributions[d.partner].axis != d.axis))
        return Fail(where, ".partner: expected another distribution over ", axis.Name(), ", got ",
                    s_.distributions[d.partner].Name());
      ALIDADE_RETURN_IF_ERROR(InRange(d.program, -1, s_.row_programs.size(), where, ".program"));
      const RowProgram expected = ProgramOf(s_, i);
      const RowProgram program = d.program < 0 ? RowProgram() : s_.row_programs[d.program];
      if (!(program == expected))
        return Fail(where, ".program: expected the reads ", expected.ToString(), ", got ",
                    program.ToString());
      if (d.program >= 0) {
        ALIDADE_RETURN_IF_ERROR(
            WithContext(ValidateRowProgram(program), absl::StrCat("signature.", where)));
      }
      const bool has_gradient = expected.num_gradients() > 0;
      if (d.requires_grad != has_gradient)
        return Fail(where, ".requires_grad: expected ", has_gradient ? "true" : "false",
                    " as its reads have it, got ", d.requires_grad ? "true" : "false");
    }
    return absl::OkStatus();
  }

  const Signature& s_;
};

}  // namespace

std::string Axis::Name() const { return name.empty() ? kind : absl::StrCat(kind, "(", name, ")"); }

std::string Distribution::Name() const {
  std::string name = absl::StrCat(model, ".", response);
  if (view != "clean") absl::StrAppend(&name, "@", view);
  if (!view_argument.empty()) absl::StrAppend(&name, "(", view_argument, ")");
  if (shared_view) absl::StrAppend(&name, "+shared");
  return name;
}

bool Hyperparameter::Contains(double value) const {
  if (std::isnan(value)) return false;
  const bool above = low_open ? value > low : value >= low;
  const bool below = high_open ? value < high : value <= high;
  return above && below;
}

std::string Hyperparameter::Range() const {
  return absl::StrCat(low_open ? "(" : "[", low, ", ", high, high_open ? ")" : "]");
}

std::optional<int64_t> Signature::FindDistribution(absl::string_view name) const {
  for (size_t i = 0; i < distributions.size(); ++i) {
    if (distributions[i].Name() == name) return i;
  }
  return std::nullopt;
}

std::optional<int64_t> Signature::FindAxis(absl::string_view name) const {
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].Name() == name) return i;
  }
  return std::nullopt;
}

std::optional<int64_t> Signature::FindResponse(absl::string_view response) const {
  return FindAxis(absl::StrCat("token(", response, ")"));
}

std::vector<std::string> Signature::Responses() const {
  std::vector<std::string> responses;
  for (const Axis& axis : axes) {
    if (axis.kind == "token") responses.push_back(axis.name);
  }
  return responses;
}

std::vector<std::string> Signature::ReadNames() const {
  std::vector<std::string> names;
  for (const VocabularyRead& read : reads) {
    std::string name = distributions[read.distribution].Name();
    if (read.op != "logprob") absl::StrAppend(&name, "#", read.op);
    const std::string first = name;
    for (int i = 2; std::find(names.begin(), names.end(), name) != names.end(); ++i)
      name = absl::StrCat(first, "#", i);
    names.push_back(std::move(name));
  }
  return names;
}

int64_t Signature::num_cotangents() const {
  return std::count_if(reads.begin(), reads.end(),
                       [](const VocabularyRead& read) { return read.cotangent >= 0; });
}

std::vector<std::string> Signature::Models(bool with_gradient) const {
  std::vector<std::string> models;
  for (const Distribution& distribution : distributions) {
    if (with_gradient && !distribution.requires_grad) continue;
    if (std::find(models.begin(), models.end(), distribution.model) == models.end()) {
      models.push_back(distribution.model);
    }
  }
  return models;
}

void AssignRowPrograms(Signature& signature) {
  signature.row_programs.clear();
  for (size_t i = 0; i < signature.distributions.size(); ++i) {
    Distribution& distribution = signature.distributions[i];
    RowProgram program = ProgramOf(signature, i);
    distribution.program = -1;
    if (program.reads.empty()) continue;
    auto& programs = signature.row_programs;
    const auto found = std::find(programs.begin(), programs.end(), program);
    distribution.program = found - programs.begin();
    if (found == programs.end()) programs.push_back(std::move(program));
  }
}

absl::Status ValidateSignature(const Signature& signature) {
  return Validator(signature).Validate();
}

}  // namespace alidade::schedule
