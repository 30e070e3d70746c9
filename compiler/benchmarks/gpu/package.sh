#!/usr/bin/env bash
# usage: package.sh FOLDER
# Builds what the GPU check needs and puts it into FOLDER, which must not exist: programs (stripped), the libraries that a
# machine with PyTorch may lack, cases with their expected results, scripts. Nothing in it needs Bazel, MLIR or a network.
# Wheels of the peers go beside it by hand: FOLDER/wheels (run.sh says which).
set -euo pipefail
die() { echo "package.sh: $*" >&2; exit 1; }
[ $# = 1 ] || { sed -n 2,5p "$0" | cut -c3- >&2; exit 2; }
[ ! -e "$1" ] || die "expected a folder that does not exist, got $1"
limit_mib=64
mkdir -p "$1"
out=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$here/../../.." && pwd)
cd "$checkout"

bazel=${ALIDADE_BAZEL:-./bazelw}
$bazel build //compiler/benchmarks/gpu:gpu_check //compiler/benchmarks/gpu:step_timing //compiler/benchmarks/gpu:write_cases
programs=bazel-bin/compiler/benchmarks/gpu

mkdir "$out/bin" "$out/lib" "$out/cases"
for program in gpu_check step_timing; do
  strip -o "$out/bin/$program" "$programs/$program"
done
"$programs/write_cases" "$checkout" "$out/cases" >"$out/objectives.txt"

# Everything but glibc, PyTorch and what comes with PyTorch; the C++ library, too, as ours may be newer.
for program in "$out"/bin/*; do ldd "$program"; done | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  grep -vE '/(libtorch|libc10|libcud|libcupti|libcu[a-z]+|libnv|libc\.so|libm\.so|libdl\.so|librt\.so|libutil\.so|libpthread\.so)' |
  while read -r library; do
    strip -o "$out/lib/$(basename "$library")" "$library"
  done
for program in "$out"/bin/*; do
  ! readelf -d "$program" | grep -qE 'NEEDED.*(MLIR|LLVM)' || die "$program: expected no dependency on MLIR or LLVM"
done

cp "$here/run.sh" "$here/peers.py" "$here/report.py" "$out/"
{
  echo "commit $(git rev-parse HEAD 2>/dev/null || echo unknown)"
  echo "glibc $(objdump -T "$out"/bin/* "$out"/lib/* 2>/dev/null | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -1) or later"
} >"$out/about.txt"

size=$(du -sm "$out" | cut -f1)
[ "$size" -lt "$limit_mib" ] || die "expected less than $limit_mib MiB, got $size MiB in $out"
cat "$out/about.txt"
echo "$size MiB, $(wc -l <"$out/objectives.txt") objectives: $out"
