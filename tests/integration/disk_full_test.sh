#!/usr/bin/env bash
# The disk fills up while a run writes: the user reads what happened, nothing that was finished is lost, and with more
# room the same command goes on to the end. disk_full_test.sh RUNNER CONFIG
set -euo pipefail
runner=$(realpath "$1") config=$(realpath "$2")
export TEST_TMPDIR=${TEST_TMPDIR:-$(mktemp -d)}
if [ "${ALIDADE_IN_NAMESPACE:-}" != 1 ]; then
  if ! unshare --map-root-user --mount true 2>/dev/null; then
    echo "skipped: this machine does not let a test mount a small tmpfs"
    exit 0
  fi
  ALIDADE_IN_NAMESPACE=1 exec unshare --map-root-user --mount "$0" "$runner" "$config"
fi

disk=$TEST_TMPDIR/disk log=$TEST_TMPDIR/log
mkdir -p "$disk"
mount -t tmpfs -o size=64k,nr_inodes=100000 tmpfs "$disk"
finished_before=0
for size in 64k 600k 1500k 2500k; do
  mount -o "remount,size=$size" "$disk"
  if "$runner" --config="$config" --out="$disk/out" --smoke >"$log" 2>&1; then
    echo "expected a full disk at $size, got a finished run" >&2
    exit 1
  fi
  if ! grep -q '^error: .*No space left on device' "$log"; then
    echo "expected an error that says so at $size, got:" >&2
    tail -n 20 "$log" >&2
    exit 1
  fi
  if grep -Eq 'terminate called|Aborted|Segmentation|check failed|c10::Error' "$log"; then
    echo "expected no crash at $size, got:" >&2
    tail -n 20 "$log" >&2
    exit 1
  fi
  finished=$(ls "$disk/out/stages" 2>/dev/null | grep -vc '\.tmp$' || true)
  echo "$size: $finished stages finished; $(grep '^error: ' "$log")"
  if [ "$finished" -lt "$finished_before" ]; then
    echo "expected finished stages to stay, got $finished after $finished_before" >&2
    exit 1
  fi
  finished_before=$finished
done
mount -o remount,size=256m "$disk"
"$runner" --config="$config" --out="$disk/out" --smoke >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
[ -s "$disk/out/results.json" ] || { echo "expected results.json" >&2; exit 1; }
# The same bits as with room from the start.
"$runner" --config="$config" --out="$TEST_TMPDIR/roomy" --smoke >"$log" 2>&1
cmp "$disk/out/results.json" "$TEST_TMPDIR/roomy/results.json"
