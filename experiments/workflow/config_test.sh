#!/usr/bin/env bash
# An experiment's file parses, all names in it exist, its graph is sound, with and without its smoke sizes, and what it
# resolves to is what its BUILD file pins: config_test.sh RUNNER CONFIG HASH.
set -euo pipefail
runner=$1 config=$2 pinned=$3
plan=$("$runner" --config="$config" --out="$TEST_TMPDIR/out" --dry_run)
"$runner" --config="$config" --out="$TEST_TMPDIR/out" --dry_run --smoke >/dev/null
resolved=$(sed -n 's/^experiment .*, resolved config //p' <<<"$plan")
if [ "$resolved" != "$pinned" ]; then
  echo "$config: resolved_hash: expected \"$pinned\" as in BUILD, got \"$resolved\"." >&2
  echo "A setting or a default changed what this experiment is; if that is meant, write the new hash into BUILD." >&2
  exit 1
fi
if [ -e "$TEST_TMPDIR/out" ]; then
  echo "a dry run wrote $TEST_TMPDIR/out" >&2
  exit 1
fi
