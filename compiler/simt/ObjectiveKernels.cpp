#include "compiler/simt/ObjectiveKernels.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace alidade::pref::simt {
namespace {

constexpr char kScalars[] = "alidade_scalars";
constexpr char kKnown[] = "alidade_known";

std::string rowKernelName(int64_t program, bool brain) {
  return absl::StrCat("alidade_rows_", program, brain ? "_bf16" : "");
}

// Registers `count` elements of `elementBytes` bytes unless the pointer is null.
absl::Status addGiven(Memory& memory, const std::string& name, const void* data, int64_t count,
                      uint64_t elementBytes, Access access) {
  if (data == nullptr || count <= 0) return absl::OkStatus();
  return memory.add(name, data, static_cast<uint64_t>(count) * elementBytes, access);
}

// Rows with a gap between them one by one: the gap is not theirs.
absl::Status addRows(Memory& memory, const std::string& name, const void* data, int64_t rows,
                     int64_t vocab, int64_t stride, uint64_t elementBytes, Access access) {
  if (stride == vocab) return addGiven(memory, name, data, rows * vocab, elementBytes, access);
  const char* row = static_cast<const char*>(data);
  for (int64_t i = 0; data != nullptr && i < rows; ++i, row += stride * elementBytes) {
    ALIDADE_RETURN_IF_ERROR(
        addGiven(memory, absl::StrCat(name, " row ", i), row, vocab, elementBytes, access));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ObjectiveKernels> ObjectiveKernels::compile(mlir::gpu::GPUModuleOp module,
                                                           const schedule::Signature& signature,
                                                           const AlidadeObjectiveTable& table) {
  ObjectiveKernels result;
  result.signature_ = signature;
  result.sizes_ = table;
  for (auto function : module.getOps<mlir::gpu::GPUFuncOp>()) {
    ALIDADE_ASSIGN_OR_RETURN(Kernel kernel, Kernel::compile(function));
    result.kernels_.emplace(function.getName().str(), std::move(kernel));
  }
  std::vector<std::string> expected = {kScalars};
  if (signature.has_known()) expected.push_back(kKnown);
  for (size_t i = 0; i < signature.row_programs.size(); ++i)
    for (const bool brain : {false, true}) expected.push_back(rowKernelName(i, brain));
  for (const std::string& name : expected) {
    if (result.kernels_.count(name) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(signature.name, ": expected a GPU kernel ", name, ", got none"));
    }
  }
  return result;
}

absl::Status ObjectiveKernels::launch(const std::string& name, int64_t blocks, int64_t threads,
                                      const Argument& argument, Memory& memory) const {
  Launch launch;
  launch.grid.x = blocks;
  launch.block.x = threads;
  return kernels_.at(name).launch(launch, {argument}, memory);
}

absl::Status ObjectiveKernels::rows(int64_t program, const AlidadeRowArgs& arguments,
                                    bool brain) const {
  if (arguments.rows == 0) return absl::OkStatus();
  const uint64_t bytes = brain ? 2 : sizeof(float);
  const int64_t rows = arguments.rows, vocab = arguments.vocab;
  Memory memory;
  ALIDADE_RETURN_IF_ERROR(
      addRows(memory, "logits", arguments.logits, rows, vocab, arguments.stride, bytes,
              arguments.mode == ALIDADE_ROWS_READ ? Access::kRead : Access::kReadWrite));
  ALIDADE_RETURN_IF_ERROR(addRows(memory, "partner", arguments.partner, rows, vocab,
                                  arguments.partner_stride, bytes, Access::kRead));
  ALIDADE_RETURN_IF_ERROR(
      addGiven(memory, "labels", arguments.labels, rows, sizeof(int64_t), Access::kRead));
  ALIDADE_RETURN_IF_ERROR(
      addGiven(memory, "bias", arguments.bias, vocab, sizeof(float), Access::kRead));
  ALIDADE_RETURN_IF_ERROR(addGiven(memory, "partner bias", arguments.partner_bias, vocab,
                                   sizeof(float), Access::kRead));
  for (int i = 0; i < ALIDADE_MAX_ROW_READS; ++i) {
    ALIDADE_RETURN_IF_ERROR(addGiven(memory, absl::StrCat("index ", i), arguments.indexes[i], rows,
                                     sizeof(float), Access::kRead));
    ALIDADE_RETURN_IF_ERROR(addGiven(memory, absl::StrCat("read ", i), arguments.reads[i], rows,
                                     sizeof(float), Access::kWrite));
    if (arguments.mode != ALIDADE_ROWS_SCALED) continue;
    ALIDADE_RETURN_IF_ERROR(addGiven(memory, absl::StrCat("cotangent ", i), arguments.cotangents[i],
                                     rows, sizeof(float), Access::kRead));
  }
  return launch(rowKernelName(program, brain), rows, ALIDADE_GPU_ROW_THREADS,
                Argument::of(arguments), memory);
}

int64_t ObjectiveKernels::pointsBefore(int64_t axis, int64_t row,
                                       const AlidadeScalarArgs& arguments) const {
  if (axis < 0) return row;
  const int64_t parent = pointsBefore(signature_.axes[axis].parent, row, arguments);
  return arguments.offsets[axis][parent];
}

absl::Status ObjectiveKernels::addInputs(const AlidadeScalarArgs& arguments, Memory& memory) const {
  const auto points = [&](int64_t axis) {
    if (axis == schedule::Input::kNone) return int64_t{1};
    return pointsBefore(axis, arguments.num_rows, arguments);
  };
  for (size_t i = 0; i < signature_.axes.size(); ++i) {
    ALIDADE_RETURN_IF_ERROR(addGiven(memory, absl::StrCat("offsets of ", signature_.axes[i].Name()),
                                     arguments.offsets[i], points(signature_.axes[i].parent) + 1,
                                     sizeof(int64_t), Access::kRead));
  }
  const std::vector<std::string> names = signature_.ReadNames();
  for (size_t i = 0; i < signature_.reads.size(); ++i) {
    const int64_t axis = signature_.distributions[signature_.reads[i].distribution].axis;
    ALIDADE_RETURN_IF_ERROR(addGiven(memory, "read " + names[i], arguments.reads[i], points(axis),
                                     sizeof(float), Access::kRead));
  }
  for (size_t i = 0; i < signature_.inputs.size(); ++i) {
    const schedule::Input& input = signature_.inputs[i];
    ALIDADE_RETURN_IF_ERROR(addGiven(memory, "input " + input.name, arguments.inputs[i],
                                     points(input.axis), sizeof(float), Access::kRead));
  }
  return addGiven(memory, "state", arguments.state, signature_.states.size(), sizeof(double),
                  Access::kRead);
}

absl::Status ObjectiveKernels::addOutputs(const AlidadeScalarArgs& arguments,
                                          Memory& memory) const {
  const std::vector<std::string> names = signature_.ReadNames();
  uint64_t scratch =
      sizes_.scratch_fixed + sizes_.scratch_per_row * (arguments.row_end - arguments.row_begin);
  for (size_t i = 0; i < signature_.axes.size(); ++i) {
    scratch += sizes_.scratch_per_axis[i] * (pointsBefore(i, arguments.row_end, arguments) -
                                             pointsBefore(i, arguments.row_begin, arguments));
  }
  ALIDADE_RETURN_IF_ERROR(
      addGiven(memory, "scratch", arguments.scratch, scratch, sizeof(double), Access::kWrite));
  ALIDADE_RETURN_IF_ERROR(addGiven(memory, "new state", arguments.new_state,
                                   signature_.states.size(), sizeof(double), Access::kWrite));
  for (size_t i = 0; i < signature_.reads.size(); ++i) {
    const schedule::VocabularyRead& read = signature_.reads[i];
    if (read.cotangent < 0) continue;
    const int64_t points = pointsBefore(signature_.distributions[read.distribution].axis,
                                        arguments.num_rows, arguments);
    ALIDADE_RETURN_IF_ERROR(addGiven(memory, "cotangent of " + names[i],
                                     arguments.cotangents[read.cotangent], points, sizeof(float),
                                     Access::kWrite));
  }
  return addGiven(memory, "results", arguments.results, 1 + signature_.metrics.size(),
                  sizeof(float), Access::kWrite);
}

absl::Status ObjectiveKernels::known(const AlidadeScalarArgs& arguments) const {
  Memory memory;
  ALIDADE_RETURN_IF_ERROR(addInputs(arguments, memory));
  ALIDADE_RETURN_IF_ERROR(addOutputs(arguments, memory));
  ALIDADE_RETURN_IF_ERROR(addKnown(arguments, Access::kWrite, memory));
  return launch(kKnown, 1, ALIDADE_GPU_SCALAR_THREADS, Argument::of(arguments), memory);
}

absl::Status ObjectiveKernels::scalars(const AlidadeScalarArgs& arguments) const {
  Memory memory;
  ALIDADE_RETURN_IF_ERROR(addInputs(arguments, memory));
  ALIDADE_RETURN_IF_ERROR(addOutputs(arguments, memory));
  ALIDADE_RETURN_IF_ERROR(addKnown(arguments, Access::kRead, memory));
  return launch(kScalars, 1, ALIDADE_GPU_SCALAR_THREADS, Argument::of(arguments), memory);
}

absl::Status ObjectiveKernels::addKnown(const AlidadeScalarArgs& arguments, Access access,
                                        Memory& memory) const {
  uint64_t known = sizes_.known_fixed + sizes_.known_per_row * arguments.num_rows;
  for (size_t i = 0; i < signature_.axes.size(); ++i)
    known += sizes_.known_per_axis[i] * pointsBefore(i, arguments.num_rows, arguments);
  return addGiven(memory, "known", arguments.known, known, sizeof(double), access);
}

// The table.

namespace {

struct Context {
  std::mutex mutex;  // of what follows; kernels themselves run side by side
  std::optional<ObjectiveKernels> kernels;
  absl::Status error;
};

Context& current() {
  static Context* context = new Context;
  return *context;
}

void record(const absl::Status& status) {
  const std::lock_guard<std::mutex> lock(current().mutex);
  current().error.Update(status);
}

template <int64_t program>
void runRows(const AlidadeRowArgs* arguments) {
  record(current().kernels->rows(program, *arguments));
}
void runKnown(const AlidadeScalarArgs* arguments) { record(current().kernels->known(*arguments)); }
void runScalars(const AlidadeScalarArgs* arguments) {
  record(current().kernels->scalars(*arguments));
}

// A function per program; there are at most as many programs as reads.
template <int64_t... programs>
constexpr std::array<AlidadeRowFn, sizeof...(programs)> rowFunctions(
    std::integer_sequence<int64_t, programs...>) {
  return {runRows<programs>...};
}
constexpr auto kRowFunctions =
    rowFunctions(std::make_integer_sequence<int64_t, ALIDADE_MAX_READS>());

}  // namespace

InterpretedTable::InterpretedTable(const AlidadeObjectiveTable& compiled, ObjectiveKernels kernels)
    : table_(compiled) {
  const bool hasKnown = compiled.num_variants > 0 && compiled.variants[0].known != nullptr;
  // The least demanding level: every machine that runs Alidade has it.
  variant_ = {"x86-64-v3", kRowFunctions.data(), hasKnown ? runKnown : nullptr, runScalars};
  table_.num_variants = 1;
  table_.variants = &variant_;
  const std::lock_guard<std::mutex> lock(current().mutex);
  ALIDADE_CHECK(!current().kernels.has_value());
  current().kernels = std::move(kernels);
  current().error = absl::OkStatus();
}

InterpretedTable::~InterpretedTable() {
  const std::lock_guard<std::mutex> lock(current().mutex);
  current().kernels.reset();
}

absl::Status InterpretedTable::takeError() {
  const std::lock_guard<std::mutex> lock(current().mutex);
  return std::exchange(current().error, absl::OkStatus());
}

}  // namespace alidade::pref::simt
