// The compiler's command line for objectives: run, explain, cost, emit, doc, check.

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/registry/nearest_name.h"
#include "compiler/tools/prefc/Commands.h"

namespace {

constexpr char kUsage[] =
    R"(prefc: what one objective means, how it is run, what is generated for it

  prefc run OBJECTIVE --inputs=FILE.safetensors [--hyper k=v ...] [--backend=interpreter|cpu|cuda|simt]
      [--schedule=S2|S3|F|D|RC|R] [--budget=BYTES] [--chunk_tokens=N] [--head=trained|frozen]
      [--temperature model=T ...] [--soft_cap model=C ...] [--out=FILE.safetensors] [--json]
    Loss, metrics, state, log-probabilities and gradients of one batch. --inputs may be an objective's golden.json, too.
    --schedule=R computes no gradient, and distributions may be missing.
  prefc explain OBJECTIVE [--rows=N] [--tokens=N] [--members=N] [--segments=N] [--hidden=N] [--vocab=N]
      [--head=trained|frozen] [--target=cpu|h100|h200] [--schedule=S] [--budget=BYTES] [--chunk_tokens=N] [--steps]
    The candidates that the planner saw for a batch of these sizes (tokens: per row and response), and why each lost.
  prefc cost OBJECTIVE [as explain, without --steps]
    The same as JSON.
  prefc emit OBJECTIVE [--definition=F] [--canonical=F] [--differentiated=F] [--signature=F] [--doc=F] [--loops=F]
      [--llvm=F] [--assembly=F] [--object=F] [--ptx_sm80=F] [--ptx_sm90a=F] [--cubin_sm90a=F] [--paper=ID]
    Writes what is asked for; F may be - for standard output. --paper: fail unless the definition cites it.
  prefc doc OBJECTIVE [--out=FILE]
    The objective's page.
  prefc check OBJECTIVE
    Verifies, derives, and compares the derived gradients with central differences.

OBJECTIVE is a file, a name (DIR/NAME/NAME.mlir with --objectives=DIR, by default compiler/objectives) or a sum of names
in quotes: '0.8*dpo + 0.2*bco_pair(beta=0.05) + sft[option=case]'. Every command takes --option name=case ... for the
objective's compile-time choices.
)";

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.empty() || args[0] == "help" || args[0] == "--help") {
    std::fputs(kUsage, args.empty() ? stderr : stdout);
    return args.empty() ? 2 : 0;
  }
  const std::vector<std::string> rest(args.begin() + 1, args.end());
  absl::Status status;
  if (args[0] == "run") {
    status = alidade::pref::runCommand(rest);
  } else if (args[0] == "explain") {
    status = alidade::pref::explainCommand(rest);
  } else if (args[0] == "cost") {
    status = alidade::pref::costCommand(rest);
  } else if (args[0] == "doc") {
    status = alidade::pref::docCommand(rest);
  } else if (args[0] == "emit") {
    status = alidade::pref::emitCommand(rest);
  } else if (args[0] == "check") {
    status = alidade::pref::checkCommand(rest);
  } else {
    status = alidade::UnknownNameError("command", args[0],
                                       {"check", "cost", "doc", "emit", "explain", "help", "run"});
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "prefc: %s\n", std::string(status.message()).c_str());
  return 1;
}
