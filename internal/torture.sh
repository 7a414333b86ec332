#!/usr/bin/env bash
# The long forms of the tests for crashes, faults and damage, in every module;
# each fuzz target for a moment; the mutation proof. Prints packages as they end,
# then how often each thing was tried, and exits 1 if anything failed.
#
#   internal/torture.sh 20s     fuzz each target so long
set -uo pipefail
cd "$(dirname "$0")/.."
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
failed=()
run() {
  local what=$1
  shift
  echo "== $what"
  "$@" || failed+=("$what")
}
in_module() { (cd "$1" && CKPT_TORTURE=1 CKPT_TORTURE_COUNTS="$counts" go test -count 1 -timeout 8h ./...); }

for module in $(cat allmodules); do
  run "long tests of module $module" in_module "$module"
done
run "fuzz targets, ${1:-20s} each" internal/fuzz.sh "${1:-20s}"
if [ -d internal/mutate ]; then
  run "mutation proof" go run ./internal/mutate
fi

echo "== counts"
awk -F '\t' '{n[$2] += $1; if (!seen[$2, $3]++) tests[$2]++}
  END {for (what in n) printf "%12d  %s (%d tests)\n", n[what], what, tests[what]}' "$counts" | sort -k 2
printf '%12s  in all\n' "$((SECONDS / 3600))h$((SECONDS / 60 % 60))m$((SECONDS % 60))s"
for what in "${failed[@]}"; do echo "FAILED: $what"; done
[ "${#failed[@]}" = 0 ]
