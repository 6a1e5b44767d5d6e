#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The semaphores in SystemVerilog, all lanes of posts at once, against MACHINE.md's rules.
set -eu
root=$TESSERA_SOURCE_DIR
sv=$TESSERA_BINARY_DIR/generated/sv
sh "$root/tests/rtl/need.sh" verilator
sh "$root/tests/rtl/bench.sh" obj sync_bench -O0 -Wno-fatal --unroll-count 64 \
    -I"$sv/micro" "$sv/tsr_isa_pkg.sv" "$sv/tsr_format_pkg.sv" "$sv/micro/tsr_chip_pkg.sv" \
    "$root/rtl/tsr_tile_pkg.sv" "$root/rtl/tsr_semaphore.sv" "$root/rtl/tsr_sync.sv" \
    "$root/tests/rtl/sync_bench.sv" "$root/tests/rtl/sync.cpp"
count=60000
[ -z "${TESSERA_NIGHTLY:-}" ] || count=2000000
obj/Vsync_bench "${TESSERA_COUNT:-$count}" "${TESSERA_SEED:-1}"
