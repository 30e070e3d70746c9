#!/usr/bin/env bash
# Runs one experiment: run.sh CONFIG [flags of the runner]. CONFIG is a path from the repository's root; the build passes it.
set -euo pipefail
runfiles=${RUNFILES_DIR:-$0.runfiles}
if [ $# -eq 0 ]; then
  echo "error: expected the experiment's file; start this through \`bazel run\`" >&2
  exit 1
fi
config=$runfiles/alidade/$1
shift
# In the checkout the same file has a name that a person recognises in a message.
if [ -e "${BUILD_WORKSPACE_DIRECTORY:-/nonexistent}/${config#"$runfiles"/alidade/}" ]; then
  config=$BUILD_WORKSPACE_DIRECTORY/${config#"$runfiles"/alidade/}
fi
exec "$runfiles/alidade/experiments/workflow/run" --config="$config" "$@"
