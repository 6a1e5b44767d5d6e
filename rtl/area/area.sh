#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# area.sh GEN [--json] [--chip CHIP [--exact]] [--isa OVERLAY]... [--base JSON]
#     [UNIT | MODULE[:A=1,B=2]]...:
# cells, area, flip-flops, memory bits and the longest path of each unit of micro (units.txt) in the
# osu018 cells (0.18 um), by yosys and opensta. Of another chip the area, scaled module by module
# (drivers.txt), or with --exact synthesised from that chip's own figures. --isa: with rows and
# formats added. README.md has the rules. The mapped netlists stay in TSR_AREA_DIR.
# Exit 2: usage, 3: an overlay that is not valid.
set -eu
gen=$1
shift
json='' chip=micro exact='' overlays='' base=''
while [ $# -gt 0 ]; do
    case $1 in
    --json) json=1 ;;
    --exact) exact=1 ;;
    --chip)
        chip=${2:-}
        shift
        ;;
    --isa)
        [ -r "${2:-}" ] || {
            echo "area: --isa: ${2:-}: no such file" >&2
            exit 3
        }
        overlays="$overlays $(realpath "$2")"
        shift
        ;;
    --base)
        grep -qs '"unit": "tile"' "${2:-}" || {
            echo "area: --base: ${2:-}: not the output of ./run area --json of all units" >&2
            exit 3
        }
        base=$2
        shift
        ;;
    -*)
        echo "area: $1: the options are --json, --chip CHIP, --exact, --isa OVERLAY and" \
            "--base JSON" >&2
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
# shellcheck disable=SC2086
"$gen" sv "$out/sv" $overlays || exit 3
sv=$out/sv
[ -e "$sv/$chip/tsr_chip_pkg.sv" ] || {
    echo "area: $chip: no such chip" >&2
    exit 2
}
[ -z "$exact" ] && of=micro || of=$chip # whose figures are synthesised
[ -z "$base" ] || { [ "$chip" = "$of" ] && grep -q "\"chip\": \"$of\"" "$base"; } || {
    echo "area: --base: $base: is of another chip, or $chip is scaled (--exact is not)" >&2
    exit 3
}

sources() {
    echo "$sv/tsr_isa_pkg.sv $sv/tsr_format_pkg.sv $sv/tsr_table_pkg.sv $sv/$of/tsr_chip_pkg.sv"
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

units() { sed 's/#.*//' "${TSR_AREA_UNITS:-$here/units.txt}" | awk 'NF { $1 = $1; print }'; }
parts_of() { units | awk -v unit="$1" '$5 == unit { print $1 }'; }

# synthesise NAME MODULE PARAMETERS HOW. The design is mapped module by module and then made flat;
# where HOW is "flat", flat from the start. Its parts are black boxes, which the timing fills in.
# abc finds equal and constant gates itself, much faster than yosys' opt would before it.
synthesise() {
    b=$out/$1 first='' boxes='' ports='' netlists=''
    [ "$4" != flat ] || first='flatten;'
    for part in $(parts_of "$1"); do
        module=$(row "$part" | cut -d' ' -f2)
        module="=*$module =*$module\\\\*"
        boxes="$boxes select -assert-min 1 $module; blackbox $module;"
        ports="$ports $out/$part.ports" netlists="$netlists $out/$part.v"
    done
    yosys -q -w 'did not match any' -p "
        read_verilog -sv -defer -I$sv/$of $(sources | tr '\n' ' ');
        hierarchy -check -top $2 $(parameters "$3"); $boxes ${boxes:+hierarchy;} proc; $first
        opt_expr; opt_clean;
        opt -nodffe -nosdff; wreduce; peepopt; opt_clean; alumacc; memory -nomap;
        memory_map -rom-only; opt_expr -full; opt_clean; techmap; dfflibmap -liberty $TSR_LIBERTY;
        abc -liberty $TSR_LIBERTY -script +strash;balance;drw;balance;map; opt_clean;
        tee -q -o $b.blocks stat -liberty $TSR_LIBERTY;
        flatten; opt_clean -purge; rename -top unit;
        tee -q -o $b.memories dump t:\$mem_v2; tee -q -o $b.stat stat -liberty $TSR_LIBERTY;
        techmap -map $here/memory.v; clean; splitnets -ports; write_blif -gates $b.blif"
    # shellcheck disable=SC2086
    awk -v limit=16 -v name="$1" -v module="$2" -v counts="$b.buffers" -v ports="$b.ports" \
        -f "$here/buffers.awk" $ports "$b.blif" >"$b.v"
    TSR_NETLIST="$netlists $b.v" TSR_TOP=unit_$(echo "$1" | tr -c 'A-Za-z0-9_\n' _) \
        sta -no_splash -exit "$here/timing.tcl" >"$b.timing"
    awk -v name="$1" -v buffers="$(cat "$b.buffers")" -f "$here/figures.awk" \
        "$TSR_LIBERTY" "$b.memories" "$b.stat" "$b.timing" >"$b.figures"
}

# row UNIT: its row of units.txt; of MODULE[:A=1,B=2] one that is no unit of its own.
row() {
    units | awk -v unit="$1" '$1 == unit { print; found = 1 } END { exit !found }' && return
    # shellcheck disable=SC2046
    grep -q "^module ${1%%:*}\$\|^module ${1%%:*} " $(sources) || return 1
    values=-
    [ "$1" = "${1#*:}" ] || values=${1#*:}
    echo "$(echo "$1" | tr ':=,' '...') ${1%%:*} $values 0 -"
}

rows=$out/rows
whole=1
[ $# -eq 0 ] || whole=
: >"$rows"
known=$(units | cut -d' ' -f1 | tr '\n' ' ')
# with each unit its parts, before it
done=' '
# shellcheck disable=SC2048
for asked in ${*:-$known}; do
    for unit in $(parts_of "$asked") $asked; do
        case $done in *" $unit "*) continue ;; esac
        done="$done$unit "
        row=$(row "$unit") || {
            echo "area: $unit: no such unit or module; the units are: $known" >&2
            exit 2
        }
        # shellcheck disable=SC2086
        set -- $row
        synthesise "$1" "$2" "$3" "${6:-}"
        echo "$4 $(cat "$out/$1.figures")" >>"$rows"
    done
done
if [ -n "$base" ]; then
    awk -v json="$json" -f "$here/chip.awk" -f "$here/price.awk" "$sv/$of/tsr_chip_pkg.sv" \
        "$base" "$rows"
elif [ "$chip" = "$of" ]; then
    awk -v json="$json" -v chip="$chip" -v whole="$whole" -f "$here/chip.awk" -f "$here/table.awk" \
        "$sv/$of/tsr_chip_pkg.sv" "$rows"
else
    # shellcheck disable=SC2046
    awk -v json="$json" -v chip="$chip" -v whole="$whole" -f "$here/chip.awk" \
        -f "$here/scale.awk" "$sv/micro/tsr_chip_pkg.sv" \
        "$sv/$chip/tsr_chip_pkg.sv" "$here/drivers.txt" "$rows" \
        $(awk -v out="$out" '{ print out "/" $2 ".blocks" }' "$rows")
fi
