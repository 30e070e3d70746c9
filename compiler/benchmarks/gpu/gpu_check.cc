// Every linked objective on a GPU against the f64 interpreter's results, which write_cases wrote
// beforehand: f32 and bf16, every exact schedule, trained and frozen head, several chunk sizes.
//
//   gpu_check --cases=FOLDER [--device=cuda|cpu] [--only=OBJECTIVE] [--quick]
//
// --device=cpu runs the same calls in f32 on the CPU. --quick takes one case per objective and one
// chunk size, for a sanitizer. Exit: 0 all agree; 1 some do not, or an error; 2 usage; 3 no GPU.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/status/status.h"
#include "compiler/benchmarks/gpu/cases.h"
#include "compiler/runtime/cuda/driver.h"
#include "compiler/runtime/objective.h"
#include "compiler/schedule/schedule.h"
#include "compiler/tools/prefc/CompiledCall.h"

namespace alidade::gpu {
namespace {

using pref::Array;
using pref::Arrays;
using pref::Call;
using pref::CallResult;

// Norm of the difference over the norm of the expectation. f32: rounding of 6e-8 through GEMMs over
// tens of terms. bf16: logits and their gradients carry 2^-9, results of a GEMM once more.
constexpr double kFloatTolerance = 1e-5, kBf16Tolerance = 3e-2;
// Losses, metrics and log-probabilities are differences of numbers near 1: errors are relative to
// at least this.
constexpr double kUnit = 1.0;

struct Options {
  std::string cases, device = "cuda", only;
  bool quick = false;
};

bool IsGradient(const std::string& name) { return name.rfind("grad.", 0) == 0; }
bool IsHeadGradient(const std::string& name) {
  return IsGradient(name) && name.size() > 5 && name.compare(name.size() - 5, 5, ".head") == 0;
}

// Of numbers that must be finite; infinite where shapes differ.
double RelativeError(const Array& got, const Array& expected, double floor) {
  if (got.reals.size() != expected.reals.size()) return HUGE_VAL;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < got.reals.size(); ++i) {
    difference += std::pow(got.reals[i] - expected.reals[i], 2);
    norm += std::pow(expected.reals[i], 2);
  }
  const double error = std::sqrt(difference) / std::max(floor, std::sqrt(norm));
  return std::isnan(error) ? HUGE_VAL : error;
}

// What one objective gave in one type.
struct Tally {
  int calls = 0, failures = 0;
  double value_error = 0, gradient_error = 0;  // worst
  std::set<std::string> schedules;

  void Fail(const std::string& where, const std::string& what) {
    ++failures;
    // The first few say what is wrong; hundreds would hide it.
    if (failures <= 5) std::printf("  FAILED %s: %s\n", where.c_str(), what.c_str());
  }
};

void Compare(const CallResult& result, const Arrays& expected, const Call& call,
             const std::string& where, Tally& tally) {
  const double tolerance = call.bf16 ? kBf16Tolerance : kFloatTolerance;
  for (const auto& [name, array] : expected) {
    if (call.frozenHead && IsHeadGradient(name)) continue;
    if (call.schedule == "R" && IsGradient(name)) continue;
    const auto got = result.outputs.find(name);
    if (got == result.outputs.end()) {
      tally.Fail(where, absl::StrCat(name, " is missing"));
      continue;
    }
    // Gradients relative to themselves. The floor of values is that of one number.
    const double error = RelativeError(got->second, array, IsGradient(name) ? 1e-30 : kUnit);
    double& worst = IsGradient(name) ? tally.gradient_error : tally.value_error;
    worst = std::max(worst, error);
    if (error > tolerance)
      tally.Fail(where, absl::StrCat(name, ": relative error ", error, " above ", tolerance));
  }
}

// Twice, because the second call must give the same bits.
void RunCall(const runtime::Objective& objective, const Call& call, const Arrays& expected,
             const std::string& where, Tally& tally) {
  ++tally.calls;
  const absl::StatusOr<CallResult> first = pref::runCompiled(objective, call);
  if (!first.ok()) return tally.Fail(where, std::string(first.status().message()));
  tally.schedules.insert(first->schedule);
  Compare(*first, expected, call, where, tally);
  const absl::StatusOr<CallResult> second = pref::runCompiled(objective, call);
  if (!second.ok()) return tally.Fail(where, std::string(second.status().message()));
  for (const auto& [name, array] : first->outputs) {
    if (array.reals != second->outputs.at(name).reals)
      tally.Fail(where, absl::StrCat(name, ": a second run gave other bits"));
  }
}

absl::Status RunCase(const runtime::Objective& objective, const std::string& name,
                     const Options& options, bool bf16, Tally& tally) {
  ALIDADE_ASSIGN_OR_RETURN(const Case read, ReadCase(absl::StrCat(options.cases, "/", name)));
  Call call{.inputs = read.inputs};
  for (const bool frozen : {false, true}) {
    call.frozenHead = frozen;
    // Which schedules are exact does not depend on the device.
    Call planned_call = call;
    planned_call.schedule.clear();
    planned_call.chunkTokens = 0;
    planned_call.device = "cpu";
    planned_call.bf16 = false;
    ALIDADE_ASSIGN_OR_RETURN(const pref::PlannedCall planned,
                             pref::planCall(objective.signature(), planned_call));
    std::vector<std::string> schedules = {"R"};
    for (const schedule::Candidate& candidate : planned.plan.candidates)
      if (candidate.legal) schedules.emplace_back(schedule::KindName(candidate.kind));
    call.device = options.device;
    call.bf16 = bf16;
    for (const std::string& schedule : schedules) {
      for (const int64_t chunk :
           options.quick ? std::vector<int64_t>{7} : std::vector<int64_t>{0, 7}) {
        call.schedule = schedule;
        call.chunkTokens = chunk;
        RunCall(objective, call, read.expected,
                absl::StrCat(name, bf16 ? " bf16 " : " f32 ", schedule, " chunk ", chunk,
                             frozen ? " frozen head" : " trained head"),
                tally);
      }
    }
  }
  return absl::OkStatus();
}

std::string Joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) absl::StrAppend(&text, text.empty() ? "" : " ", name);
  return text;
}

