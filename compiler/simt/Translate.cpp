// From a gpu.func to a Program.

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "compiler/simt/Instructions.h"
#include "compiler/simt/Memory.h"
#include "compiler/simt/PointInstructions.h"
#include "compiler/simt/Program.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace alidade::pref::simt {
namespace {

using Slots = llvm::SmallVector<uint32_t, 4>;

template <typename T>
std::string printed(const T& value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

absl::Status unknown(Operation* op, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(describe(op), ": the SIMT interpreter does not know ", what));
}

void append(Slots& slots, ArrayRef<uint32_t> more) { slots.append(more.begin(), more.end()); }

// Size and alignment in memory, as NVPTX and x86-64 have them: numbers lie at multiples of their
// size.
struct Extent {
  uint64_t bytes = 0, alignment = 1;
};

std::optional<Extent> extentOf(Type type);

// Where a field begins; past the last field: the size without padding behind it.
std::optional<uint64_t> fieldOffset(LLVM::LLVMStructType structure, int64_t field) {
  uint64_t offset = 0;
  for (auto [number, type] : llvm::enumerate(structure.getBody())) {
    const std::optional<Extent> extent = extentOf(type);
    if (!extent) return std::nullopt;
    if (!structure.isPacked()) offset = llvm::alignTo(offset, extent->alignment);
    if (static_cast<int64_t>(number) == field) return offset;
    offset += extent->bytes;
  }
  return offset;
}

std::optional<Extent> extentOf(Type type) {
  if (const std::optional<unsigned> bits = bitsOf(type))
    return Extent{bytesOf(*bits), bytesOf(*bits)};
  if (auto vector = dyn_cast<VectorType>(type)) {
    const std::optional<unsigned> bits = bitsOf(vector.getElementType());
    if (!bits) return std::nullopt;
    const uint64_t bytes = bytesOf(*bits) * static_cast<uint64_t>(vector.getNumElements());
    return Extent{bytes, llvm::PowerOf2Ceil(bytes)};
  }
  if (auto array = dyn_cast<LLVM::LLVMArrayType>(type)) {
    const std::optional<Extent> element = extentOf(array.getElementType());
    if (!element) return std::nullopt;
    return Extent{element->bytes * array.getNumElements(), element->alignment};
  }
  auto structure = dyn_cast<LLVM::LLVMStructType>(type);
  if (!structure || structure.isOpaque()) return std::nullopt;
  const std::optional<uint64_t> end = fieldOffset(structure, structure.getBody().size());
  if (!end) return std::nullopt;
  uint64_t alignment = 1;
  if (!structure.isPacked())
    for (Type field : structure.getBody())
      alignment = std::max(alignment, extentOf(field)->alignment);
  return Extent{llvm::alignTo(*end, alignment), alignment};
}

class Translator {
 public:
  explicit Translator(gpu::GPUFuncOp kernel) : kernel_(kernel) {}

  absl::StatusOr<Program> run() {
    program_.name = kernel_.getName().str();
    if (auto size = kernel_.getKnownBlockSize())
      program_.blockSize = {(*size)[0], (*size)[1], (*size)[2]};
    if (kernel_.getBody().getBlocks().size() != 1)
      return unknown(kernel_, "a body of several blocks: expected structured control flow (scf)");
    ALIDADE_RETURN_IF_ERROR(defineParameters());
    ALIDADE_RETURN_IF_ERROR(defineShared());
    ALIDADE_RETURN_IF_ERROR(translate(kernel_.getBody().front(), {}, program_.code));
    if (program_.origins.size() >= (1u << (32 - Touch::kThreadBits)))
      return unknown(kernel_, absl::StrCat(program_.origins.size(), " instructions in one kernel"));
    return std::move(program_);
  }

 private:
  gpu::GPUFuncOp kernel_;
  Program program_;
  DenseMap<Value, Slots> slots_;
  std::map<uint64_t, uint32_t> constants_;  // register by bits

  // Parameters and shared memory.

