#!/usr/bin/env bash
# ./bazelw in worlds of its own: a PATH whose dpkg-query, apt-get, id, pip and bazel are scripts that record what they were asked.
set -euo pipefail
bazelw=$(realpath bazelw)
root=$(dirname "$bazelw")
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/bazelw.XXXXXX")
fail() { echo "FAILED: $*"; exit 1; }

# A world: the packages that are "installed", who "we" are, and a bazel that prints its arguments.
world() {
  rm -rf "$work/bin" "$work/cache" "$work/asked"
  mkdir -p "$work/bin" "$work/cache"
  cat >"$work/bin/dpkg-query" <<END
#!/bin/sh
for package; do case \$package in [a-z]*) grep -qx "\$package" "$work/installed" && echo "ii  \$package"; esac; done
exit 0
END
  printf '#!/bin/sh\necho "%s"\n' "$1" >"$work/bin/id"
  printf '#!/bin/sh\necho "apt-get $*" >>"%s"\n' "$work/asked" >"$work/bin/apt-get"
  printf '#!/bin/sh\necho "bazel $*"\n' >"$work/bin/bazel"
  chmod +x "$work"/bin/*
  awk '!/^#/ && NF {print $1}' "$root/third_party/packages.txt" >"$work/installed"
  mkdir -p "$work/torch/lib" && touch "$work/torch/lib/libtorch_cpu.so"
}
run() { PATH="$work/bin:$PATH" ALIDADE_CACHE="$work/cache" "$@" "$bazelw" test //x 2>&1; }

# Nothing missing: no apt, no network, straight to bazel.
world 0
out=$(run env ALIDADE_LIBTORCH="$work/torch")
[ "$out" = "bazel test --disk_cache=$work/cache/bazel //x" ] || fail "nothing missing: got '$out'"
[ ! -e "$work/asked" ] || fail "apt-get was called: $(cat "$work/asked")"

# Missing and root: one call that names all of them, with reasons.
world 0
sed -i -e '/^libre2-dev$/d' -e '/^gnuplot-nox$/d' "$work/installed"
out=$(run env ALIDADE_LIBTORCH="$work/torch")
[ "$(grep -c 'apt-get install' "$work/asked")" = 1 ] || fail "expected one install call, got $(cat "$work/asked")"
grep -q 'install.*gnuplot-nox libre2-dev' "$work/asked" || fail "expected both packages in $(cat "$work/asked")"
grep -q 'plots in reports' <<<"$out" || fail "expected the reason, got '$out'"

# Missing and not root: the exact line, exit 1.
world 1000
sed -i -e '/^libre2-dev$/d' "$work/installed"
if out=$(run env ALIDADE_LIBTORCH="$work/torch"); then fail "expected exit 1, got 0"; fi
grep -q 'sudo apt-get update && sudo apt-get install -y --no-install-recommends libre2-dev' <<<"$out" || fail "got '$out'"

# A wrong ALIDADE_LIBTORCH is named.
world 0
if out=$(run env ALIDADE_LIBTORCH="$work/nowhere"); then fail "expected exit 1, got 0"; fi
grep -q "ALIDADE_LIBTORCH: expected .*, got $work/nowhere" <<<"$out" || fail "got '$out'"

# The wheel: a download that breaks leaves no unpacked LibTorch behind, and the next start fetches again.
world 0
zip_with() { (cd "$work" && rm -rf zip && mkdir -p zip/torch/lib zip/torch/include && echo lib >zip/torch/lib/libtorch_cpu.so &&
  cd zip && python3 -m zipfile -c "$1" torch); }
real_python=$(command -v python3)
cat >"$work/bin/python3" <<END
#!/bin/sh
[ "\$2" = pip ] || exec $real_python "\$@"
echo "pip" >>"$work/asked"
if [ -e "$work/broken" ]; then echo "connection reset" >&2; exit 1; fi
while [ "\$1" != -d ]; do shift; done
mkdir -p "\$2" && cp "$work/torch.whl" "\$2/torch.whl"
END
chmod +x "$work/bin/python3"
zip_with "$work/torch.whl"
touch "$work/broken"
if out=$(run env); then fail "expected a failed download to stop, got '$out'"; fi
[ ! -e "$work/cache/libtorch" ] || fail "a failed download left $work/cache/libtorch"
rm "$work/broken"
out=$(run env)
[ -e "$work/cache/libtorch/torch/lib/libtorch_cpu.so" ] || fail "expected LibTorch unpacked, got '$out'"
before=$(grep -c pip "$work/asked")
run env >"$work/again"
[ "$(grep -c pip "$work/asked")" = "$before" ] || fail "the second start fetched again"
# An interrupted unpack (no key file) is redone.
rm "$work/cache/libtorch/.wheels"
run env >"$work/again"
[ "$(grep -c pip "$work/asked")" = "$((before + 1))" ] || fail "an unpack without its key was taken for whole"
ls -A "$work/cache" | grep -q tmp && fail "a temporary folder was left behind"
echo "all cases passed"