// False where something differs.
absl::StatusOr<bool> RunObjective(const std::string& name, const std::vector<std::string>& files,
                                  const Options& options) {
  ALIDADE_ASSIGN_OR_RETURN(const runtime::Objective* objective, runtime::FindObjective(name));
  bool good = true;
  for (const bool bf16 : {false, true}) {
    if (bf16 && options.device == "cpu") continue;
    Tally tally;
    for (const std::string& file : files) {
      const bool quick_case = file == absl::StrCat(name, ".small", kCaseSuffix);
      if (file.rfind(name + ".", 0) != 0 || (options.quick && !quick_case)) continue;
      ALIDADE_RETURN_IF_ERROR(RunCase(*objective, file, options, bf16, tally), file);
    }
    if (tally.calls == 0) {
      return absl::NotFoundError(
          absl::StrCat(options.cases, ": expected cases of objective ", name, ", got none"));
    }
    std::printf(
        "%-6s %-14s %-4s %4d calls, schedules %s; worst relative error: values %.1e, "
        "gradients %.1e\n",
        tally.failures == 0 ? "ok" : "FAILED", name.c_str(), bf16 ? "bf16" : "f32", tally.calls,
        Joined(tally.schedules).c_str(), tally.value_error, tally.gradient_error);
    std::fflush(stdout);
    good = good && tally.failures == 0;
  }
  return good;
}

absl::StatusOr<Options> ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto value = [&](const char* flag, std::string& into) {
      if (arg.rfind(flag, 0) != 0) return false;
      into = arg.substr(std::string(flag).size());
      return true;
    };
    if (arg == "--quick") {
      options.quick = true;
    } else if (!value("--cases=", options.cases) && !value("--device=", options.device) &&
               !value("--only=", options.only)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "expected --cases=FOLDER, --device=cuda|cpu, --only=OBJECTIVE or --quick, got '", arg,
          "'"));
    }
  }
  if (options.cases.empty()) return absl::InvalidArgumentError("expected --cases=FOLDER");
  if (options.device != "cuda" && options.device != "cpu") {
    return absl::InvalidArgumentError(
        absl::StrCat("--device: expected cuda or cpu, got '", options.device, "'"));
  }
  return options;
}

// False where something differs.
absl::StatusOr<bool> RunAll(const Options& options) {
  ALIDADE_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFolder(options.cases));
  bool good = true;
  int ran = 0;
  if (!options.only.empty()) ALIDADE_RETURN_IF_ERROR(runtime::FindObjective(options.only).status());
  for (const std::string& name : runtime::ObjectiveNames()) {
    if (!options.only.empty() && name != options.only) continue;
    ALIDADE_ASSIGN_OR_RETURN(const bool ok, RunObjective(name, files, options));
    good = good && ok;
    ++ran;
  }
  std::printf("%d objectives on %s: %s\n", ran, options.device.c_str(),
              good ? "all agree with the interpreter" : "SOME DIFFER");
  return good;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<Options> options = ParseOptions(argc, argv);
  if (!options.ok()) {
    std::fprintf(stderr, "gpu_check: %s\n", std::string(options.status().message()).c_str());
    return 2;
  }
  if (options->device == "cuda") {
    const auto driver = runtime::cuda::Driver::Global();
    if (!driver.ok()) {
      std::fprintf(stderr, "gpu_check: no GPU here: %s\n",
                   std::string(driver.status().message()).c_str());
      return 3;
    }
  }
  const absl::StatusOr<bool> good = RunAll(*options);
  if (!good.ok()) {
    std::fprintf(stderr, "gpu_check: %s\n", std::string(good.status().message()).c_str());
    return 1;
  }
  return *good ? 0 : 1;
}

}  // namespace
}  // namespace alidade::gpu

int main(int argc, char** argv) { return alidade::gpu::Main(argc, argv); }
