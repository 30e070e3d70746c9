#include "compiler/schedule/row_program.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace alidade::schedule {
namespace {

// Reads of one distribution: AlidadeRowArgs has this many places.
constexpr size_t kMaxReads = 8;

constexpr ReadOp kReadOps[] = {
    // name, meaning, has_gradient, separable, has_index, has_partner
    {"logprob", "z[y] - lse(z)", true, true, false, false},
    {"logprob_at", "z[index] - lse(z)", true, true, true, false},
    {"logprob_mix", "log softmax(g z - (g - 1) z_partner)[y]", true, true, false, true},
    {"entropy", "lse(z) - sum p z", true, false, false, false},
    {"collision", "log sum p^2", false, false, false, false},
    {"logit", "z[y]", true, true, false, false},
    {"logit_at", "z[index]", true, true, true, false},
    {"argmax", "index of the largest logit, first of equals", false, false, false, false},
    {"kl_to", "KL(p || p_partner)", true, false, false, true},
    {"kl_from", "KL(p_partner || p)", true, false, false, true},
};

absl::Status CheckRead(const RowProgram& program, size_t i) {
  const RowRead& read = program.reads[i];
  const ReadOp* op = FindReadOp(read.op);
  if (op == nullptr) {
    std::vector<std::string> names;
    for (const ReadOp& known : kReadOps) names.emplace_back(known.name);
    return absl::InvalidArgumentError(absl::StrCat("reads[", i, "].op: unknown operation '",
                                                   read.op, "', expected one of ",
                                                   absl::StrJoin(names, ", ")));
  }
  if (read.gradient && !op->has_gradient) {
    return absl::InvalidArgumentError(
        absl::StrCat("reads[", i, "].gradient: ", read.op, " has no gradient, got true"));
  }
  if (op->has_index) return absl::OkStatus();
  for (size_t j = 0; j < i; ++j) {
    if (program.reads[j].op != read.op) continue;
    return absl::InvalidArgumentError(absl::StrCat("reads[", i, "].op: ", read.op,
                                                   " is already reads[", j,
                                                   "], a row is read once per operation"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Span<const ReadOp> ReadOps() { return kReadOps; }

const ReadOp* FindReadOp(absl::string_view name) {
  for (const ReadOp& op : kReadOps)
    if (op.name == name) return &op;
  return nullptr;
}

bool operator==(const RowRead& a, const RowRead& b) {
  return a.op == b.op && a.gradient == b.gradient;
}

bool operator==(const RowProgram& a, const RowProgram& b) { return a.reads == b.reads; }

bool RowProgram::has_partner() const {
  return std::any_of(reads.begin(), reads.end(), [](const RowRead& read) {
    const ReadOp* op = FindReadOp(read.op);
    return op != nullptr && op->has_partner;
  });
}

bool RowProgram::separable() const {
  if (num_gradients() != 1) return false;
  return std::all_of(reads.begin(), reads.end(), [](const RowRead& read) {
    const ReadOp* op = FindReadOp(read.op);
    return !read.gradient || (op != nullptr && op->separable);
  });
}

int64_t RowProgram::num_gradients() const {
  return std::count_if(reads.begin(), reads.end(),
                       [](const RowRead& read) { return read.gradient; });
}

std::string RowProgram::ToString() const {
  return absl::StrJoin(reads, " ", [](std::string* out, const RowRead& read) {
    absl::StrAppend(out, read.op, read.gradient ? "*" : "");
  });
}

absl::Status ValidateRowProgram(const RowProgram& program) {
  if (program.reads.empty() || program.reads.size() > kMaxReads) {
    return absl::InvalidArgumentError(absl::StrCat("reads: expected 1 to ", kMaxReads,
                                                   " reads of a distribution, got ",
                                                   program.reads.size()));
  }
  for (size_t i = 0; i < program.reads.size(); ++i) {
    if (absl::Status status = CheckRead(program, i); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace alidade::schedule
