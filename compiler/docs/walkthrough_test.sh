#!/usr/bin/env bash
# usage: walkthrough_test.sh PREF_OPT PREFC DEFINITION PAGE [--write]
# What PAGE quotes is what the tools print. The block after `<!-- quoted: LEVEL -->` must be it to the letter; of the block after
# `<!-- quoted loosely: LEVEL -->` every line must occur at that level, whatever the names of values and registers and the numbers
# are. With --write the page of the checkout gets what the tools print today.
set -euo pipefail
export LC_ALL=C
[ $# -ge 4 ] || { echo "walkthrough_test: expected PREF_OPT PREFC DEFINITION PAGE [--write], got $# arguments" >&2; exit 2; }
pref_opt=$(realpath "$1") prefc=$(realpath "$2") definition=$(realpath "$3") page=$(realpath "$4") mode=${5:-}
rewrite="./bazelw run //compiler/docs:walkthrough_test -- --write"
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/walkthrough.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/whole" "$work/quote"
cp "$definition" "$work/thumbs.mlir"
cd "$work"

fail() { echo "walkthrough_test: $*" >&2; exit 1; }
# Removes the indentation of the first line from all lines.
outdent() { awk 'NR == 1 {match($0, /^[ \t]*/); n = RLENGTH} {print substr($0, n + 1)}'; }
# lines PATTERN: those that match.
lines() { awk -v pattern="$1" '$0 ~ pattern'; }
# part START END: the lines from the one that matches START through the next one that matches END.
part() { awk -v start="$1" -v end="$2" '!inside && !done && $0 ~ start {inside = 1} inside {print} inside && $0 ~ end {inside = 0; done = 1}'; }
# first PATTERN COUNT, last PATTERN COUNT: COUNT lines from the first, from the last line that matches PATTERN.
first() { awk -v pattern="$1" -v count="$2" '$0 ~ pattern {found = 1} found && count-- > 0'; }
last() { awk -v pattern="$1" -v count="$2" '{line[NR] = $0} $0 ~ pattern {at = NR} END {if (at) for (i = at; i < at + count; ++i) print line[i]}'; }

# What the tools print, by level; of code, the scalar block of the CPU with AVX-512 and that of the GPU.
cp thumbs.mlir whole/written
"$pref_opt" --mlir-print-op-generic thumbs.mlir >whole/generic
"$pref_opt" --pref-expand-composites thumbs.mlir >whole/expanded
"$prefc" emit thumbs.mlir --canonical=whole/canonical --differentiated=whole/differentiated --signature=whole/signature \
  --loops=loops --llvm=llvm --assembly=assembly --ptx_sm90a=ptx
"$prefc" check thumbs.mlir >whole/check
"$pref_opt" --pref-expand-composites --pref-differentiate --canonicalize --cse --pref-analyze-coupling thumbs.mlir \
  >/dev/null 2>whole/coupling
batch=(--rows=4 --tokens=64 --hidden=512 --vocab=8192 --budget=4000000)
"$prefc" explain thumbs.mlir "${batch[@]}" >whole/plan
"$prefc" explain thumbs.mlir "${batch[@]}" --schedule=S3 --steps >whole/steps
part 'func.func @alidade_scalars_v4' '^  }' <loops >whole/loops
part '^      scf[.]for ' '^      }' <whole/loops >whole/loops_cotangent
part '^define .*@alidade_scalars_v4' '^}' <llvm >whole/llvm
part '^alidade_scalars_v4:' '^.Lfunc_end' <assembly >whole/assembly
part 'gpu[.]func @alidade_scalars' 'gpu[.]return' <loops | tee whole/gpu >whole/gpu_shuffle
part '[.]entry alidade_scalars' '^}' <ptx | tee whole/ptx >whole/ptx_shuffle

# The lines of it that the page quotes. A scalar block has two loops over the tokens of a row: the sums, then the cotangents.
cp whole/written whole/canonical whole/check quote
lines '"pref[.](weighted_sum|mul)"' <whole/generic | outdent >quote/generic
part 'pref[.]sub ' 'pref[.]div ' <whole/expanded | outdent >quote/expanded
part 'pref[.]count over row' 'pref[.]yield' <whole/differentiated | outdent >quote/differentiated
first ' remark: ' 1 <whole/coupling >quote/coupling
part '"coupling": ' '}' <whole/signature | outdent >quote/signature
lines '^(schedule|S2|S3|F|D|RC) ' <whole/plan >quote/plan
lines '#1 policy|scalar_block rows.0:1' <whole/steps >quote/steps
part 'arith[.]subf .* : f64' 'scf[.]yield' <whole/loops | outdent >quote/loops
last 'arith[.]mulf' 3 <whole/loops_cotangent | outdent >quote/loops_cotangent
part 'fsub double' 'fadd double' <whole/llvm | outdent >quote/llvm
last 'vcvtps2pd.*zmm' 4 <whole/assembly | outdent >quote/assembly
first 'gpu[.]thread_id' 6 <whole/gpu | outdent >quote/gpu
part 'arith[.]bitcast' 'gpu[.]shuffle' <whole/gpu_shuffle | outdent >quote/gpu_shuffle
first 'ld[.]global[.]b32' 10 <whole/ptx | outdent >quote/ptx
first 'shfl[.]sync' 1 <whole/ptx_shuffle | outdent >quote/ptx_shuffle

for level in whole/*; do
  level=${level#whole/}
  [ -s "quote/$level" ] || fail "level $level: nothing to quote was found in what the tools print"
done

# The page with every quoted block replaced by quote/LEVEL.
filled() { awk '
  skipping {if (/^```/) {skipping = 0; print} next}
  {print}
  /^<!-- quoted( loosely)?: [a-z_0-9]+ -->$/ {level = $(NF - 1); next}
  level != "" && /^```/ {
    file = "quote/" level
    while ((status = (getline line < file)) > 0) print line
    if (status < 0) {print "no level " level > "/dev/stderr"; exit 1}
    close(file); level = ""; skipping = 1
  }' "$page"; }

if [ "$mode" = --write ]; then
  target=${BUILD_WORKSPACE_DIRECTORY:?call it as $rewrite}/compiler/docs/walkthrough.md
  filled >page
  cp page "$target"
  echo "walkthrough_test: wrote $target"
  exit 0
fi
[ -z "$mode" ] || fail "expected --write or nothing, got '$mode'"

# A line without names, numbers and spacing.
form() { sed -E 's/%[A-Za-z0-9_.#]+/%/g; s/(^|[^A-Za-z0-9_.])-?0[xdf][0-9A-Fa-f]+/\1N/g
  s/(^|[^A-Za-z0-9_.])-?[0-9]+(\.[0-9]+)?/\1N/g; s/[ \t]+/ /g; s/^ //; s/ $//'; }
# block LEVEL: what the page says.
block() { awk -v mark="^<!-- quoted( loosely)?: $1 -->$" '
  $0 ~ mark {found = 1; next}
  found && /^```/ {if (inside) exit; inside = 1; next}
  inside' "$page"; }

bad=0 count=0
while read -r how level; do
  count=$((count + 1))
  [ -e "quote/$level" ] || fail "$page: quotes level $level, expected one of $(ls quote | tr '\n' ' ')"
  block "$level" >block
  [ -s block ] || fail "$page: level $level: expected a block of code behind the mark"
  if [ "$how" = exactly ]; then
    diff block "quote/$level" >difference && continue
    echo "level $level: the page (<) differs from what the tools print (>):"; cat difference
  else
    form <"whole/$level" | sort -u >forms
    form <block | sort -u | comm -23 - forms >missing
    [ -s missing ] || continue
    echo "level $level: the page quotes lines of a form that the tools do not print:"; cat missing
  fi
  bad=1
done < <(sed -nE 's/^<!-- quoted: ([a-z_0-9]+) -->$/exactly \1/p; s/^<!-- quoted loosely: ([a-z_0-9]+) -->$/loosely \1/p' "$page")
[ "$count" -eq "$(ls whole | wc -l)" ] || fail "$page: expected $(ls whole | wc -l) quoted blocks, got $count"
[ "$bad" = 0 ] || fail "if the change is meant, rewrite the page: $rewrite"
echo "walkthrough_test: $count quoted blocks are what the tools print"
