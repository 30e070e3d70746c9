#include "compiler/simt/PointInstructions.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "compiler/simt/Machine.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace alidade::pref::simt {
namespace {

// Loops over threads. `F` is a lambda without captures, so that it is part of the type.

template <typename T, typename F>
void unaryLoop(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* a = machine.slot(instruction.operands[0]);
  uint64_t* out = machine.slot(instruction.results[0]);
  for (uint32_t t : threads) out[t] = toBits(F()(fromBits<T>(a[t])));
}

template <typename T, typename F>
void binaryLoop(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* a = machine.slot(instruction.operands[0]);
  const uint64_t* b = machine.slot(instruction.operands[1]);
  uint64_t* out = machine.slot(instruction.results[0]);
  for (uint32_t t : threads) out[t] = toBits(F()(fromBits<T>(a[t]), fromBits<T>(b[t])));
}

template <typename T, typename F>
void ternaryLoop(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* a = machine.slot(instruction.operands[0]);
  const uint64_t* b = machine.slot(instruction.operands[1]);
  const uint64_t* c = machine.slot(instruction.operands[2]);
  uint64_t* out = machine.slot(instruction.results[0]);
  for (uint32_t t : threads)
    out[t] = toBits(F()(fromBits<T>(a[t]), fromBits<T>(b[t]), fromBits<T>(c[t])));
}

// As binaryLoop; `Bad` says which operands have no result, `F` runs on the others.
template <typename T, typename Bad, typename F>
void checkedLoop(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* a = machine.slot(instruction.operands[0]);
  const uint64_t* b = machine.slot(instruction.operands[1]);
  uint64_t* out = machine.slot(instruction.results[0]);
  for (uint32_t t : threads) {
    const T x = fromBits<T>(a[t]), y = fromBits<T>(b[t]);
    if (const char* error = Bad()(x, y)) return machine.fail(instruction, t, error);
    out[t] = toBits(F()(x, y));
  }
}

void selectLoop(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* condition = machine.slot(instruction.operands[0]);
  const uint64_t* a = machine.slot(instruction.operands[1]);
  const uint64_t* b = machine.slot(instruction.operands[2]);
  uint64_t* out = machine.slot(instruction.results[0]);
  for (uint32_t t : threads) out[t] = condition[t] ? a[t] : b[t];
}

// Calls visit with a value of the C++ type of `type`.
template <typename Visit>
Execute forFloat(Type type, Visit visit) {
  type = getElementTypeOrSelf(type);
  if (type.isF32()) return visit(float{});
  if (type.isF64()) return visit(double{});
  return nullptr;
}

template <typename Visit>
Execute forSigned(Type type, Visit visit) {
  switch (bitsOf(getElementTypeOrSelf(type)).value_or(0)) {
    case 8:
      return visit(int8_t{});
    case 16:
      return visit(int16_t{});
    case 32:
      return visit(int32_t{});
    case 64:
      return visit(int64_t{});
    default:
      return nullptr;
  }
}

// Also i1, as 0 and 1.
template <typename Visit>
Execute forUnsigned(Type type, Visit visit) {
  if (getElementTypeOrSelf(type).isInteger(1)) return visit(bool{});
  return forSigned(type,
                   [&](auto sample) { return visit(std::make_unsigned_t<decltype(sample)>{}); });
}

template <typename F>
Execute floatUnary(Type type, F) {
  return forFloat(type, [](auto sample) -> Execute { return unaryLoop<decltype(sample), F>; });
}
template <typename F>
Execute floatBinary(Type type, F) {
  return forFloat(type, [](auto sample) -> Execute { return binaryLoop<decltype(sample), F>; });
}
// Unsigned C++ arithmetic wraps as the operations do.
template <typename F>
Execute unsignedBinary(Type type, F) {
  return forUnsigned(type, [](auto sample) -> Execute { return binaryLoop<decltype(sample), F>; });
}
template <typename F>
Execute signedBinary(Type type, F) {
  return forSigned(type, [](auto sample) -> Execute { return binaryLoop<decltype(sample), F>; });
}

template <typename F>
Execute signedDivision(Type type, F) {
  constexpr auto bad = [](auto a, auto b) -> const char* {
    if (b == 0) return "divides an integer by zero";
    if (a == std::numeric_limits<decltype(a)>::min() && b == -1)
      return "divides the least integer by -1, which has no result";
    return nullptr;
  };
  return forSigned(type, [&](auto sample) -> Execute {
    return checkedLoop<decltype(sample), decltype(bad), F>;
  });
}

template <typename F>
Execute unsignedDivision(Type type, F) {
  constexpr auto bad = [](auto, auto b) -> const char* {
    return b == 0 ? "divides an integer by zero" : nullptr;
  };
  return forUnsigned(type, [&](auto sample) -> Execute {
    if constexpr (std::is_same_v<decltype(sample), bool>) return nullptr;
    return checkedLoop<decltype(sample), decltype(bad), F>;
  });
}

constexpr auto kShiftTooFar = [](auto a, auto b) -> const char* {
  using Unsigned = std::make_unsigned_t<decltype(b)>;
  return static_cast<Unsigned>(b) >= 8 * sizeof(a)
             ? "shifts by as many bits as the integer has, or more"
             : nullptr;
};

template <typename F>
Execute shift(Type type, F) {
  return forSigned(type, [](auto sample) -> Execute {
    return checkedLoop<decltype(sample), decltype(kShiftTooFar), F>;
  });
}

Execute compareFloats(arith::CmpFOp op) {
  using P = arith::CmpFPredicate;
  const Type type = op.getLhs().getType();
  const auto by = [&](auto f) { return floatBinary(type, f); };
  switch (op.getPredicate()) {
    case P::AlwaysFalse:
      return by([](auto, auto) { return false; });
    case P::OEQ:
      return by([](auto a, auto b) { return a == b; });
    case P::OGT:
      return by([](auto a, auto b) { return a > b; });
    case P::OGE:
      return by([](auto a, auto b) { return a >= b; });
    case P::OLT:
      return by([](auto a, auto b) { return a < b; });
    case P::OLE:
      return by([](auto a, auto b) { return a <= b; });
    case P::ONE:
      return by([](auto a, auto b) { return a < b || a > b; });
    case P::ORD:
      return by([](auto a, auto b) { return !std::isnan(a) && !std::isnan(b); });
    case P::UEQ:
      return by([](auto a, auto b) { return !(a < b || a > b); });
    case P::UGT:
      return by([](auto a, auto b) { return !(a <= b); });
    case P::UGE:
      return by([](auto a, auto b) { return !(a < b); });
    case P::ULT:
      return by([](auto a, auto b) { return !(a >= b); });
    case P::ULE:
      return by([](auto a, auto b) { return !(a > b); });
    case P::UNE:
      return by([](auto a, auto b) { return a != b; });
    case P::UNO:
      return by([](auto a, auto b) { return std::isnan(a) || std::isnan(b); });
    case P::AlwaysTrue:
      return by([](auto, auto) { return true; });
  }
  return nullptr;
}

// arith.cmpi and llvm.icmp number their predicates alike.
Execute compareIntegers(arith::CmpIPredicate predicate, Type type) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
    case P::eq:
      return unsignedBinary(type, [](auto a, auto b) { return a == b; });
    case P::ne:
      return unsignedBinary(type, [](auto a, auto b) { return a != b; });
    case P::slt:
      return signedBinary(type, [](auto a, auto b) { return a < b; });
    case P::sle:
      return signedBinary(type, [](auto a, auto b) { return a <= b; });
    case P::sgt:
      return signedBinary(type, [](auto a, auto b) { return a > b; });
    case P::sge:
      return signedBinary(type, [](auto a, auto b) { return a >= b; });
    case P::ult:
      return unsignedBinary(type, [](auto a, auto b) { return a < b; });
    case P::ule:
      return unsignedBinary(type, [](auto a, auto b) { return a <= b; });
    case P::ugt:
      return unsignedBinary(type, [](auto a, auto b) { return a > b; });
    case P::uge:
      return unsignedBinary(type, [](auto a, auto b) { return a >= b; });
  }
  return nullptr;
}

