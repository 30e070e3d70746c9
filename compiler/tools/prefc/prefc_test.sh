#!/bin/sh
# usage: prefc_test.sh PREFC DEFINITION GOLDEN
# The commands on a real objective, and the errors that a user meets.
set -eu
prefc=$1 definition=$2 golden=$3
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/prefc.XXXXXX")
trap 'rm -rf "$work"' EXIT
export ALIDADE_CACHE=$work/cache

fail() { echo "prefc_test: $*" >&2; exit 1; }

# expect TEXT COMMAND...: succeeds and prints TEXT.
expect() {
  text=$1; shift
  "$@" >"$work/out" 2>"$work/err" || fail "failed: $*: $(cat "$work/err")"
  grep -qF -e "$text" "$work/out" || fail "no '$text' in the output of $*: $(cat "$work/out")"
}
# refuse TEXT COMMAND...: fails with a message that holds TEXT, without a crash.
refuse() {
  text=$1; shift
  code=0
  "$@" >"$work/out" 2>"$work/err" || code=$?
  [ "$code" = 1 ] || fail "expected exit status 1, got $code: $*"
  grep -qF -e "$text" "$work/err" || fail "no '$text' in the message of $*: $(cat "$work/err")"
}

expect "gradients agree with central differences" "$prefc" check "$definition"
expect "chosen: fastest within the budget" "$prefc" explain "$definition" --rows=4 --tokens=64 --hidden=512
expect "the head of 'policy' requires a gradient" "$prefc" explain "$definition"
expect "scale_hidden policy.chosen" "$prefc" explain "$definition" --head=frozen --schedule=F --steps
expect "# dpo" "$prefc" emit "$definition" --doc=-
expect "cotangents(" "$prefc" emit "$definition" --differentiated=-
expect '"granularity": "row"' "$prefc" emit "$definition" --signature=-
expect ".visible .entry" "$prefc" emit "$definition" --ptx_sm80=-
"$prefc" emit "$definition" --object="$work/dpo.o"
[ -s "$work/dpo.o" ] || fail "no object was written"

expect "schedule S3" "$prefc" run "$definition" --inputs="$golden" --schedule=S3 --backend=interpreter
expect '"loss": 0.79474986' "$prefc" run "$definition" --inputs="$golden" --backend=interpreter --json
"$prefc" run "$definition" --inputs="$golden" --hyper beta=0.3 --head=frozen --out="$work/out.safetensors" >/dev/null
grep -q "grad.policy.chosen.hidden" "$work/out.safetensors" || fail "no hidden gradient in the output file"
! grep -q "grad.policy.head" "$work/out.safetensors" || fail "a frozen head got a gradient"

expect "## Hyperparameters" "$prefc" doc "$definition"

mkdir -p "$work/objectives/dpo"
cp "$definition" "$work/objectives/dpo/dpo.mlir"
sum='0.5*dpo + 0.5*dpo'
expect '"loss": 0.794749' "$prefc" run "$sum" --objectives="$work/objectives" --inputs="$golden" --json
expect '"loss": 0.79474986' "$prefc" run "$sum" --objectives="$work/objectives" --inputs="$golden" --json --backend=interpreter
expect "objective dpo" "$prefc" explain dpo --objectives="$work/objectives"
expect "gradients agree" "$prefc" check "$sum" --objectives="$work/objectives"
refuse "dpo" "$prefc" explain "0.5*dop + dpo" --objectives="$work/objectives"
refuse "did you mean 'dpo'" "$prefc" explain dpoo --objectives="$work/objectives"
expect '"chosen": "S' "$prefc" cost "$definition" --rows=2 --tokens=8 --hidden=64 --vocab=128
expect '"target": "h200"' "$prefc" cost "$definition" --target=h200
expect "schedule R" "$prefc" run "$definition" --inputs="$golden" --schedule=R
for kind in S2 S3 RC; do
  expect '"loss": 0.794749' "$prefc" run "$definition" --inputs="$golden" --schedule=$kind --chunk_tokens=3 --json
done

refuse "did you mean 'explain'" "$prefc" explian "$definition"
refuse "did you mean 'schedule'" "$prefc" explain "$definition" --shedule=S2
refuse "--rows: expected an integer of at least 1, got 'many'" "$prefc" explain "$definition" --rows=many
refuse "got 'S9'" "$prefc" explain "$definition" --schedule=S9
refuse "F is not exact here" "$prefc" explain "$definition" --schedule=F
refuse "bytes, got 1000; S2 needs" "$prefc" explain "$definition" --budget=1000
refuse "absent.mlir" "$prefc" check "$work/absent.mlir"
refuse "paper: expected 'arXiv:0000.00000', got 'arXiv:2305.18290'" "$prefc" emit "$definition" --paper=arXiv:0000.00000 --doc=-
refuse "did you mean 'beta'" "$prefc" run "$definition" --inputs="$golden" --hyper bata=1
refuse "hyperparameter beta: expected a number in (0, inf), got -1" "$prefc" run "$definition" --inputs="$golden" --hyper beta=-1
refuse "--hyper: expected name=number, got 'beta'" "$prefc" run "$definition" --inputs="$golden" --hyper beta
refuse "h200" "$prefc" explain "$definition" --target=h300
refuse "--option: expected name=value, got 'x'" "$prefc" explain "$definition" --option x
refuse "nope" "$prefc" explain "$definition" --option nope=1
refuse "temperature of policy: expected a number in (0, inf), got 0" "$prefc" run "$definition" --inputs="$golden" --temperature policy=0
expect '"loss": 0.79474' "$prefc" run "$definition" --inputs="$golden" --backend=simt --json
refuse "--backend: expected interpreter, cpu, cuda or simt, got 'tpu'" "$prefc" run "$definition" --inputs="$golden" --backend=tpu
printf 'not a tensor file' >"$work/bad.safetensors"
refuse "bad.safetensors" "$prefc" run "$definition" --inputs="$work/bad.safetensors"
sed 's/over row$/over token/' "$definition" >"$work/dpo.mlir"
refuse "dpo.mlir:" "$prefc" check "$work/dpo.mlir"
echo "prefc_test: all as expected"
