#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# area.sh GEN [--json] [--chip CHIP] [UNIT...]: cells, area, flip-flops, memory bits and the longest
# path of each unit of micro (units.txt) in the osu018 cells (0.18 um), by yosys and opensta; of
# another chip the area, scaled module by module (drivers.txt). README.md has the rules. The mapped
# netlists stay in TSR_AREA_DIR.
set -eu
gen=$1
shift
json='' chip=micro
while [ $# -gt 0 ]; do
    case $1 in
    --json) json=1 ;;
    --chip)
        chip=${2:-}
        shift
        ;;
    -*)
        echo "area: $1: the options are --json and --chip CHIP" >&2
        exit 2
        ;;
    *) break ;;
    esac
    shift
done
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${TSR_AREA_DIR:-$root/build/area}
TSR_LIBERTY=${TSR_LIBERTY:-/usr/share/qflow/tech/osu018/osu018_stdcells.lib}
export TSR_LIBERTY
mkdir -p "$out"
"$gen" sv "$out/sv"
sv=$out/sv
[ -e "$sv/$chip/tsr_chip_pkg.sv" ] || {
    echo "area: $chip: no such chip" >&2
    exit 2
}

sources() {
    echo "$sv/tsr_isa_pkg.sv $sv/tsr_format_pkg.sv $sv/tsr_table_pkg.sv $sv/micro/tsr_chip_pkg.sv"
    sed "s,^,$root/," "$root/rtl/files.f"
    echo "$sv/tsr_prims.sv $sv/tsr_lane.sv $sv/tsr_tvp_parts.sv"
}

# -chparam arguments of "A=1,B=NAME"; - for none.
parameters() {
    [ "$1" != - ] || return 0
    echo "$1" | tr ',' '\n' | while IFS='=' read -r name value; do
        case $value in
        SLOTS*) value=$(sed -n "s/.* $value = \([0-9]*\);.*/\1/p" "$sv/tsr_isa_pkg.sv") ;;
        esac
        echo "-chparam $name $value"
    done | tr '\n' ' '
}

# synthesise NAME MODULE PARAMETERS. The design is mapped module by module and then made flat.
synthesise() {
    b=$out/$1
    yosys -q -p "read_verilog -sv -defer -I$sv/micro $(sources | tr '\n' ' ');
        hierarchy -check -top $2 $(parameters "$3"); proc; opt_expr; opt_clean;
        opt -nodffe -nosdff; wreduce; peepopt; opt_clean; alumacc; memory -nomap; opt_clean;
        memory_map -rom-only; opt -fast -full; techmap; opt -fast; dfflibmap -liberty $TSR_LIBERTY;
        abc -liberty $TSR_LIBERTY -script +strash;balance;rewrite;balance;map; opt_clean;
        tee -q -o $b.blocks stat -liberty $TSR_LIBERTY;
        flatten; opt_clean -purge; rename -top unit;
        tee -q -o $b.memories dump t:\$mem_v2; tee -q -o $b.stat stat -liberty $TSR_LIBERTY;
        techmap -map $here/memory.v; clean; splitnets -ports; write_blif -gates $b.blif"
    awk -v limit=16 -v counts="$b.buffers" -f "$here/buffers.awk" "$b.blif" >"$b.v"
    TSR_NETLIST=$b.v sta -no_splash -exit "$here/timing.tcl" >"$b.timing"
    awk -v name="$1" -v buffers="$(cat "$b.buffers")" -f "$here/figures.awk" \
        "$TSR_LIBERTY" "$b.memories" "$b.stat" "$b.timing" >"$b.figures"
}

units() { sed 's/#.*//' "$here/units.txt" | awk 'NF'; }

rows=$out/rows
: >"$rows"
known=$(units | cut -d' ' -f1 | tr '\n' ' ')
for unit in ${*:-$known}; do
    # shellcheck disable=SC2046
    set -- $(units | awk -v unit="$unit" '$1 == unit')
    if [ $# -eq 0 ]; then
        echo "area: $unit: no such unit; there are: $known" >&2
        exit 2
    fi
    synthesise "$1" "$2" "$3"
    echo "$4 $(cat "$out/$1.figures")" >>"$rows"
done
if [ "$chip" = micro ]; then
    awk -v json="$json" -v chip="$chip" -f "$here/table.awk" "$rows"
else
    # shellcheck disable=SC2046
    awk -v json="$json" -v chip="$chip" -f "$here/scale.awk" "$sv/micro/tsr_chip_pkg.sv" \
        "$sv/$chip/tsr_chip_pkg.sv" "$here/drivers.txt" "$rows" \
        $(awk -v out="$out" '{ print out "/" $2 ".blocks" }' "$rows")
fi