Execute arithFloat(Operation* op) {
  const Type type = op->getNumOperands() > 0 ? op->getOperand(0).getType() : Type();
  return llvm::TypeSwitch<Operation*, Execute>(op)
      .Case<arith::AddFOp>(
          [&](auto) { return floatBinary(type, [](auto a, auto b) { return a + b; }); })
      .Case<arith::SubFOp>(
          [&](auto) { return floatBinary(type, [](auto a, auto b) { return a - b; }); })
      .Case<arith::MulFOp>(
          [&](auto) { return floatBinary(type, [](auto a, auto b) { return a * b; }); })
      .Case<arith::DivFOp>(
          [&](auto) { return floatBinary(type, [](auto a, auto b) { return a / b; }); })
      .Case<arith::RemFOp>(
          [&](auto) { return floatBinary(type, [](auto a, auto b) { return std::fmod(a, b); }); })
      .Case<arith::NegFOp>([&](auto) { return floatUnary(type, [](auto a) { return -a; }); })
      // A NaN in either operand survives; of zeros, -0 is the lesser.
      .Case<arith::MaximumFOp>([&](auto) {
        return floatBinary(type, [](auto a, auto b) {
          if (std::isnan(a) || std::isnan(b)) return a + b;
          return a == b ? (std::signbit(a) ? b : a) : a > b ? a : b;
        });
      })
      .Case<arith::MinimumFOp>([&](auto) {
        return floatBinary(type, [](auto a, auto b) {
          if (std::isnan(a) || std::isnan(b)) return a + b;
          return a == b ? (std::signbit(a) ? a : b) : a < b ? a : b;
        });
      })
      .Case<arith::MaxNumFOp>(
          [&](auto) { return floatBinary(type, [](auto a, auto b) { return std::fmax(a, b); }); })
      .Case<arith::MinNumFOp>(
          [&](auto) { return floatBinary(type, [](auto a, auto b) { return std::fmin(a, b); }); })
      .Case([&](arith::CmpFOp compare) { return compareFloats(compare); })
      .Default([](Operation*) { return nullptr; });
}