  absl::Status defineParameters() {
    const size_t count = kernel_.getFunctionType().getNumInputs();
    for (BlockArgument argument : kernel_.getArguments().take_front(count)) {
      const auto byValue = kernel_.getArgAttrOfType<TypeAttr>(
          argument.getArgNumber(), LLVM::LLVMDialect::getByValAttrName());
      ALIDADE_RETURN_IF_ERROR(define(kernel_, argument));
      const Slots& slots = slots_[argument];
      if (slots.size() != 1 || isa<MemRefType>(argument.getType()))
        return unknown(kernel_, absl::StrCat("parameters of type ", printed(argument.getType())));
      const std::optional<Extent> extent =
          extentOf(byValue ? byValue.getValue() : argument.getType());
      if (!extent) return unknown(kernel_, absl::StrCat("the type ", printed(byValue)));
      program_.parameters.push_back({slots[0], extent->bytes, static_cast<bool>(byValue)});
    }
    return absl::OkStatus();
  }

  absl::Status defineShared() {
    if (!kernel_.getPrivateAttributions().empty())
      return unknown(kernel_, "private memory attributions");
    for (BlockArgument array : kernel_.getWorkgroupAttributions()) {
      ALIDADE_RETURN_IF_ERROR(define(kernel_, array));
      const auto type = cast<MemRefType>(array.getType());
      const std::optional<unsigned> bits = bitsOf(type.getElementType());
      if (!bits || !type.hasStaticShape() || !type.getLayout().isIdentity())
        return unknown(kernel_, absl::StrCat("shared memory of type ", printed(type)));
      program_.shared.push_back(
          {slots_[array][0], bytesOf(*bits) * static_cast<uint64_t>(type.getNumElements())});
    }
    return absl::OkStatus();
  }

  // Registers.

  uint32_t newSlot() { return program_.numSlots++; }

  // Registers for a value, one per element.
  absl::Status define(Operation* op, Value value) {
    const Type type = value.getType();
    size_t count = 1;
    if (auto vector = dyn_cast<VectorType>(type)) {
      if (vector.isScalable()) return unknown(op, absl::StrCat("the type ", printed(type)));
      count = vector.getNumElements();
    }
    if (!isa<MemRefType>(type) && !bitsOf(getElementTypeOrSelf(type)))
      return unknown(op, absl::StrCat("the type ", printed(type)));
    Slots slots;
    for (size_t i = 0; i < count; ++i) slots.push_back(newSlot());
    slots_[value] = slots;
    return absl::OkStatus();
  }
  absl::Status defineAll(Operation* op, ValueRange values) {
    for (Value value : values) ALIDADE_RETURN_IF_ERROR(define(op, value));
    return absl::OkStatus();
  }

  Slots slotsOf(ValueRange values) {
    Slots all;
    for (Value value : values) append(all, slots_[value]);
    return all;
  }

  uint32_t constant(uint64_t bits) {
    const auto [found, fresh] = constants_.try_emplace(bits, program_.numSlots);
    if (fresh) program_.constants.emplace_back(newSlot(), bits);
    return found->second;
  }

  Instruction& emit(Code& code, Operation* op, Execute execute, Slots operands, Slots results,
                    llvm::SmallVector<int64_t, 2> numbers = {}) {
    Instruction instruction;
    instruction.execute = execute;
    instruction.op = op;
    instruction.id = static_cast<uint32_t>(program_.origins.size());
    program_.origins.push_back(op);
    instruction.operands = std::move(operands);
    instruction.results = std::move(results);
    instruction.numbers = std::move(numbers);
    code.push_back(std::move(instruction));
    return code.back();
  }

  // Control flow.

  // A region's block; its terminator moves what it yields into `targets`.
  absl::Status translate(Block& block, Slots targets, Code& code) {
    for (Operation& op : block) {
      if (isa<scf::YieldOp>(op)) {
        if (!targets.empty()) emit(code, &op, moveValues, slotsOf(op.getOperands()), targets);
      } else if (!isa<gpu::ReturnOp, scf::ConditionOp>(op)) {
        ALIDADE_RETURN_IF_ERROR(translate(&op, code));
      }
    }
    return absl::OkStatus();
  }

