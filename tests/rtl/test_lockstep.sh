#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The RTL of micro beside the simulator: random programs, every fourth with spoiled words, then what
# the kernels' suite says of units that are not built.
set -eu
if ! command -v verilator >which.txt 2>&1; then
    echo "SKIPPED: rtl.lockstep: verilator is not installed"
    exit 77
fi
cmake --build "$TESSERA_BINARY_DIR" --target tessera-rtl-micro >build.txt 2>&1 || {
    tail -n 40 build.txt >&2
    exit 1
}
programs=200
[ -z "${TESSERA_NIGHTLY:-}" ] || programs=20000
seed=${TESSERA_SEED:-1}
echo "seed $seed: repeat with TESSERA_SEED=$seed ctest -R rtl.lockstep"
"$TESSERA_BINARY_DIR/tessera-rtl-micro" random $programs --seed "$seed"
"$TESSERA_PROGRAM" check cast --target rtl --chip micro --shape 1x8 --json >check.json
grep -q '"mismatches": 0' check.json