// The low bits of `value` as T, for bool too: i1 counts modulo 2.
template <typename T>
T wrap(uint64_t value) {
  return static_cast<T>(value & static_cast<T>(-1));
}

Execute arithInteger(Operation* op) {
  const Type type = op->getNumOperands() > 0 ? op->getOperand(0).getType() : Type();
  return llvm::TypeSwitch<Operation*, Execute>(op)
      .Case<arith::AddIOp>([&](auto) {
        return unsignedBinary(type, [](auto a, auto b) { return wrap<decltype(a)>(a + b); });
      })
      .Case<arith::SubIOp>([&](auto) {
        return unsignedBinary(type, [](auto a, auto b) { return wrap<decltype(a)>(a - b); });
      })
      .Case<arith::MulIOp>([&](auto) {
        return unsignedBinary(type, [](auto a, auto b) {
          return wrap<decltype(a)>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
        });
      })
      .Case<arith::AndIOp>([&](auto) {
        return unsignedBinary(type, [](auto a, auto b) { return decltype(a)(a & b); });
      })
      .Case<arith::OrIOp>([&](auto) {
        return unsignedBinary(type, [](auto a, auto b) { return decltype(a)(a | b); });
      })
      .Case<arith::XOrIOp>([&](auto) {
        return unsignedBinary(type, [](auto a, auto b) { return decltype(a)(a ^ b); });
      })
      .Case<arith::DivSIOp>([&](auto) {
        return signedDivision(type, [](auto a, auto b) { return decltype(a)(a / b); });
      })
      .Case<arith::RemSIOp>([&](auto) {
        return signedDivision(type, [](auto a, auto b) { return decltype(a)(a % b); });
      })
      .Case<arith::DivUIOp>([&](auto) {
        return unsignedDivision(type, [](auto a, auto b) { return decltype(a)(a / b); });
      })
      .Case<arith::RemUIOp>([&](auto) {
        return unsignedDivision(type, [](auto a, auto b) { return decltype(a)(a % b); });
      })
      .Case<arith::ShLIOp>([&](auto) {
        return shift(type, [](auto a, auto b) {
          return decltype(a)(static_cast<uint64_t>(static_cast<int64_t>(a)) << b);
        });
      })
      .Case<arith::ShRSIOp>(
          [&](auto) { return shift(type, [](auto a, auto b) { return decltype(a)(a >> b); }); })
      .Case<arith::ShRUIOp>([&](auto) {
        return shift(type, [](auto a, auto b) {
          return decltype(a)(static_cast<std::make_unsigned_t<decltype(a)>>(a) >> b);
        });
      })
      .Case<arith::MaxSIOp>(
          [&](auto) { return signedBinary(type, [](auto a, auto b) { return std::max(a, b); }); })
      .Case<arith::MinSIOp>(
          [&](auto) { return signedBinary(type, [](auto a, auto b) { return std::min(a, b); }); })
      .Case<arith::MaxUIOp>(
          [&](auto) { return unsignedBinary(type, [](auto a, auto b) { return std::max(a, b); }); })
      .Case<arith::MinUIOp>(
          [&](auto) { return unsignedBinary(type, [](auto a, auto b) { return std::min(a, b); }); })
      .Case([&](arith::CmpIOp compare) { return compareIntegers(compare.getPredicate(), type); })
      .Case([&](LLVM::ICmpOp compare) {
        return compareIntegers(static_cast<arith::CmpIPredicate>(compare.getPredicate()), type);
      })
      .Default([](Operation*) { return nullptr; });
}

