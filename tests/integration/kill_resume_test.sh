#!/usr/bin/env bash
# A run that is killed at random moments and started again ends in the same bits as one that was left alone.
# kill_resume_test.sh RUNNER CONFIG [KILLS [SEED]]
set -euo pipefail
runner=$1 config=$2 kills=${3:-10} seed=${4:-1}
folder=${TEST_TMPDIR:-$(mktemp -d)}
a=$folder/undisturbed b=$folder/killed
RANDOM=$seed

started=$(date +%s%N)
"$runner" --config="$config" --out="$a" --smoke >"$folder/undisturbed.log" 2>&1 || { cat "$folder/undisturbed.log"; exit 1; }
duration_ms=$((($(date +%s%N) - started) / 1000000))
echo "undisturbed run: $duration_ms ms"

finished() { ls "$1/stages" 2>/dev/null | grep -vc '\.tmp$' || true; }

# Kill i strikes at a random moment after the first (i - 1) / kills of the stages are finished, so that every part of the
# graph is hit.
stages=$(finished "$a")
killed=0
for ((attempt = 1; killed < kills && attempt <= 3 * kills; attempt++)); do
  i=$((killed + 1))
  "$runner" --config="$config" --out="$b" --smoke >>"$folder/killed.log" 2>&1 &
  pid=$!
  while [ "$(finished "$b")" -lt $(((i - 1) * stages / kills)) ] && kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  wait_ms=$((RANDOM * duration_ms / (32768 * stages)))
  sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
  # A run that ended before its kill, on a machine that just became faster, loses its last stages and is tried again.
  if kill -9 "$pid" 2>/dev/null; then killed=$i; else rm -rf "$b"/stages/evaluate-* "$b"/stages/report-*; fi
  wait "$pid" 2>/dev/null || true
  working=$({ ls "$b/stages" 2>/dev/null || true; } | sed -n 's/-.*\.tmp$//p' | tr '\n' ' ')
  echo "kill $i: $(finished "$b") stages finished, in work: ${working:-none}"
done
if [ "$killed" -lt "$kills" ]; then
  echo "expected $kills kills of a running process, got $killed" >&2
  exit 1
fi
"$runner" --config="$config" --out="$b" --smoke >>"$folder/killed.log" 2>&1 || { tail -n 50 "$folder/killed.log"; exit 1; }

bad=0
compared=0
stages_a=$(ls "$a/stages")
stages_b=$(ls "$b/stages")
if [ "$stages_a" != "$stages_b" ]; then
  echo "expected the same stage folders, got:" >&2
  diff <(echo "$stages_a") <(echo "$stages_b") >&2 || true
  bad=1
fi
while read -r file; do
  compared=$((compared + 1))
  if ! cmp "$a/$file" "$b/$file"; then bad=1; fi
done < <(cd "$a" && { echo results.json; find stages -name '*.safetensors' -o -name '*.jsonl' -o -name DONE -o -name '*.png' -o -name results.json; } | sort)
models=$(find "$a/stages" -name model.safetensors | wc -l)
if [ "$models" -lt 6 ]; then
  echo "expected the weights of six models, got $models" >&2
  bad=1
fi
[ "$bad" = 0 ] && echo "$compared files are equal bit by bit, $models of them weights"
exit $bad