  absl::Status translateIf(scf::IfOp op, Code& code) {
    ALIDADE_RETURN_IF_ERROR(defineAll(op, op.getResults()));
    std::vector<Code> regions(2);
    const Slots results = slotsOf(op.getResults());
    ALIDADE_RETURN_IF_ERROR(translate(*op.thenBlock(), results, regions[0]));
    if (op.elseBlock()) ALIDADE_RETURN_IF_ERROR(translate(*op.elseBlock(), results, regions[1]));
    emit(code, op, runIf, slots_[op.getCondition()], {}).regions = std::move(regions);
    return absl::OkStatus();
  }

  absl::Status translateFor(scf::ForOp op, Code& code) {
    ALIDADE_RETURN_IF_ERROR(define(op, op.getInductionVar()));
    ALIDADE_RETURN_IF_ERROR(defineAll(op, op.getRegionIterArgs()));
    const std::optional<unsigned> bits = bitsOf(op.getInductionVar().getType());
    if (*bits != 32 && *bits != 64) return unknown(op, "loops over integers of this width");
    const Slots carried = slotsOf(op.getRegionIterArgs());
    std::vector<Code> regions(1);
    ALIDADE_RETURN_IF_ERROR(translate(*op.getBody(), carried, regions[0]));
    for (auto [result, argument] : llvm::zip_equal(op.getResults(), op.getRegionIterArgs()))
      slots_[result] = slotsOf(argument);
    Slots operands = slotsOf({op.getLowerBound(), op.getUpperBound(), op.getStep()});
    append(operands, slotsOf(op.getInitArgs()));
    Slots results = slots_[op.getInductionVar()];
    append(results, carried);
    emit(code, op, runFor(*bits, op.getUnsignedCmp()), operands, results).regions =
        std::move(regions);
    return absl::OkStatus();
  }

  absl::Status translateWhile(scf::WhileOp op, Code& code) {
    ALIDADE_RETURN_IF_ERROR(defineAll(op, op.getBeforeArguments()));
    ALIDADE_RETURN_IF_ERROR(defineAll(op, op.getAfterArguments()));
    const Slots before = slotsOf(op.getBeforeArguments()), after = slotsOf(op.getAfterArguments());
    std::vector<Code> regions(2);
    ALIDADE_RETURN_IF_ERROR(translate(*op.getBeforeBody(), {}, regions[0]));
    scf::ConditionOp condition = op.getConditionOp();
    if (!after.empty())
      emit(regions[0], condition, moveValues, slotsOf(condition.getArgs()), after);
    ALIDADE_RETURN_IF_ERROR(translate(*op.getAfterBody(), before, regions[1]));
    for (auto [result, argument] : llvm::zip_equal(op.getResults(), op.getAfterArguments()))
      slots_[result] = slotsOf(argument);
    Slots operands = slotsOf(op.getInits());
    append(operands, slots_[condition.getCondition()]);
    emit(code, op, runWhile, operands, before).regions = std::move(regions);
    return absl::OkStatus();
  }

  // Memory.

  static uint64_t alignmentOf(Type type, std::optional<uint64_t> stated) {
    return stated ? *stated : extentOf(type).value_or(Extent{}).alignment;
  }
  uint64_t elementBytes(Type type) { return bytesOf(*bitsOf(getElementTypeOrSelf(type))); }

  absl::Status translateLoad(Operation* op, uint32_t address, uint64_t alignment, Code& code) {
    ALIDADE_RETURN_IF_ERROR(define(op, op->getResult(0)));
    emit(code, op, loadMemory(elementBytes(op->getResult(0).getType())), {address},
         slots_[op->getResult(0)], {static_cast<int64_t>(alignment)});
    return absl::OkStatus();
  }

  absl::Status translateStore(Operation* op, Value value, uint32_t address, uint64_t alignment,
                              Code& code) {
    Slots operands = {address};
    append(operands, slots_[value]);
    emit(code, op, storeMemory(elementBytes(value.getType())), operands, {},
         {static_cast<int64_t>(alignment)});
    return absl::OkStatus();
  }

  absl::Status translateMaskedLoad(LLVM::MaskedLoadOp op, Code& code) {
    ALIDADE_RETURN_IF_ERROR(define(op, op.getRes()));
    Slots operands = slotsOf({op.getData(), op.getMask()});
    if (Value others = op.getPassThru())
      append(operands, slotsOf(others));
    else
      operands.append(slots_[op.getRes()].size(), constant(0));
    emit(code, op, loadMasked, operands, slots_[op.getRes()],
         {op.getAlignment(), static_cast<int64_t>(elementBytes(op.getRes().getType()))});
    return absl::OkStatus();
  }

