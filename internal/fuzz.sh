#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time, two at a time, and
# prints a line for each: package, target, executions, result. Exits 1 if one
# found something; the input then lies in the package's testdata/fuzz.
#
#   internal/fuzz.sh 10m              all of them
#   internal/fuzz.sh 1m 'Proto|State' those whose names match
#   internal/fuzz.sh list             only say which there are
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10m} which=${2:-.}
one() {
  pkg=$1 target=$2 time=$3
  log=$(mktemp)
  result=ok
  go test "$pkg" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10s -parallel 1 >"$log" 2>&1 || result=FAILED
  execs=$(grep -o 'execs: [0-9]*' "$log" | tail -n 1 | grep -o '[0-9]*' || echo 0)
  echo "$pkg $target $execs $result"
  if [ "$result" = FAILED ]; then cat "$log" >&2; fi
  rm -f "$log"
  [ "$result" = ok ]
}
export -f one
targets() {
  git ls-files -co --exclude-standard '*_test.go' | xargs grep -o '^func Fuzz[A-Za-z0-9]*' |
    sed -E 's|^(.*)/[^/]*:func (Fuzz.*)$|./\1 \2|' | { grep -E " [A-Za-z]*($which)" || true; }
}
if [ "$time" = list ]; then
  targets
  exit
fi
targets |
  xargs -P 2 -L 1 bash -c 'one "$0" "$1" "'"$time"'"'
