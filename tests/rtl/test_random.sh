#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# Random programs on the RTL of micro beside the simulator, all units at once; and that a difference
# is found and reduced to the words that show it.
set -eu
sh "$TESSERA_SOURCE_DIR/tests/rtl/harness.sh" micro
rtl=$TESSERA_BINARY_DIR/tessera-rtl-micro
# Most are short, for time's sake; some have up to 10,000 instructions.
programs=${TESSERA_COUNT:-2000}
long=40
if [ -n "${TESSERA_NIGHTLY:-}" ]; then
    programs=${TESSERA_COUNT:-100000}
    long=2000
fi
seed=${TESSERA_SEED:-1}
echo "seed $seed: repeat with TESSERA_SEED=$seed ctest -R rtl.random"

# Told wrongly what xori gives, the comparison finds it, and leaves little else.
code=0
"$rtl" random 20 --seed "$seed" --falsify xori >false.txt 2>&1 || code=$?
[ $code = 1 ] || {
    echo "a wrong value of xori: exit $code instead of 1"
    exit 1
}
for part in '^cycle .* in the RTL, .* in the simulator' 'state: .*word 0 (xori' 'of both:.* x' \
    'semaphores, RTL/simulator' '^  \*.* tcp word 0 (xori.* = 0x' '^#!seed [0-9]' \
    '^  repeat: tessera-rtl-micro run' '^  waveform: .*micro-wave run .* --wave'; do
    grep -q -e "$part" false.txt || {
        cat false.txt
        echo "the first difference's screen lacks $part"
        exit 1
    }
done
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
bad=0
run() { # NAME PROGRAMS FIRST-SEED MOST
    job=0
    share=$((($2 + jobs - 1) / jobs))
    while [ $job -lt "$jobs" ]; do
        mkdir -p "$1$job"
        first=$(($3 + share * job))
        (cd "$1$job" && "$rtl" random $share --seed $first --most "$4" --coverage bins \
            >out.txt 2>&1) &
        eval "pid$job=$!"
        job=$((job + 1))
    done
    while [ $job -gt 0 ]; do
        job=$((job - 1))
        eval "wait \$pid$job" || bad=1
        cat "$1$job/out.txt"
    done
}
run job "$programs" "$seed" 1000
[ -n "${TESSERA_COUNT:-}" ] || run long $long $((seed + 10000000)) 10000
awk '/programs in lock-step/ { p += $1; n += $5; i += $8; c += $10; m += $12 }
    END { printf "in all %d programs, %d not run, %d instructions, %d cycles, %d mismatches\n",
                 p, n, i, c, m; exit m > 0 || p == 0 }' ./*/out.txt || bad=1
sh "$TESSERA_SOURCE_DIR/tests/rtl/coverage.sh" ./*/bins || bad=1
exit $bad
