#!/usr/bin/env bash
# Dependencies point one way (design: common <- compiler; nothing -> experiments). Reads every BUILD file of the checkout and
# refuses an edge that is not in the table below. Visibility and layering_check prove the same at build time for the edges that
# exist; this test also catches a visibility that was opened too far.
set -euo pipefail
checkout=$(dirname "$(realpath WORKSPACE)")
cd "$checkout"

# storey: what its BUILD files may name, as prefixes of labels.
allowed() {
  case $1 in
    common) echo "//common //third_party" ;;
    compiler) echo "//common //compiler //third_party" ;;
    datasets) echo "//common //datasets //third_party" ;;
    trainers) echo "//common //datasets //trainers //third_party //compiler/runtime //compiler/objectives //compiler/schedule" ;;
    eval) echo "//common //datasets //eval //third_party" ;;
    agents) echo "//common //datasets //agents //eval/core //third_party" ;;
    experiments) echo "//common //compiler //datasets //trainers //eval //agents //experiments //tests/integration //third_party" ;;
  esac
}

bad=0
for storey in common compiler datasets trainers eval agents experiments; do
  [ -d "$storey" ] || { echo "storey $storey: expected a folder, got none"; bad=1; continue; }
  pattern="^($(allowed "$storey" | sed 's/ /|/g'))([/:]|\$)"
  while IFS=: read -r file line label; do
    if [[ ! $label =~ $pattern ]]; then echo "$file:$line: $storey may not depend on $label"; bad=1; fi
  done < <(grep -rnoE --include=BUILD '"//[a-z_][^"]*"' "$storey" | sed -E 's/"//g' | grep -vE ":(//visibility|//conditions)" || true)
done
# A trainer or a shared library that names an objective would need an edit for each new one.
if grep -rnIwiE 'dpo|ipo|simpo|mdpo|grpo|kto' trainers common --include=*.cc --include=*.h --include=*.proto --include=BUILD |
  grep -vE '_test(ing)?\.(cc|h):|/testing/|"[a-z_]*_test"'; then
  echo "the lines above name an objective; trainers know signatures only"
  bad=1
fi
exit $bad
