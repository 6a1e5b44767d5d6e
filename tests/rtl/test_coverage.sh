#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# What random programs (longer than those of rtl.random), those of rtl.edges and the ones by hand
# of rtl.lockstep reach, counted from the simulator alone, which is quick: the kinds of events are
# those that these tests compare with the RTL's. Names the bins that were missed; nightly misses
# none.
set -eu
sh "$TESSERA_SOURCE_DIR/tests/rtl/harness.sh" micro
programs=2000
every=8
wanted=99
if [ -n "${TESSERA_NIGHTLY:-}" ]; then
    programs=100000
    every=1
    wanted=100
fi
seed=${TESSERA_SEED:-1}
echo "seed $seed: repeat with TESSERA_SEED=$seed ctest -R rtl.coverage"
"$TESSERA_BINARY_DIR/tessera-rtl-micro" random "${TESSERA_COUNT:-$programs}" --seed "$seed" \
    --sim-only --coverage bins.random
"$TESSERA_BINARY_DIR/tessera-rtl-micro" edges all --every $every --sim-only --coverage bins.edges
for program in single overlap loops fill beside conflict; do
    "$TESSERA_BINARY_DIR/tessera-rtl-micro" run "$TESSERA_SOURCE_DIR/tests/rtl/$program.s" \
        --sim-only --coverage bins.$program
done
sh "$TESSERA_SOURCE_DIR/tests/rtl/coverage.sh" bins.* | tee report.txt
awk -v wanted=$wanted '/in all/ { for (i = 1; i <= NF; i++) if ($i == "in") at = i
    share = $(at + 2) / $(at + 4); exit !(100 * share >= wanted) }' report.txt || {
    echo "less than $wanted % of the bins were hit"
    exit 1
}
