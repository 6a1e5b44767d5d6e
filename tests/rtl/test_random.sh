#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# Random programs on the RTL of micro beside the simulator, all units at once; and that a difference
# is found and reduced to the words that show it.
set -eu
if ! command -v verilator >which.txt 2>&1; then
    echo "SKIPPED: rtl.random: verilator is not installed"
    exit 77
fi
cmake --build "$TESSERA_BINARY_DIR" --target tessera-rtl-micro >build.txt 2>&1 || {
    tail -n 40 build.txt >&2
    exit 1
}
rtl=$TESSERA_BINARY_DIR/tessera-rtl-micro
programs=${TESSERA_COUNT:-600}
[ -z "${TESSERA_NIGHTLY:-}" ] || programs=100000
seed=${TESSERA_SEED:-1}
echo "seed $seed: repeat with TESSERA_SEED=$seed ctest -R rtl.random"

# Told wrongly what xori gives, the comparison finds it, and leaves little else.
code=0
"$rtl" random 20 --seed "$seed" --falsify xori >false.txt 2>&1 || code=$?
[ $code = 1 ] || {
    echo "a wrong value of xori: exit $code instead of 1"
    exit 1
}
reduced=$(ls tessera-rtl-micro-*.s)
grep -q xori "$reduced"
lines=$(grep -vc '^#' "$reduced")
[ "$lines" -le 12 ] || {
    cat "$reduced"
    echo "reduced to $lines lines, at most 12 are expected"
    exit 1
}

# As many processes as there are processors, at most four.
jobs=$(nproc)
[ "$jobs" -le 4 ] || jobs=4
share=$(((programs + jobs - 1) / jobs))
bad=0
job=0
while [ $job -lt "$jobs" ]; do
    mkdir -p "job$job"
    first=$((seed + share * job))
    (cd "job$job" && "$rtl" random $share --seed $first --coverage bins >out.txt 2>&1) &
    eval "pid$job=$!"
    job=$((job + 1))
done
while [ $job -gt 0 ]; do
    job=$((job - 1))
    eval "wait \$pid$job" || bad=1
    cat "job$job/out.txt"
done
awk '/programs in lock-step/ { p += $1; n += $5; i += $8; c += $10; m += $12 }
    END { printf "in all %d programs, %d not run, %d instructions, %d cycles, %d mismatches\n",
                 p, n, i, c, m; exit m > 0 || p == 0 }' job*/out.txt || bad=1
sh "$TESSERA_SOURCE_DIR/tests/rtl/coverage.sh" job*/bins || bad=1
exit $bad
