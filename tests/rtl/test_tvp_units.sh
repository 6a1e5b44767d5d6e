#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The vector processor's conversions and reductions in SystemVerilog against isa/num.
set -eu
if ! command -v verilator >which.txt 2>&1; then
    echo "SKIPPED: rtl.tvp_units: verilator is not installed"
    exit 77
fi
"$TESSERA_GEN" sv sv
rtl=$TESSERA_SOURCE_DIR/rtl
verilator --cc --exe --build -O3 --x-assign fast -Wno-fatal --top-module tvp_bench -Mdir obj \
    -CFLAGS "-O2 -std=c++17 -I$TESSERA_SOURCE_DIR -I$TESSERA_SOURCE_DIR/include" \
    -LDFLAGS "$TESSERA_BINARY_DIR/libtessera.a -lyaml -ljansson -lm -lpthread" \
    sv/tsr_isa_pkg.sv sv/tsr_table_pkg.sv "$rtl/prim/tsr_f32_pkg.sv" \
    "$rtl/prim/tsr_elementary_pkg.sv" "$rtl/prim/tsr_prim_pkg.sv" sv/tsr_prims.sv sv/tsr_lane.sv \
    sv/tsr_tvp_parts.sv "$rtl/tsr_tvp_load_element.sv" "$rtl/tsr_tvp_store_element.sv" \
    "$rtl/tsr_tvp_load.sv" "$rtl/tsr_tvp_store.sv" "$rtl/tsr_tvp_tree.sv" \
    "$TESSERA_SOURCE_DIR/tests/rtl/tvp_bench.sv" "$TESSERA_SOURCE_DIR/tests/rtl/tvp.cpp" \
    >build.log 2>&1 || {
    tail -n 20 build.log >&2
    exit 1
}
count=20000
[ -z "${TESSERA_NIGHTLY:-}" ] || count=2000000
obj/Vtvp_bench "${TESSERA_COUNT:-$count}" "${TESSERA_SEED:-1}"
