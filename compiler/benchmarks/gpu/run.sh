#!/usr/bin/env bash
# usage: run.sh [--results=FOLDER] [parity|sanitizer|timing|peers|report ...]
# The GPU check, on a machine with one NVIDIA GPU and a PyTorch 2.11 for CUDA 13; package.sh made the folder it lies in.
# Without stage names it runs all of them, in this order:
#   parity     every objective, f32 and bf16, every exact schedule, against the f64 interpreter        about 3 minutes
#   sanitizer  the same at small size under compute-sanitizer: memcheck, racecheck, synccheck           about 6 minutes
#   timing     our DPO step and its parts beside the same GEMMs alone                                   about 6 minutes
#   peers      eager, torch.compile, TRL's fused head, Liger at the same shapes and data                about 8 minutes
#   report     the table of what was measured, RESULTS/table.md
# A stage that fails does not keep the next from running; each has a time limit (ALIDADE_STAGE_SECONDS, default 540).
# ALIDADE_LIBTORCH: the torch folder of the PyTorch to use; default: that of python3 (ALIDADE_PYTHON).
# ALIDADE_SHAPES: shapes of the timing, see step_timing.cc. ALIDADE_ITERATIONS: default 30.
# wheels/*.whl beside this script (trl, liger_kernel) are put before Python's own packages; absent ones are skipped with a
# message:  python3 -m pip download --no-deps -d wheels trl==1.16.0 liger-kernel==0.8.5
# Exit: 0 all good; 1 something failed; 2 usage; 3 no GPU.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
results=$here/results
stages=()
for arg; do
  case $arg in
    --results=*) results=${arg#*=} ;;
    parity | sanitizer | timing | peers | report) stages+=("$arg") ;;
    *) sed -n 2,15p "$0" | cut -c3- >&2; echo "run.sh: got '$arg'" >&2; exit 2 ;;
  esac
done
[ ${#stages[@]} -gt 0 ] || stages=(parity sanitizer timing peers report)
say() { echo "run.sh: $*"; }
python=${ALIDADE_PYTHON:-python3}
seconds=${ALIDADE_STAGE_SECONDS:-540}
iterations=${ALIDADE_ITERATIONS:-30}
# Pairs x length x hidden x vocabulary; the first is the one of which goals are stated.
shapes=${ALIDADE_SHAPES:-"4x2048x4096x128256 4x2048x4096x128256/25 4x2048x4096x128256/peaked 4x2048x4096x32000 4x2048x3584x152064 \
4x2048x2048x151936 1x8192x4096x128256 16x512x4096x128256 1x256x4096x128256"}

torch=${ALIDADE_LIBTORCH:-$($python -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null)}
[ -n "$torch" ] && [ -e "$torch/lib/libtorch_cpu.so" ] || {
  say "expected a PyTorch at ALIDADE_LIBTORCH or importable by $python, got '$torch'" >&2
  exit 2
}
# PyTorch's own libraries first, NVIDIA's that came with it, ours last but for what nobody else has.
path=$torch/lib
for folder in "$torch"/../nvidia/*/lib; do
  [ ! -d "$folder" ] || path+=:$folder
done
libraries=$path:$here/lib

# Runs one of our programs. LD_LIBRARY_PATH stays out of the tools around it.
ours() { env LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$@"; }

mkdir -p "$results"
# Says at once, and clearly, when there is no GPU.
if [ "${stages[*]}" != report ]; then
  ours "$here/bin/gpu_check" --cases="$here/cases" --only=dpo --quick >"$results/first.log" 2>&1
  status=$?
  [ $status != 3 ] || { cat "$results/first.log" >&2; say "no GPU: nothing was run" >&2; exit 3; }
  # Anything else is shown by the stages, each in its own terms.
  [ $status = 0 ] || cat "$results/first.log"
  {
    cat "$here/about.txt"
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv
    $python -c 'import sys, torch; print("python", sys.version.split()[0], "torch", torch.__version__)'
  } >"$results/machine.txt" 2>&1
fi

# Clocks, temperature and power during the timing; nothing of the card is changed.
watch_card() {
  nvidia-smi --query-gpu=timestamp,clocks.sm,temperature.gpu,power.draw --format=csv,noheader,nounits -lms 500 \
    >>"$results/card.csv" 2>/dev/null &
  watcher=$!
}
stop_watching() { kill "$watcher" 2>/dev/null; wait "$watcher" 2>/dev/null; }

stage_parity() {
  ours timeout "$seconds" "$here/bin/gpu_check" --cases="$here/cases" 2>&1 | tee "$results/parity.log"
}

stage_sanitizer() {
  command -v compute-sanitizer >/dev/null || { say "skipped: no compute-sanitizer here"; return 0; }
  local bad=0 tool
  for tool in memcheck racecheck synccheck; do
    # Memory comes straight from the driver, so that no access hides inside a larger cached block.
    ours env PYTORCH_NO_CUDA_MEMORY_CACHING=1 timeout $((seconds / 3)) compute-sanitizer --tool $tool --error-exitcode 9 \
      --launch-timeout 120 "$here/bin/gpu_check" --cases="$here/cases" --quick 2>&1 | tee "$results/$tool.log" | tail -40
    local status=${PIPESTATUS[0]}
    [ "$status" != 124 ] || say "$tool: ran out of time; what it had checked until then is in $results/$tool.log"
    [ "$status" = 0 ] || { say "$tool: exit $status"; bad=1; }
  done
  return $bad
}

# The same stage for several shapes within the stage's time; shapes that no time is left for are named.
for_shapes() {
  local log=$1 bad=0 shape end=$((SECONDS + seconds)) left
  shift
  for shape in $shapes; do
    left=$((end - SECONDS))
    [ $left -gt 20 ] || { say "no time left for $shape"; bad=1; continue; }
    say "$shape"
    timeout "$left" "$@" --shape="$shape" --iterations="$iterations" >>"$results/$log" ||
      { say "$shape: exit $?"; bad=1; }
  done
  return $bad
}

stage_timing() {
  : >"$results/timing.jsonl"
  watch_card
  for_shapes timing.jsonl env LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$here/bin/step_timing"
  local status=$?
  stop_watching
  return $status
}

stage_peers() {
  : >"$results/peers.jsonl"
  local site=$results/site
  if ls "$here"/wheels/*.whl >/dev/null 2>&1 && [ ! -d "$site" ]; then
    $python -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" "$here"/wheels/*.whl ||
      say "the wheels could not be installed; peers that need them are skipped"
  fi
  watch_card
  for_shapes peers.jsonl env PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 $python "$here/peers.py"
  local status=$?
  stop_watching
  return $status
}

stage_report() {
  $python "$here/report.py" "$results" >"$results/table.md" && cat "$results/table.md"
}

failed=()
for stage in "${stages[@]}"; do
  say "$stage"
  began=$SECONDS
  "stage_$stage" || failed+=("$stage")
  say "$stage: $((SECONDS - began)) s"
done
[ ${#failed[@]} = 0 ] || { say "failed: ${failed[*]}; logs in $results" >&2; exit 1; }
say "all good; results in $results"
