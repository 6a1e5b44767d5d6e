#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The tensor unit with the drain and fill path on the smallest chip: values of whole instructions.
set -eu
if ! command -v verilator >which.txt 2>&1; then
    echo "SKIPPED: rtl.ttu_unit: verilator is not installed"
    exit 77
fi
root=$TESSERA_SOURCE_DIR
sv=$TESSERA_BINARY_DIR/generated/sv
cd "$root"
out=$OLDPWD
# shellcheck disable=SC2046
verilator --cc --exe --build -O3 --x-assign fast -Wno-fatal -Wno-UNUSEDSIGNAL --noassert \
    --top-module ttu_unit_bench -Mdir "$out/obj" --output-split 20000 \
    -MAKEFLAGS "OPT_FAST=-O1 OPT_SLOW=-O0" \
    -CFLAGS "-std=c++17 -I$root -I$root/include" \
    -LDFLAGS "$TESSERA_BINARY_DIR/libtessera.a -lyaml -ljansson -lm -lpthread" \
    -I"$sv/micro" "$sv/tsr_isa_pkg.sv" "$sv/tsr_format_pkg.sv" "$sv/micro/tsr_chip_pkg.sv" \
    $(grep -E 'prim/tsr_f32|tile_pkg|tsr_bank|tsr_tsram|tsr_acc|rectangle|ttu' rtl/files.f) \
    tests/rtl/ttu_unit_bench.sv "$root/tests/rtl/ttu_unit.cpp" >"$out/build.log" 2>&1 || {
    tail -n 20 "$out/build.log" >&2
    exit 1
}
programs=60
[ -z "${TESSERA_NIGHTLY:-}" ] || programs=3000
"$out/obj/Vttu_unit_bench" "${TESSERA_COUNT:-$programs}" "${TESSERA_SEED:-1}" micro
