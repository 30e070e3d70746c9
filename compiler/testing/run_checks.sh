#!/bin/sh
# usage: run_checks.sh CHECKS parity|gradient|invalid|property|simt DEFINITION GOLDEN
# Runs the checks of one kind of an objective's check binary.
set -eu
case $2 in
  parity) filter='Parity.*' ;;
  gradient) filter='Gradient.*' ;;
  invalid) filter='Invalid.*' ;;
  property) filter='Property.*' ;;
  simt) filter='Simt.*' ;;
  *) echo "run_checks.sh: expected parity, gradient, invalid, property or simt, got '$2'" >&2; exit 2 ;;
esac
exec "$1" --gtest_filter="$filter" --definition="$3" --golden="$4"
