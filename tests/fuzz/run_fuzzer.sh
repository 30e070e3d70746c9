#!/usr/bin/env bash
# run_fuzzer.sh FUZZER SEED...: 30 seconds from these seeds.
set -euo pipefail
# See _ASAN_OPTIONS in tests/sanitizers/sanitized.bzl.
export ASAN_OPTIONS=allow_user_poisoning=0:detect_container_overflow=0
fuzzer=$1
shift
corpus=$(mktemp -d "${TEST_TMPDIR:-/tmp}/corpus.XXXXXX")
for seed in "$@"; do cp "$seed" "$corpus/$(sha256sum <"$seed" | cut -c1-16)"; done
cd "$(dirname "$corpus")"
"$OLDPWD/$fuzzer" -max_total_time=30 -timeout=20 -rss_limit_mb=4096 -max_len=8192 -print_final_stats=1 "$corpus"