// bf16 is the upper half of an f32.
float fromBrain(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }
uint16_t toBrain(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);  // stays a NaN
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);  // to nearest, to even
}

template <typename From, typename To>
void castLoop(Machine& machine, const Instruction& instruction, Threads threads) {
  unaryLoop<From, decltype([](From value) { return static_cast<To>(value); })>(machine, instruction,
                                                                               threads);
}

// Float to integer, where an integer has no such value the result would be poison.
template <typename From, typename To>
void roundLoop(Machine& machine, const Instruction& instruction, Threads threads) {
  const uint64_t* a = machine.slot(instruction.operands[0]);
  uint64_t* out = machine.slot(instruction.results[0]);
  const From low = static_cast<From>(std::numeric_limits<To>::min());
  const From high = std::ldexp(From(1), std::numeric_limits<To>::digits);
  for (uint32_t t : threads) {
    const From value = std::trunc(fromBits<From>(a[t]));
    if (!(value >= low && value < high))
      return machine.fail(instruction, t, "turns a number into an integer that cannot hold it");
    out[t] = toBits(static_cast<To>(value));
  }
}

Execute castFloat(Operation* op, Type from, Type to) {
  if (isa<arith::ExtFOp>(op)) {
    if (from.isBF16() && to.isF32())
      return unaryLoop<uint16_t, decltype([](uint16_t value) { return fromBrain(value); })>;
    if (from.isBF16() && to.isF64())
      return unaryLoop<uint16_t, decltype([](uint16_t value) { return double(fromBrain(value)); })>;
    return from.isF32() && to.isF64() ? castLoop<float, double> : nullptr;
  }
  if (from.isF32() && to.isBF16())
    return unaryLoop<float, decltype([](float value) { return toBrain(value); })>;
  return from.isF64() && to.isF32() ? castLoop<double, float> : nullptr;
}

