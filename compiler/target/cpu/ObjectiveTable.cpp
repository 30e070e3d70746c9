#include "compiler/target/cpu/ObjectiveTable.h"

#include "compiler/runtime/abi.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;

namespace alidade::pref {
namespace {

// The order and the types of the fields below are those of these structs.
static_assert(ALIDADE_ABI_VERSION == 2 && sizeof(AlidadeVariant) == 32 &&
              sizeof(AlidadeObjectiveTable) == 112 + 16 * ALIDADE_MAX_AXES);

constexpr int kConstructorPriority = 65535;  // the default: after the runtime's own static data

class TableBuilder {
 public:
  explicit TableBuilder(Module& module)
      : module(module),
        context(module.getContext()),
        pointer(PointerType::getUnqual(context)),
        i32(Type::getInt32Ty(context)),
        i64(Type::getInt64Ty(context)) {}

  GlobalVariable* build(ArrayRef<const CpuLevel*> levels, const TableContents& contents) {
    SmallVector<Constant*> variants;
    auto* variantType =
        StructType::create(context, {pointer, pointer, pointer, pointer}, "AlidadeVariant");
    for (const CpuLevel* level : levels) {
      SmallVector<Constant*> rows;
      for (unsigned program = 0; program < contents.numRowPrograms; ++program)
        rows.push_back(
            module.getFunction(("alidade_rows_" + Twine(program) + "_" + level->suffix).str()));
      auto* rowArray = ConstantArray::get(ArrayType::get(pointer, rows.size()), rows);
      Constant* known =
          contents.hasKnown
              ? static_cast<Constant*>(module.getFunction(("alidade_known_" + level->suffix).str()))
              : ConstantPointerNull::get(pointer);
      variants.push_back(ConstantStruct::get(
          variantType, {text(level->cpu), global("alidade_rows", rowArray), known,
                        module.getFunction(("alidade_scalars_" + level->suffix).str())}));
    }
    auto* variantArray = ConstantArray::get(ArrayType::get(variantType, variants.size()), variants);
    auto* perAxis = ArrayType::get(i64, ALIDADE_MAX_AXES);
    auto* type = StructType::create(context,
                                    {i32, pointer, pointer, pointer, i64, i64, perAxis, i64, i64,
                                     perAxis, i32, pointer, pointer, pointer, pointer, i64},
                                    "AlidadeObjectiveTable");
    auto* value = ConstantStruct::get(
        type,
        {ConstantInt::get(i32, ALIDADE_ABI_VERSION), text(contents.name),
         text(contents.signatureJson), text(contents.definition),
         ConstantInt::get(i64, contents.scratch.fixed),
         ConstantInt::get(i64, contents.scratch.perRow), axisSizes(contents.scratch),
         ConstantInt::get(i64, contents.known.fixed), ConstantInt::get(i64, contents.known.perRow),
         axisSizes(contents.known), ConstantInt::get(i32, variants.size()),
         global("alidade_variants", variantArray), textOrNull(contents.ptxSm80),
         textOrNull(contents.ptxSm90a), bytesOrNull(contents.cubinSm90a),
         ConstantInt::get(i64, contents.cubinSm90a.size())});
    GlobalVariable* table = global("alidade_objective_table", value);
    if (!contents.registerAtLoad) table->setLinkage(GlobalValue::ExternalLinkage);
    return table;
  }

  void addConstructor(GlobalVariable* table) {
    auto* nothing = Type::getVoidTy(context);
    FunctionCallee enter = module.getOrInsertFunction("alidade_register_objective",
                                                      FunctionType::get(nothing, {pointer}, false));
    auto* constructor = Function::Create(FunctionType::get(nothing, {}, false),
                                         GlobalValue::InternalLinkage, "alidade_register", module);
    IRBuilder<> builder(BasicBlock::Create(context, "entry", constructor));
    builder.CreateCall(enter, {table});
    builder.CreateRetVoid();
    appendToGlobalCtors(module, constructor, kConstructorPriority);
  }

 private:
  Module& module;
  LLVMContext& context;
  PointerType* const pointer;
  IntegerType* const i32;
  IntegerType* const i64;

  GlobalVariable* global(StringRef name, Constant* value) {
    return new GlobalVariable(module, value->getType(), /*isConstant=*/true,
                              GlobalValue::InternalLinkage, value, name);
  }

  Constant* axisSizes(const ScratchSize& size) {
    SmallVector<uint64_t> counts(size.perAxis);
    counts.resize(ALIDADE_MAX_AXES, 0);
    return ConstantDataArray::get(context, counts);
  }

  Constant* text(StringRef characters) {
    return global("alidade_text", ConstantDataArray::getString(context, characters));
  }

  Constant* textOrNull(StringRef characters) {
    return characters.empty() ? static_cast<Constant*>(ConstantPointerNull::get(pointer))
                              : text(characters);
  }

  Constant* bytesOrNull(StringRef bytes) {
    if (bytes.empty()) return ConstantPointerNull::get(pointer);
    GlobalVariable* variable =
        global("alidade_cubin", ConstantDataArray::getString(context, bytes, /*AddNull=*/false));
    variable->setAlignment(Align(16));  // an ELF image
    return variable;
  }
};

}  // namespace

void addObjectiveTable(Module& module, ArrayRef<const CpuLevel*> levels,
                       const TableContents& contents) {
  TableBuilder builder(module);
  GlobalVariable* table = builder.build(levels, contents);
  if (contents.registerAtLoad) builder.addConstructor(table);
}

}  // namespace alidade::pref
