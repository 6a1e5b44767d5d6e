#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The RTL: verilator finds nothing to complain about on the smallest and the largest chip, nor does
# yosys on the smallest, whose warnings are errors.
set -u
sh "$TESSERA_SOURCE_DIR/tests/rtl/need.sh" verilator yosys || exit $?
cd "$TESSERA_SOURCE_DIR" || exit 1
sv=$TESSERA_BINARY_DIR/generated/sv
bad=0
packages() {
    echo "$sv/tsr_isa_pkg.sv $sv/tsr_format_pkg.sv $sv/tsr_table_pkg.sv $sv/$1/tsr_chip_pkg.sv"
}
parts="$sv/tsr_prims.sv $sv/tsr_lane.sv $sv/tsr_tvp_parts.sv"
lint() { # CHIP FILES
    chip=$1
    shift
    # shellcheck disable=SC2046
    verilator --lint-only -Wall --unroll-count 1024 --top-module tsr_tile rtl/waivers.vlt \
        -I"$sv/$chip" $(packages "$chip") "$@" $parts || bad=1
}
lint micro -f rtl/files.f
# shellcheck disable=SC2046
lint maia100 $(sed 's,rtl/tsr_ttu_dot,tests/rtl/ttu_dot_ports,' rtl/files.f)
# A module is elaborated where it stands, with its parameters there (-defer).
# shellcheck disable=SC2046
yosys -q -e '.*' -p "read_verilog -sv -defer -I$sv/micro $(packages micro) \
    $(tr '\n' ' ' <rtl/files.f) $parts;
    hierarchy -check -top tsr_tile; proc -noopt; check -assert" || bad=1
# yosys 0.23 takes an unsized '1 for 1 where a localparam is given its value.
if grep -n "localparam[^;]*= '1;" rtl/*.sv rtl/prim/*.sv "$sv"/*.sv "$sv"/*/*.sv; then
    echo "a localparam that is '1: {WIDTH{1'b1}} is the same to verilator and yosys" >&2
    bad=1
fi
exit $bad
