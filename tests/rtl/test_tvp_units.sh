#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The vector processor's conversions and reductions in SystemVerilog against isa/num.
set -eu
sh "$TESSERA_SOURCE_DIR/tests/rtl/need.sh" verilator
"$TESSERA_GEN" sv sv
rtl=$TESSERA_SOURCE_DIR/rtl
sh "$TESSERA_SOURCE_DIR/tests/rtl/bench.sh" obj tvp_bench -O2 -Wno-fatal \
    sv/tsr_isa_pkg.sv sv/tsr_table_pkg.sv "$rtl/prim/tsr_f32_pkg.sv" \
    "$rtl/prim/tsr_elementary_pkg.sv" "$rtl/prim/tsr_prim_pkg.sv" sv/tsr_prims.sv sv/tsr_lane.sv \
    sv/tsr_tvp_parts.sv "$rtl/tsr_tvp_load_element.sv" "$rtl/tsr_tvp_store_element.sv" \
    "$rtl/tsr_tvp_load.sv" "$rtl/tsr_tvp_store.sv" "$rtl/tsr_tvp_tree.sv" \
    "$TESSERA_SOURCE_DIR/tests/rtl/tvp_bench.sv" "$TESSERA_SOURCE_DIR/tests/rtl/tvp.cpp"
count=20000
[ -z "${TESSERA_NIGHTLY:-}" ] || count=2000000
obj/Vtvp_bench "${TESSERA_COUNT:-$count}" "${TESSERA_SEED:-1}"
