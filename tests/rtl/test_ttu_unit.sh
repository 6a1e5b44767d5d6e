#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The tensor unit with the drain and fill path on the smallest chip: values of whole instructions.
set -eu
root=$TESSERA_SOURCE_DIR
sv=$TESSERA_BINARY_DIR/generated/sv
sh "$root/tests/rtl/need.sh" verilator
units='prim/tsr_f32|tile_pkg|tsr_bank|tsr_tsram|tsr_acc|rectangle|ttu'
files=$(grep -E "$units" "$root/rtl/files.f" | sed "s,^,$root/,")
# shellcheck disable=SC2086
sh "$root/tests/rtl/bench.sh" obj ttu_unit_bench -O1 -Wno-fatal -Wno-UNUSEDSIGNAL --noassert \
    --output-split 20000 -I"$sv/micro" "$sv/tsr_isa_pkg.sv" "$sv/tsr_format_pkg.sv" \
    "$sv/micro/tsr_chip_pkg.sv" $files "$root/tests/rtl/ttu_unit_bench.sv" \
    "$root/tests/rtl/ttu_unit.cpp"
programs=60
[ -z "${TESSERA_NIGHTLY:-}" ] || programs=3000
obj/Vttu_unit_bench "${TESSERA_COUNT:-$programs}" "${TESSERA_SEED:-1}" micro
