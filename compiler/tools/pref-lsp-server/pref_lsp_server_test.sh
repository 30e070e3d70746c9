#!/usr/bin/env bash
# Speaks the language server protocol to the server: JSON-RPC with Content-Length headers over a pipe.
#   pref_lsp_server_test.sh SERVER OBJECTIVE.mlir GRAMMAR.json
set -euo pipefail
server=$1 objective=$2 grammar=$3
bad=0
complain() { echo "$*"; bad=1; }

message() { printf 'Content-Length: %d\r\n\r\n%s' "${#1}" "$1"; }
request() { message "{\"jsonrpc\":\"2.0\",\"id\":$1,\"method\":\"$2\",\"params\":$3}"; }
notify() { message "{\"jsonrpc\":\"2.0\",\"method\":\"$1\",\"params\":$2}"; }
quote() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/\t/\\t/g' <<<"$1" | awk '{printf "%s\\n", $0}'; }
open() { notify textDocument/didOpen "{\"textDocument\":{\"uri\":\"$1\",\"languageId\":\"mlir\",\"version\":1,\"text\":\"$(quote "$2")\"}}"; }
at() { echo "{\"textDocument\":{\"uri\":\"$1\"},\"position\":{\"line\":$2,\"character\":$3}}"; }

text=$(cat "$objective")
# Where the first sum over tokens is, and where its operand is defined; lines count from 0.
use=$(grep -nE -m 1 'pref\.sum %[a-z_0-9]+ over token' "$objective")
use_line=$((${use%%:*} - 1))
operand=$(sed -E 's/.*pref\.sum (%[a-z_0-9]+) .*/\1/' <<<"$use")
before=${use#*:}
before=${before%%pref.sum*}
use_column=$((${#before} + 10))
definition_line=$(($(grep -nE -m 1 "^ *$operand = " "$objective" | cut -d: -f1) - 1))

broken='pref.objective @broken {
  %p = pref.logprob policy(chosen)
  %q = pref.logprob policy(rejected)
  %sum = pref.add %p, %q
  %s = pref.sum %sum over token
  %loss = pref.mean %s over row
  pref.yield %loss
}'
mended=${broken/policy(rejected)/reference(chosen)}

answers=$({
  request 1 initialize '{"processId":null,"rootUri":null,"capabilities":{}}'
  notify initialized '{}'
  open file:///objective.mlir "$text"
  request 2 textDocument/hover "$(at file:///objective.mlir "$use_line" $((use_column - 6)))"
  request 3 textDocument/definition "$(at file:///objective.mlir "$use_line" "$use_column")"
  request 4 textDocument/references "{\"textDocument\":{\"uri\":\"file:///objective.mlir\"},\"position\":{\"line\":$definition_line,\"character\":3},\"context\":{\"includeDeclaration\":true}}"
  open file:///broken.mlir "$broken"
  notify textDocument/didChange "{\"textDocument\":{\"uri\":\"file:///broken.mlir\",\"version\":2},\"contentChanges\":[{\"text\":\"$(quote "$mended")\"}]}"
  request 5 shutdown null
  notify exit null
} | "$server" --log=error | sed -e 's/Content-Length: [0-9]*\r*/\n/g' | tr -d '\r' | grep '^{')

# The answer of a request; the diagnostics of a version of a document.
answer() { grep "\"id\":$1\b" <<<"$answers" || true; }
diagnostics() { grep publishDiagnostics <<<"$answers" | grep "$1" | grep "\"version\":$2\b" || true; }
expect() {
  [[ $3 =~ $2 ]] || complain "$1: expected $2, got: $3"
}

expect initialize '"hoverProvider":true' "$(answer 1)"
expect 'the objective has no errors' '"diagnostics":\[\]' "$(diagnostics objective.mlir 1)"
expect hover 'pref\.sum' "$(answer 2)"
expect definition "\"start\":\{\"character\":[0-9]+,\"line\":$definition_line\}" "$(answer 3)"
expect references "\"line\":$use_line\}" "$(answer 4)"
expect 'the mistake is found' '"severity":1' "$(diagnostics broken.mlir 1)"
expect 'the mistake is found at its line' '"start":\{"character":[0-9]+,"line":3\}' "$(diagnostics broken.mlir 1)"
expect 'the mistake is gone' '"diagnostics":\[\]' "$(diagnostics broken.mlir 2)"
expect shutdown '"result":null' "$(answer 5)"

# Every operation of the objective is coloured by the grammar's pattern for operations.
pattern=$(sed -nE '/"operation": \{/,/\}/s/.*"match": "(.*)",$/\1/p' "$grammar" | sed 's/\\\\/\\/g')
[ -n "$pattern" ] || complain "$grammar: expected a pattern for operations"
plain=$(grep -oE 'pref\.[a-z_0-9]+' "$objective" | sort -u)
coloured=$(grep -oP "$pattern" "$objective" | sort -u)
[ "$plain" = "$coloured" ] || complain "$grammar: expected the operations $plain, got $coloured"
exit $bad
