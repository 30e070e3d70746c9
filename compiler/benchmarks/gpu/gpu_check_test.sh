#!/usr/bin/env bash
# The GPU check without a GPU: the same calls and comparison on the CPU, the timing at toy size, and what is said where there
# is no GPU.
set -euo pipefail
here=compiler/benchmarks/gpu
work=$TEST_TMPDIR
fail() { echo "FAILED: $*"; exit 1; }
# expect CODE TEXT COMMAND...: the exit code, and TEXT in what is printed.
expect() {
  local code=$1 text=$2 status=0
  shift 2
  "$@" >"$work/out" 2>&1 || status=$?
  [ $status = "$code" ] || { cat "$work/out"; fail "$*: expected exit $code, got $status"; }
  grep -qF -- "$text" "$work/out" || { cat "$work/out"; fail "$*: expected '$text'"; }
}

for script in run.sh package.sh; do bash -n $here/$script; done
for script in peers.py report.py; do python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' $here/$script; done

# Every definition has cases, and every objective agrees.
mkdir "$work/cases"
$here/write_cases . "$work/cases" >"$work/objectives"
for folder in compiler/objectives/*/; do
  grep -qx "$(basename "$folder")" "$work/objectives" || fail "no cases of $folder; is it in //compiler/objectives?"
done
expect 0 "$(wc -l <"$work/objectives") objectives on cpu: all agree with the interpreter" \
  $here/gpu_check --cases="$work/cases" --device=cpu
[ "$(grep -c '^ok ' "$work/out")" = "$(wc -l <"$work/objectives")" ] || fail "expected a line per objective"
cat "$work/out"

# A wrong expectation is seen: another number in the last place of the file.
mkdir "$work/damaged"
cp "$work"/cases/dpo.* "$work/damaged/"
printf '\x00\x00\x00\x00\x00\x00\xf8\x3f' | dd status=none conv=notrunc of="$work/damaged/dpo.small.safetensors" bs=1 \
  seek=$(($(stat -c %s "$work/damaged/dpo.small.safetensors") - 8))
expect 1 "FAILED dpo.small.safetensors f32" $here/gpu_check --cases="$work/damaged" --device=cpu --only=dpo

expect 2 "expected --cases=FOLDER" $here/gpu_check --device=cpu
expect 2 "--device: expected cuda or cpu, got 'gpu'" $here/gpu_check --cases="$work/cases" --device=gpu
expect 1 "did you mean 'dpo'" $here/gpu_check --cases="$work/cases" --device=cpu --only=dpoo
expect 2 "got '4x4x4'" $here/step_timing --shape=4x4x4 --device=cpu

# Loss and gradients of the step against f64, all tokens and a quarter of them.
for shape in 2x8x16x50 2x8x16x50/25/peaked; do
  expect 0 '"repeats": true' $here/step_timing --shape=$shape --iterations=2 --device=cpu
  grep -oE '"(logp|hidden|head)_error": [^,}]*' "$work/out" | awk '{ n++; if (!($2 < 1e-5)) bad = 1 } END { exit bad || n != 3 }' ||
    { cat "$work/out"; fail "$shape: expected errors below 1e-5"; }
  cat "$work/out" >>"$work/timing.jsonl"
done
expect 0 "| step, trained head | alidade |" python3 $here/report.py "$work"

if ! ls /dev/nvidia[0-9]* >/dev/null 2>&1; then
  expect 3 "no GPU here" $here/gpu_check --cases="$work/cases"
  expect 3 "no GPU here" $here/step_timing --shape=2x8x16x50
fi
echo "all good"
