// prefc run.

#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status/status.h"
#include "compiler/runtime/objective.h"
#include "compiler/tools/prefc/Calls.h"
#include "compiler/tools/prefc/CommandLine.h"
#include "compiler/tools/prefc/Commands.h"
#include "compiler/tools/prefc/SimtCall.h"
#include "compiler/tools/prefc/Subject.h"
#include "mlir/IR/MLIRContext.h"

namespace alidade::pref {
namespace {

// The options of a golden count unless the command line says otherwise.
absl::StatusOr<Call> callOf(const CommandLine& line, Subject& subject) {
  Call call;
  const std::string path = line.get("inputs");
  if (path.empty())
    return absl::InvalidArgumentError("--inputs: expected a safetensors file, got none");
  if (path.size() > 5 && path.substr(path.size() - 5) == ".json") {
    ALIDADE_ASSIGN_OR_RETURN(Golden golden, readGolden(path));
    call.inputs = std::move(golden.inputs);
    call.hyperparameters = std::move(golden.hyperparameters);
    subject.options.insert(golden.options.begin(), golden.options.end());
  } else {
    ALIDADE_ASSIGN_OR_RETURN(call.inputs, readArrays(path));
  }
  using Numbers = std::map<std::string, double>;
  ALIDADE_ASSIGN_OR_RETURN(const Numbers given, line.getNumbers("hyper"));
  for (const auto& [name, value] : given) call.hyperparameters[name] = value;
  ALIDADE_ASSIGN_OR_RETURN(call.temperatures, line.getNumbers("temperature"));
  ALIDADE_ASSIGN_OR_RETURN(call.softCaps, line.getNumbers("soft_cap"));
  ALIDADE_ASSIGN_OR_RETURN(const bool trained, line.headIsTrained());
  call.frozenHead = !trained;
  call.schedule = line.get("schedule");
  ALIDADE_ASSIGN_OR_RETURN(call.memoryBudget, line.getInteger("budget", 0, 1));
  ALIDADE_ASSIGN_OR_RETURN(call.chunkTokens, line.getInteger("chunk_tokens", 0, 1));
  return call;
}

absl::StatusOr<CallResult> runBackend(const std::string& backend, const Subject& subject,
                                      Call call) {
  if (backend == "cpu" || backend == "cuda") {
    ALIDADE_ASSIGN_OR_RETURN(const runtime::Objective* objective,
                             compile(subject, /*gpu=*/backend == "cuda"));
    call.device = backend;
    return runCompiled(*objective, call);
  }
  if (backend != "interpreter" && backend != "simt") {
    return absl::InvalidArgumentError(
        absl::StrCat("--backend: expected interpreter, cpu, cuda or simt, got '", backend, "'"));
  }
  mlir::MLIRContext context;
  ALIDADE_ASSIGN_OR_RETURN(DerivedObjective derived, derive(subject, context));
  if (backend == "simt") {
    ALIDADE_ASSIGN_OR_RETURN(const runtime::Objective* objective, compile(subject, /*gpu=*/false));
    ALIDADE_ASSIGN_OR_RETURN(const std::unique_ptr<SimtObjective> kernels,
                             SimtObjective::create(*objective, *derived.differentiated));
    return kernels->run(call);
  }
  return runInterpreter(derived.objective(), derived.signature, call);
}

// One line per array: numbers where there are few, shape and norm where there are many.
void printSummary(const CallResult& result) {
  std::printf("schedule %s\n", result.schedule.c_str());
  for (const auto& [name, array] : result.outputs) {
    if (array.shape.empty()) {
      std::printf("%-40s %.9g\n", name.c_str(), array.reals[0]);
      continue;
    }
    double squares = 0;
    for (double value : array.reals) squares += value * value;
    std::printf("%-40s [%s] norm %.9g\n", name.c_str(), absl::StrJoin(array.shape, ", ").c_str(),
                std::sqrt(squares));
  }
}

}  // namespace

absl::Status runCommand(const std::vector<std::string>& args) {
  ALIDADE_ASSIGN_OR_RETURN(const CommandLine line,
                           CommandLine::parse(args, withSubjectFlags({{"inputs", true},
                                                                      {"hyper", true},
                                                                      {"temperature", true},
                                                                      {"soft_cap", true},
                                                                      {"backend", true},
                                                                      {"schedule", true},
                                                                      {"budget", true},
                                                                      {"chunk_tokens", true},
                                                                      {"head", true},
                                                                      {"out", true},
                                                                      {"json", false}})));
  ALIDADE_ASSIGN_OR_RETURN(Subject subject, subjectOf(line));
  ALIDADE_ASSIGN_OR_RETURN(const Call call, callOf(line, subject));
  ALIDADE_ASSIGN_OR_RETURN(const CallResult result,
                           runBackend(line.get("backend", "cpu"), subject, call));
  if (line.has("out")) ALIDADE_RETURN_IF_ERROR(writeArrays(line.get("out"), result.outputs));
  if (line.has("json")) {
    std::fputs(arraysToJson(result.outputs).c_str(), stdout);
  } else {
    printSummary(result);
  }
  return absl::OkStatus();
}

}  // namespace alidade::pref