  absl::Status translateMaskedStore(LLVM::MaskedStoreOp op, Code& code) {
    emit(code, op, storeMasked, slotsOf({op.getData(), op.getValue(), op.getMask()}), {},
         {op.getAlignment(), static_cast<int64_t>(elementBytes(op.getValue().getType()))});
    return absl::OkStatus();
  }

  // The address of `touched` elements of a memref from `indices` on.
  absl::StatusOr<uint32_t> elementAddress(Operation* op, Value memref, ValueRange indices,
                                          int64_t touched, Code& code) {
    const auto type = cast<MemRefType>(memref.getType());
    if (indices.empty()) return unknown(op, "memrefs of rank 0");
    llvm::SmallVector<int64_t> strides;
    int64_t offset = 0;
    if (failed(type.getStridesAndOffset(strides, offset)) || offset != 0 || !type.hasStaticShape())
      return unknown(op, absl::StrCat("the type ", printed(type)));
    Slots operands = slots_[memref];
    append(operands, slotsOf(indices));
    llvm::SmallVector<int64_t, 2> numbers = {static_cast<int64_t>(elementBytes(type)), touched};
    numbers.append(type.getShape().begin(), type.getShape().end());
    numbers.append(strides.begin(), strides.end());
    const uint32_t address = newSlot();
    emit(code, op, findElement, operands, {address}, numbers);
    return address;
  }

  template <typename Op>
  absl::Status translateMemRefLoad(Op op, Value memref, int64_t touched, Code& code) {
    ALIDADE_ASSIGN_OR_RETURN(const uint32_t address,
                             elementAddress(op, memref, op.getIndices(), touched, code));
    return translateLoad(op, address, elementBytes(memref.getType()), code);
  }

  template <typename Op>
  absl::Status translateMemRefStore(Op op, Value value, Value memref, int64_t touched, Code& code) {
    ALIDADE_ASSIGN_OR_RETURN(const uint32_t address,
                             elementAddress(op, memref, op.getIndices(), touched, code));
    return translateStore(op, value, address, elementBytes(memref.getType()), code);
  }

  absl::Status translateAddress(LLVM::GEPOp op, Code& code) {
    uint32_t address = slots_[op.getBase()][0];
    Type type = op.getElemType();
    uint64_t constantBytes = 0;
    bool isFirst = true;
    for (auto index : op.getIndices()) {
      if (auto structure = dyn_cast<LLVM::LLVMStructType>(type); structure && !isFirst) {
        const int64_t field = cast<IntegerAttr>(index).getInt();
        const std::optional<uint64_t> offset = fieldOffset(structure, field);
        if (!offset) return unknown(op, absl::StrCat("the type ", printed(type)));
        constantBytes += *offset;
        type = structure.getBody()[field];
        continue;
      }
      if (auto array = dyn_cast<LLVM::LLVMArrayType>(type); array && !isFirst)
        type = array.getElementType();
      else if (!isFirst)
        return unknown(op, absl::StrCat("an index into the type ", printed(type)));
      isFirst = false;
      const std::optional<Extent> step = extentOf(type);
      if (!step) return unknown(op, absl::StrCat("the type ", printed(type)));
      if (auto number = dyn_cast<IntegerAttr>(index)) {
        constantBytes += static_cast<uint64_t>(number.getInt()) * step->bytes;
        continue;
      }
      const Value value = cast<Value>(index);
      const uint32_t moved = newSlot();
      emit(code, op, addScaled, {address, slots_[value][0]}, {moved},
           {static_cast<int64_t>(step->bytes), static_cast<int64_t>(*bitsOf(value.getType()))});
      address = moved;
    }
    if (constantBytes != 0) {
      const uint32_t moved = newSlot();
      emit(code, op, addConstant, {address}, {moved}, {static_cast<int64_t>(constantBytes)});
      address = moved;
    }
    slots_[op.getRes()] = {address};
    return absl::OkStatus();
  }

  // Values.

