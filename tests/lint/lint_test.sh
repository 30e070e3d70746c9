#!/usr/bin/env bash
# House rules that a machine can check: length, ASCII, leftovers, file sizes, formatting of BUILD lists.
set -uo pipefail
checkout=$(dirname "$(realpath WORKSPACE)")
cd "$checkout" || exit 1
bad=0
complain() { echo "$*"; bad=1; }

files=$(git ls-files 2>/dev/null) || files=
[ -n "$files" ] || files=$(find . -path ./.git -prune -o -path './bazel-*' -prune -o -type f -print | sed 's|^\./||')
sources=$(grep -E '\.(cc|cpp|h|td|bzl|sh|mlir|proto|textproto|md|py)$|(^|/)BUILD$|^bazelw$' <<<"$files")

while read -r file; do
  [ -e "$file" ] || continue
  lines=$(wc -l <"$file")
  [ "$lines" -le 800 ] || complain "$file: expected at most 800 lines, got $lines"
  size=$(stat -c %s "$file")
  [ "$size" -le 1048576 ] || complain "$file: expected at most 1 MiB, got $size bytes"
done <<<"$files"
hits=$(xargs -r grep -nP '[^\x00-\x7F]' <<<"$sources" | head -5)
[ -z "$hits" ] || complain "expected ASCII: $hits"
hits=$(xargs -r grep -nE '\b(TO''DO|FIX''ME|XX''X|HA''CK)\b' <<<"$sources" | head -5)
[ -z "$hits" ] || complain "expected no leftovers: $hits"
hits=$(xargs -r grep -nE '(^|[^A-Za-z0-9_.])/(work|root|home)/' <<<"$sources" | head -5)
[ -z "$hits" ] || complain "expected no path of one machine: $hits"
hits=$(grep -E '\.(cc|cpp|h)$' <<<"$sources" | xargs -r grep -nE '\b(EXPECT_TRUE\(true\)|DISABLED_)' | head -5)
[ -z "$hits" ] || complain "expected tests that can fail: $hits"
hits=$(grep -E '\.h$' <<<"$sources" | xargs -r grep -L -E '^#ifndef ALIDADE_' | head -5)
[ -z "$hits" ] || complain "expected an include guard ALIDADE_...: $hits"
hits=$(grep -E '\.(cc|cpp|h)$' <<<"$sources" | xargs -r clang-format-22 --dry-run 2>&1 | grep -m 5 'warning:')
[ -z "$hits" ] || complain "expected the format of .clang-format (clang-format-22 -i FILE): $hits"
exit $bad