Execute castInstruction(Operation* op) {
  if (op->getNumOperands() != 1 || op->getNumResults() != 1) return nullptr;
  const Type from = getElementTypeOrSelf(op->getOperand(0).getType());
  const Type to = getElementTypeOrSelf(op->getResult(0).getType());
  if (isa<arith::ExtFOp, arith::TruncFOp>(op)) return castFloat(op, from, to);
  const auto fromSigned = [&](auto visit) {
    if (!from.isInteger(1)) return forSigned(from, visit);
    return Execute(nullptr);
  };
  if (isa<arith::SIToFPOp>(op)) {
    return fromSigned([&](auto a) {
      return forFloat(to, [&](auto b) -> Execute { return castLoop<decltype(a), decltype(b)>; });
    });
  }
  if (isa<arith::UIToFPOp>(op)) {
    return forUnsigned(from, [&](auto a) {
      return forFloat(to, [&](auto b) -> Execute { return castLoop<decltype(a), decltype(b)>; });
    });
  }
  if (isa<arith::FPToSIOp>(op)) {
    return forFloat(from, [&](auto a) {
      return forSigned(to, [&](auto b) -> Execute { return roundLoop<decltype(a), decltype(b)>; });
    });
  }
  if (isa<arith::TruncIOp>(op) && to.isInteger(1))
    return unaryLoop<uint64_t, decltype([](uint64_t value) { return (value & 1) != 0; })>;
  if (isa<arith::ExtSIOp>(op) && from.isInteger(1)) {
    return forSigned(to, [](auto sample) -> Execute {
      return unaryLoop<bool, decltype([](bool value) { return decltype(sample)(value ? -1 : 0); })>;
    });
  }
  if (isa<arith::TruncIOp, arith::ExtSIOp, arith::IndexCastOp>(op)) {
    return fromSigned([&](auto a) {
      return forSigned(to, [&](auto b) -> Execute { return castLoop<decltype(a), decltype(b)>; });
    });
  }
  return nullptr;
}

// 2^x as ex2.approx.ftz: what would be denormal is zero.
constexpr auto kExp2Flushed = [](auto x) {
  const auto value = std::exp2(x);
  return value < std::numeric_limits<decltype(x)>::min() ? decltype(x)(0) : value;
};
constexpr auto kExp2 = [](auto x) { return std::exp2(x); };
constexpr auto kLog2 = [](auto x) { return std::log2(x); };
constexpr auto kAbs = [](auto x) { return std::fabs(x); };
constexpr auto kFloor = [](auto x) { return std::floor(x); };
constexpr auto kSqrt = [](auto x) { return std::sqrt(x); };
constexpr auto kTanh = [](auto x) { return std::tanh(x); };
constexpr auto kReciprocal = [](auto x) { return 1 / x; };
constexpr auto kReciprocalSqrt = [](auto x) { return 1 / std::sqrt(x); };
constexpr auto kFma = [](auto a, auto b, auto c) { return std::fma(a, b, c); };

Execute mathInstruction(Operation* op) {
  const Type type = op->getNumOperands() > 0 ? op->getOperand(0).getType() : Type();
  const auto unary = [&](auto f) { return floatUnary(type, f); };
  return llvm::TypeSwitch<Operation*, Execute>(op)
      .Case<math::ExpOp>([&](auto) { return unary([](auto x) { return std::exp(x); }); })
      .Case<math::Exp2Op>([&](auto) { return unary(kExp2); })
      .Case<math::ExpM1Op>([&](auto) { return unary([](auto x) { return std::expm1(x); }); })
      .Case<math::LogOp>([&](auto) { return unary([](auto x) { return std::log(x); }); })
      .Case<math::Log2Op>([&](auto) { return unary(kLog2); })
      .Case<math::Log1pOp>([&](auto) { return unary([](auto x) { return std::log1p(x); }); })
      .Case<math::SqrtOp>([&](auto) { return unary(kSqrt); })
      .Case<math::RsqrtOp>([&](auto) { return unary(kReciprocalSqrt); })
      .Case<math::AbsFOp>([&](auto) { return unary(kAbs); })
      .Case<math::FloorOp>([&](auto) { return unary(kFloor); })
      .Case<math::CeilOp>([&](auto) { return unary([](auto x) { return std::ceil(x); }); })
      .Case<math::TruncOp>([&](auto) { return unary([](auto x) { return std::trunc(x); }); })
      .Case<math::RoundOp>([&](auto) { return unary([](auto x) { return std::round(x); }); })
      .Case<math::RoundEvenOp>(
          [&](auto) { return unary([](auto x) { return std::nearbyint(x); }); })
      .Case<math::TanhOp>([&](auto) { return unary(kTanh); })
      .Case<math::PowFOp>(
          [&](auto) { return floatBinary(type, [](auto a, auto b) { return std::pow(a, b); }); })
      .Case<math::CopySignOp>([&](auto) {
        return floatBinary(type, [](auto a, auto b) { return std::copysign(a, b); });
      })
      .Case<math::FmaOp, vector::FMAOp>([&](auto) {
        return forFloat(type, [](auto sample) -> Execute {
          return ternaryLoop<decltype(sample), decltype(kFma)>;
        });
      })
      .Default([](Operation*) { return nullptr; });
}

