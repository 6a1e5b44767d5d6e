#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The tensor unit's arithmetic: elaboration by yosys, values of all pairs of formats with the steps
# of the smallest and of the largest chip.
set -eu
sh "$TESSERA_SOURCE_DIR/tests/rtl/need.sh" verilator yosys
rtl=$TESSERA_SOURCE_DIR/rtl
sv=$TESSERA_BINARY_DIR/generated/sv
units="$rtl/tsr_ttu_pair.sv $rtl/tsr_ttu_row.sv $rtl/tsr_ttu_accumulate.sv $rtl/tsr_ttu_dot.sv
    $TESSERA_SOURCE_DIR/tests/rtl/ttu_bench.sv"
# The large steps' model takes longer to optimise than it saves on few inputs.
count=200000
optimise=-O0
if [ -n "${TESSERA_NIGHTLY:-}" ]; then
    count=10000000
    optimise=-O1
fi

for chip in micro maia100; do
    sources="$sv/tsr_format_pkg.sv $sv/$chip/tsr_chip_pkg.sv $units"
    yosys -q -e '.*' -p "read_verilog -sv $(echo "$sources" | tr '\n' ' ');
        hierarchy -check -top ttu_bench; proc; check -assert"
    # shellcheck disable=SC2086
    sh "$TESSERA_SOURCE_DIR/tests/rtl/bench.sh" "$chip" ttu_bench $optimise -Wall \
        $sources "$TESSERA_SOURCE_DIR/tests/rtl/ttu.cpp"
    steps=$(sed -n 's/.*TILE_TTU_R\(16\|9\|6\) = \([0-9]*\);/\2/p' "$sv/$chip/tsr_chip_pkg.sv")
    # shellcheck disable=SC2086
    "$chip/Vttu_bench" "${TESSERA_COUNT:-$count}" "${TESSERA_SEED:-1}" $steps
done
