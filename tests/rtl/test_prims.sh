#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The lane primitives in SystemVerilog and the generated lane: lint, elaboration, values.
set -eu
sh "$TESSERA_SOURCE_DIR/tests/rtl/need.sh" verilator yosys
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
sh "$TESSERA_SOURCE_DIR/tests/rtl/bench.sh" obj bench -O2 -Wno-fatal \
    $sources bench.sv "$TESSERA_SOURCE_DIR/tests/rtl/prims.cpp"
count=1000000
[ -z "${TESSERA_NIGHTLY:-}" ] || count=10000000
obj/Vbench "${TESSERA_COUNT:-$count}" "${TESSERA_SEED:-1}"
