#!/usr/bin/env bash
# The whole graph at the experiment's smoke sizes, and once more: nothing may run again. smoke_test.sh RUNNER CONFIG.
set -euo pipefail
runner=$1 config=$2 out=$TEST_TMPDIR/out
"$runner" --config="$config" --out="$out" --smoke
for file in report.html results.json report.txt manifests/0001.json; do
  if [ ! -s "$out/$file" ]; then
    echo "expected $out/$file, got none" >&2
    exit 1
  fi
done
if ls -d "$out"/stages/*.tmp 2>/dev/null; then
  echo "expected no unfinished stage folder" >&2
  exit 1
fi
again=$("$runner" --config="$config" --out="$out" --smoke)
if grep -q ": running in " <<<"$again"; then
  echo "expected all stages to be skipped in the second run, got:" >&2
  echo "$again" >&2
  exit 1
fi
grep -q ": finished before, skipped" <<<"$again"
