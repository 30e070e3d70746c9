#!/usr/bin/env bash
# The how-to pages are followed, not only read: a block after `<!-- file: PATH -->` must be that file, to the letter, and the files
# are built and tested with everything else; every path and label that a page names must exist.
set -euo pipefail
checkout=$(dirname "$(realpath WORKSPACE)")
cd "$checkout"
bad=0
complain() { echo "$*"; bad=1; }

for page in docs/how-to/*.md; do
  while IFS= read -r path; do
    [ -f "$path" ] || { complain "$page: names $path, which does not exist"; continue; }
    block=$(awk -v mark="<!-- file: $path -->" '$0 == mark {found = 1; next} found && /^```/ {if (inside) exit; inside = 1; next} inside' "$page")
    [ "$block" = "$(cat "$path")" ] || { complain "$page: the block of $path differs from the file:"; diff <(echo "$block") "$path" || true; }
  done < <(sed -nE 's/^<!-- file: (.*) -->$/\1/p' "$page")
  while IFS= read -r link; do
    target=$(dirname "$page")/${link%%#*}
    [ -e "$target" ] || complain "$page: links to $link, which does not exist"
  done < <(grep -oE '\]\([^)h][^)]*\)' "$page" | sed -E 's/^\]\(//; s/\)$//')
done
[ "$(ls docs/how-to/*.md | wc -l)" -ge 4 ] || complain "expected pages for objective, dataset, benchmark and experiment"

# The README's links.
while IFS= read -r link; do
  [ -e "$link" ] || complain "README.md: links to $link, which does not exist"
done < <(grep -oE '\]\([^)h][^)]*\)' README.md | sed -E 's/^\]\(//; s/\)$//')
exit $bad