  absl::Status translateConstant(Operation* op, Attribute attribute) {
    const auto bits = [](Attribute element) -> std::optional<uint64_t> {
      if (auto number = dyn_cast<FloatAttr>(element))
        return number.getValue().bitcastToAPInt().getZExtValue();
      if (auto number = dyn_cast<IntegerAttr>(element)) return number.getValue().getZExtValue();
      return std::nullopt;
    };
    const Type type = op->getResult(0).getType();
    Slots slots;
    if (!bitsOf(getElementTypeOrSelf(type)))
      return unknown(op, absl::StrCat("the type ", printed(type)));
    if (auto elements = dyn_cast<DenseElementsAttr>(attribute)) {
      for (Attribute element : elements.getValues<Attribute>()) {
        if (const auto number = bits(element)) slots.push_back(constant(*number));
      }
    } else if (const auto number = bits(attribute)) {
      slots.push_back(constant(*number));
    }
    const auto vector = dyn_cast<VectorType>(type);
    if (slots.size() != (vector ? vector.getNumElements() : 1))
      return unknown(op, absl::StrCat("the constant ", printed(attribute)));
    slots_[op->getResult(0)] = slots;
    return absl::OkStatus();
  }

  absl::Status translatePosition(Operation* op, Position which, int64_t dimension, Code& code) {
    ALIDADE_RETURN_IF_ERROR(define(op, op->getResult(0)));
    emit(code, op, readPosition, {}, slots_[op->getResult(0)],
         {static_cast<int64_t>(which), dimension});
    return absl::OkStatus();
  }
  template <typename Op>
  absl::Status translateDimension(Op op, Position which, Code& code) {
    return translatePosition(op, which, static_cast<int64_t>(op.getDimension()), code);
  }

  absl::Status translateShuffle(gpu::ShuffleOp op, Code& code) {
    ALIDADE_RETURN_IF_ERROR(defineAll(op, op->getResults()));
    emit(code, op, shuffleLanes, slotsOf(op->getOperands()), slotsOf(op->getResults()),
         {static_cast<int64_t>(op.getMode())});
    return absl::OkStatus();
  }

  // Elements [first, first + count) of the operand, by another name.
  absl::Status rename(Operation* op, Value whole, size_t first, size_t count) {
    const Slots slots = slots_[whole];
    slots_[op->getResult(0)].assign(slots.begin() + first, slots.begin() + first + count);
    return absl::OkStatus();
  }

  // The first element at a static position of a vector.
  static size_t flatPosition(VectorType type, ArrayRef<int64_t> position) {
    size_t flat = 0;
    for (int64_t i = 0; i < type.getRank(); ++i)
      flat = flat * type.getDimSize(i) + (i < position.size() ? position[i] : 0);
    return flat;
  }

  absl::Status translateExtract(vector::ExtractOp op) {
    if (op.hasDynamicPosition()) return unknown(op, "positions known at run time alone");
    const auto result = dyn_cast<VectorType>(op.getResult().getType());
    return rename(op, op.getSource(),
                  flatPosition(op.getSourceVectorType(), op.getStaticPosition()),
                  result ? result.getNumElements() : 1);
  }

  absl::Status translateInsert(vector::InsertOp op) {
    if (op.hasDynamicPosition()) return unknown(op, "positions known at run time alone");
    Slots slots = slots_[op.getDest()];
    const Slots part = slots_[op.getValueToStore()];
    llvm::copy(part, slots.begin() + flatPosition(op.getDestVectorType(), op.getStaticPosition()));
    slots_[op.getResult()] = slots;
    return absl::OkStatus();
  }

  absl::Status translateShuffleVectors(vector::ShuffleOp op) {
    const Slots both = slotsOf({op.getV1(), op.getV2()});
    Slots slots;
    for (int64_t lane : op.getMask()) {
      if (lane < 0 || op.getResultVectorType().getRank() != 1)
        return unknown(op, "lanes without a value, or ranks beside 1");
      slots.push_back(both[lane]);
    }
    slots_[op.getResult()] = slots;
    return absl::OkStatus();
  }

