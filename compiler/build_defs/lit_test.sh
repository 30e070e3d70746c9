#!/bin/bash
# lit_test.sh LIT CONFIG TEST TOOL...: runs one lit test. The tools are found by their names.
set -euo pipefail
lit="$PWD/$1" config="$PWD/$2" test="$PWD/$3"
shift 3
mkdir -p "$TEST_TMPDIR/tools"
for tool in "$@"; do
  ln -sf "$(readlink -f "$tool")" "$TEST_TMPDIR/tools/$(basename "$tool")"
done
export ALIDADE_LIT_TOOLS="$TEST_TMPDIR/tools"
export ALIDADE_LIT_SUITE="${config%/*}"
# lit looks for its configuration in the folders above a test; both come to lie in one folder of links' targets.
exec "$lit" -v "$test"
