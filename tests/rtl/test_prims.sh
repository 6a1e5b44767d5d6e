#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The lane primitives in SystemVerilog and the generated lane: lint, elaboration, values.
set -eu
for tool in verilator yosys; do
    if ! command -v "$tool" >which.txt 2>&1; then
        echo "SKIPPED: rtl.prims: $tool is not installed"
        exit 77
    fi
done
"$TESSERA_GEN" sv sv
rtl=$TESSERA_SOURCE_DIR/rtl
sources="sv/tsr_isa_pkg.sv sv/tsr_table_pkg.sv $rtl/prim/tsr_f32_pkg.sv
    $rtl/prim/tsr_elementary_pkg.sv $rtl/prim/tsr_prim_pkg.sv sv/tsr_prims.sv sv/tsr_lane.sv"

# shellcheck disable=SC2086
verilator --lint-only -Wall --top-module tsr_lane $sources
yosys -q -e '.*' -p "read_verilog -sv $(echo "$sources" | tr '\n' ' ');
    hierarchy -check -top tsr_lane; proc; opt; check -assert"

latencies=$(sed -n 's/^  output logic \[31:0\] d\([0-9]*\)_o,*$/\1/p' sv/tsr_lane.sv | tr '\n' ' ')
awk -v latencies="$latencies" -f "$TESSERA_SOURCE_DIR/tests/rtl/prims.awk" sv/tsr_prims.sv

# shellcheck disable=SC2086
verilator --cc --exe --build -O3 --x-assign fast -Wno-fatal --top-module bench -Mdir obj \
    -CFLAGS "-O2 -I$TESSERA_SOURCE_DIR -I$TESSERA_SOURCE_DIR/include -I$PWD" \
    -LDFLAGS "$TESSERA_BINARY_DIR/libtessera.a -lyaml -ljansson -lm -lpthread" \
    $sources bench.sv "$TESSERA_SOURCE_DIR/tests/rtl/prims.cpp" >build.log 2>&1 || {
    tail -n 20 build.log >&2
    exit 1
}
count=1000000
[ -z "${TESSERA_NIGHTLY:-}" ] || count=10000000
obj/Vbench "${TESSERA_COUNT:-$count}" "${TESSERA_SEED:-1}"
