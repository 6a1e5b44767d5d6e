#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The RTL of micro beside the simulator: what the kernels' suite says.
set -eu
if ! command -v verilator >which.txt 2>&1; then
    echo "SKIPPED: rtl.lockstep: verilator is not installed"
    exit 77
fi
cmake --build "$TESSERA_BINARY_DIR" --target tessera-rtl-micro >build.txt 2>&1 || {
    tail -n 40 build.txt >&2
    exit 1
}
"$TESSERA_PROGRAM" check cast --target rtl --chip micro --shape 1x8 --json >check.json
grep -q '"mismatches": 0' check.json
