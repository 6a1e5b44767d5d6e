#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The semaphores in SystemVerilog, all lanes of posts at once, against MACHINE.md's rules.
set -eu
if ! command -v verilator >which.txt 2>&1; then
    echo "SKIPPED: rtl.sync: verilator is not installed"
    exit 77
fi
root=$TESSERA_SOURCE_DIR
sv=$TESSERA_BINARY_DIR/generated/sv
verilator --cc --exe --build -O3 --x-assign fast -Wno-fatal --unroll-count 64 \
    --top-module sync_bench -Mdir obj -MAKEFLAGS "OPT_FAST=-O0 OPT_SLOW=-O0" \
    -CFLAGS "-std=c++17 -I$root -I$root/include" \
    -LDFLAGS "$TESSERA_BINARY_DIR/libtessera.a -lyaml -ljansson -lm -lpthread" \
    -I"$sv/micro" "$sv/tsr_isa_pkg.sv" "$sv/tsr_format_pkg.sv" "$sv/micro/tsr_chip_pkg.sv" \
    "$root/rtl/tsr_tile_pkg.sv" "$root/rtl/tsr_semaphore.sv" "$root/rtl/tsr_sync.sv" \
    "$root/tests/rtl/sync_bench.sv" "$root/tests/rtl/sync.cpp" >build.log 2>&1 || {
    tail -n 20 build.log >&2
    exit 1
}
count=60000
[ -z "${TESSERA_NIGHTLY:-}" ] || count=2000000
obj/Vsync_bench "${TESSERA_COUNT:-$count}" "${TESSERA_SEED:-1}"