// An LLVM intrinsic or a PTX instruction of one operand, by name without its type.
Execute namedUnary(StringRef name, Type type) {
  const auto unary = [&](auto f) { return floatUnary(type, f); };
  return llvm::StringSwitch<Execute>(name)
      .Cases({"llvm.exp2", "llvm.nvvm.ex2.approx.ftz", "ex2.approx.ftz"}, unary(kExp2Flushed))
      .Cases({"llvm.nvvm.ex2.approx", "ex2.approx"}, unary(kExp2))
      .Cases({"llvm.log2", "llvm.nvvm.lg2.approx", "llvm.nvvm.lg2.approx.ftz"}, unary(kLog2))
      .Cases({"lg2.approx", "lg2.approx.ftz"}, unary(kLog2))
      .Cases({"llvm.nvvm.tanh.approx", "tanh.approx"}, unary(kTanh))
      .Cases({"llvm.nvvm.rcp.approx.ftz", "rcp.approx.ftz", "rcp.approx"}, unary(kReciprocal))
      .Case("llvm.fabs", unary(kAbs))
      .Case("llvm.floor", unary(kFloor))
      .Case("llvm.sqrt", unary(kSqrt))
      .Default(nullptr);
}

Execute intrinsicInstruction(Operation* op) {
  StringRef name;
  if (auto call = dyn_cast<LLVM::CallIntrinsicOp>(op)) name = call.getIntrin();
  // "ex2.approx.ftz.f32 $0, $1;"
  if (auto inlined = dyn_cast<LLVM::InlineAsmOp>(op))
    name = StringRef(inlined.getAsmString()).trim().take_until([](char c) { return c == ' '; });
  if (name.empty() || op->getNumResults() != 1) return nullptr;
  const Type type = op->getOperand(0).getType();
  for (StringRef suffix : {".f32", ".f64", ".f", ".d"})
    if (name.consume_back(suffix)) break;
  if (op->getNumOperands() == 1) return namedUnary(name, type);
  if (op->getNumOperands() == 3 && (name == "llvm.fma" || name == "fma.rn")) {
    return forFloat(
        type, [](auto sample) -> Execute { return ternaryLoop<decltype(sample), decltype(kFma)>; });
  }
  return nullptr;
}

}  // namespace

Execute pointInstruction(Operation* op) {
  if (isa<arith::SelectOp, LLVM::SelectOp>(op)) return selectLoop;
  for (Execute (*find)(Operation*) :
       {arithFloat, arithInteger, castInstruction, mathInstruction, intrinsicInstruction})
    if (Execute found = find(op)) return found;
  return nullptr;
}

bool keepsBits(Operation* op) {
  if (isa<LLVM::PtrToIntOp, LLVM::IntToPtrOp, LLVM::AddrSpaceCastOp, arith::ExtUIOp,
          arith::IndexCastUIOp, arith::BitcastOp, LLVM::BitcastOp>(op)) {
    const std::optional<unsigned> from = bitsOf(getElementTypeOrSelf(op->getOperand(0).getType()));
    const std::optional<unsigned> to = bitsOf(getElementTypeOrSelf(op->getResult(0).getType()));
    if (!from || !to) return false;
    return isa<arith::ExtUIOp, arith::IndexCastUIOp>(op) ? *from <= *to : *from == *to;
  }
  if (!isa<arith::IndexCastOp>(op)) return false;
  return bitsOf(op->getOperand(0).getType()) == bitsOf(op->getResult(0).getType());
}

}  // namespace alidade::pref::simt