  // One instruction per element; operands of one element serve all.
  absl::Status translatePoint(Operation* op, Code& code) {
    const Execute execute = pointInstruction(op);
    if (!execute || op->getNumResults() != 1 || op->getNumRegions() != 0)
      return unknown(op, "this operation on these types");
    ALIDADE_RETURN_IF_ERROR(define(op, op->getResult(0)));
    const Slots results = slots_[op->getResult(0)];
    for (auto [i, result] : llvm::enumerate(results)) {
      Slots operands;
      for (Value operand : op->getOperands()) {
        const Slots& all = slots_[operand];
        operands.push_back(all.size() == 1 ? all[0] : all[i]);
      }
      emit(code, op, execute, operands, {result});
    }
    return absl::OkStatus();
  }

  absl::Status translate(Operation* op, Code& code) {
    if (keepsBits(op)) {
      slots_[op->getResult(0)] = slotsOf(op->getOperand(0));
      return absl::OkStatus();
    }
    return llvm::TypeSwitch<Operation*, absl::Status>(op)
        .Case([&](scf::IfOp op) { return translateIf(op, code); })
        .Case([&](scf::ForOp op) { return translateFor(op, code); })
        .Case([&](scf::WhileOp op) { return translateWhile(op, code); })
        .Case<arith::ConstantOp, LLVM::ConstantOp>(
            [&](auto op) { return translateConstant(op, op.getValue()); })
        .Case<gpu::ThreadIdOp, gpu::BlockIdOp, gpu::BlockDimOp, gpu::GridDimOp, gpu::GlobalIdOp,
              gpu::LaneIdOp, gpu::SubgroupIdOp, gpu::ShuffleOp, gpu::BarrierOp, NVVM::SyncWarpOp>(
            [&](Operation* op) { return translateGpu(op, code); })
        .Case<LLVM::LoadOp, LLVM::StoreOp, LLVM::MaskedLoadOp, LLVM::MaskedStoreOp, LLVM::GEPOp,
              LLVM::ZeroOp, memref::LoadOp, memref::StoreOp, vector::LoadOp, vector::StoreOp>(
            [&](Operation* op) { return translateMemory(op, code); })
        .Case<vector::ExtractOp, vector::InsertOp, vector::FromElementsOp, vector::ToElementsOp,
              vector::BroadcastOp, vector::ExtractStridedSliceOp, vector::ShuffleOp,
              memref::ExtractAlignedPointerAsIndexOp>(
            [&](Operation* op) { return translateNames(op); })
        .Default([&](Operation* op) { return translatePoint(op, code); });
  }

  absl::Status translateGpu(Operation* op, Code& code) {
    return llvm::TypeSwitch<Operation*, absl::Status>(op)
        .Case([&](gpu::ThreadIdOp op) { return translateDimension(op, Position::kThread, code); })
        .Case([&](gpu::BlockIdOp op) { return translateDimension(op, Position::kBlock, code); })
        .Case(
            [&](gpu::BlockDimOp op) { return translateDimension(op, Position::kBlockSize, code); })
        .Case([&](gpu::GridDimOp op) { return translateDimension(op, Position::kGridSize, code); })
        .Case([&](gpu::GlobalIdOp op) { return translateDimension(op, Position::kGlobal, code); })
        .Case([&](gpu::LaneIdOp op) { return translatePosition(op, Position::kLane, 0, code); })
        .Case([&](gpu::SubgroupIdOp op) { return translatePosition(op, Position::kWarp, 0, code); })
        .Case([&](gpu::ShuffleOp op) { return translateShuffle(op, code); })
        .Case([&](NVVM::SyncWarpOp op) {
          emit(code, op, waitForWarp, slotsOf(op.getMask()), {});
          return absl::OkStatus();
        })
        .Default([&](Operation* op) {
          emit(code, op, waitAtBarrier, {}, {});
          return absl::OkStatus();
        });
  }

  absl::Status translateMemory(Operation* op, Code& code) {
    return llvm::TypeSwitch<Operation*, absl::Status>(op)
        .Case([&](LLVM::LoadOp op) {
          return translateLoad(op, slots_[op.getAddr()][0],
                               alignmentOf(op.getType(), op.getAlignment()), code);
        })
        .Case([&](LLVM::StoreOp op) {
          return translateStore(op, op.getValue(), slots_[op.getAddr()][0],
                                alignmentOf(op.getValue().getType(), op.getAlignment()), code);
        })
        .Case([&](LLVM::MaskedLoadOp op) { return translateMaskedLoad(op, code); })
        .Case([&](LLVM::MaskedStoreOp op) { return translateMaskedStore(op, code); })
        .Case([&](LLVM::GEPOp op) { return translateAddress(op, code); })
        .Case([&](LLVM::ZeroOp op) {
          ALIDADE_RETURN_IF_ERROR(define(op, op.getRes()));
          slots_[op.getRes()].assign(slots_[op.getRes()].size(), constant(0));
          return absl::OkStatus();
        })
        .Case([&](memref::LoadOp op) { return translateMemRefLoad(op, op.getMemRef(), 1, code); })
        .Case([&](memref::StoreOp op) {
          return translateMemRefStore(op, op.getValueToStore(), op.getMemRef(), 1, code);
        })
        .Case([&](vector::LoadOp op) {
          return translateMemRefLoad(op, op.getBase(), op.getVectorType().getNumElements(), code);
        })
        .Case([&](vector::StoreOp op) {
          return translateMemRefStore(op, op.getValueToStore(), op.getBase(),
                                      op.getVectorType().getNumElements(), code);
        })
        .Default([&](Operation* op) { return unknown(op, "this operation"); });
  }

  // Operations that only rename elements.
  absl::Status translateNames(Operation* op) {
    return llvm::TypeSwitch<Operation*, absl::Status>(op)
        .Case([&](vector::ExtractOp op) { return translateExtract(op); })
        .Case([&](vector::InsertOp op) { return translateInsert(op); })
        .Case([&](vector::FromElementsOp op) {
          slots_[op.getResult()] = slotsOf(op.getElements());
          return absl::OkStatus();
        })
        .Case([&](vector::ToElementsOp op) {
          const Slots slots = slots_[op.getSource()];
          for (auto [result, slot] : llvm::zip_equal(op.getResults(), slots))
            slots_[result] = {slot};
          return absl::OkStatus();
        })
        .Case([&](vector::BroadcastOp op) {
          if (isa<VectorType>(op.getSourceType())) return unknown(op, "vectors as the source");
          const uint32_t slot = slots_[op.getSource()][0];
          slots_[op.getResult()].assign(op.getResultVectorType().getNumElements(), slot);
          return absl::OkStatus();
        })
        .Case([&](vector::ExtractStridedSliceOp op) {
          if (op.getType().getRank() != 1 || op.hasNonUnitStrides())
            return unknown(op, "ranks and strides beside 1");
          return rename(op, op->getOperand(0), cast<IntegerAttr>(op.getOffsets()[0]).getInt(),
                        op.getType().getNumElements());
        })
        .Case([&](vector::ShuffleOp op) { return translateShuffleVectors(op); })
        .Default([&](Operation* op) { return rename(op, op->getOperand(0), 0, 1); });
  }
};

}  // namespace

std::optional<unsigned> bitsOf(Type element) {
  if (isa<IndexType, LLVM::LLVMPointerType>(element)) return 64;
  if (element.isInteger(1)) return 1;
  for (unsigned bits : {8, 16, 32, 64})
    if (element.isInteger(bits)) return bits;
  if (element.isBF16()) return 16;
  if (element.isF32()) return 32;
  if (element.isF64()) return 64;
  return std::nullopt;
}

std::string describe(Operation* op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto file = op->getLoc()->findInstanceOf<FileLineColLoc>())
    stream << file.getFilename().getValue() << ":" << file.getLine() << ":" << file.getColumn()
           << ": ";
  constexpr size_t kLongest = 160;
  std::string printed;
  llvm::raw_string_ostream body(printed);
  op->print(body, OpPrintingFlags().skipRegions().elideLargeElementsAttrs());
  StringRef line = StringRef(printed).ltrim().split('\n').first;
  stream << "'" << line.take_front(kLongest) << (line.size() > kLongest ? "..." : "") << "'";
  return text;
}

absl::StatusOr<Program> translate(gpu::GPUFuncOp kernel) { return Translator(kernel).run(); }

}  // namespace alidade::pref::simt
