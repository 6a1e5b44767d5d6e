#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutate.sh BUILD OUT N SEED [UNIT...]: how many of N mutants (yosys mutate) of each unit of micro
# the random programs notice in lock-step. All mutants stand in one model, TESSERA_MUTANT says which
# is awake (mutant.cpp). BUILD: a directory of the default preset, with tessera-rtl-micro built.
# TESSERA_MUTATE_PROGRAMS programs (12) of seeds 1, 2, ... for each mutant. Prints a line per unit;
# OUT/results has a line per mutant, OUT/survivors what the survivors are.
set -eu
build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
n=$3 seed=$4
shift 4
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
sv=$build/generated/sv
programs=${TESSERA_MUTATE_PROGRAMS:-12}
packages="$sv/tsr_isa_pkg.sv $sv/tsr_format_pkg.sv $sv/tsr_table_pkg.sv $sv/micro/tsr_chip_pkg.sv"
parts="$sv/tsr_prims.sv $sv/tsr_lane.sv $sv/tsr_tvp_parts.sv"
rtl=$out/tessera-rtl-mutants

# One mutant: "NUMBER killed", "NUMBER survived", or "NUMBER undecided" if the time was too short.
try() {
    dir=$out/at.$1 code=0
    mkdir -p "$dir"
    (cd "$dir" && TESSERA_MUTANT=$1 timeout "${TESSERA_MUTATE_SECONDS:-300}" "$rtl" random \
        "$programs" --seed 1 >said 2>&1) || code=$?
    case $code in
    0) echo "$1 survived" ;;
    124) echo "$1 undecided" ;;
    *) echo "$1 killed" ;;
    esac
    rm -rf "$dir"
}
if [ "${TESSERA_MUTATE_ONE:-}" ]; then
    try "$TESSERA_MUTATE_ONE"
    exit
fi

[ $# -gt 0 ] || set -- tcp sync acc tdma tvp ttu

# mutants UNIT FIRST: numbers FIRST + 1 and on. OUT/UNIT.sv stands in place of
# rtl/tsr_UNIT.sv; OUT/UNIT.list says what they are.
mutants() {
    module=tsr_$1 values=
    values=$(awk -v m="$module" '$2 == m && $3 != "-" { print $3 }' rtl/area/units.txt)
    given=$(echo "$values" | sed 's/\([A-Z]\)/ -chparam \1/g; s/[=,]/ /g')
    yosys -q -p "read_verilog -sv -defer -nosynthesis -I$sv/micro $packages
        $(tr '\n' ' ' <rtl/files.f) $parts;
        hierarchy -check -top $module $given;
        proc -norom; opt_expr; opt_clean; rename -top tsr_top;
        mutate -list $n -seed $seed -ctrl mutsel 16 1 -o $out/$1.list; script $out/$1.list;
        write_verilog -noattr $out/$1.v"
    sed "s/tsr_top/$module/" "$out/$1.v" >"$out/$1.named.v"
    awk -v top="$module" -v parameters="$values" -v first="$2" -f tests/rtl/mutate.awk \
        "$out/$1.named.v" "$out/$1.named.v" >"$out/$1.sv"
}

cp rtl/files.f "$out/files.f"
first=0
for unit; do
    [ -s "$out/$unit.sv" ] || mutants "$unit" $first
    sed -i "s,^rtl/tsr_$unit.sv,$out/$unit.sv," "$out/files.f"
    first=$((first + 1000))
done
[ -x "$out/tessera-rtl-mutants" ] ||
    TESSERA_RTL_FILES=$out/files.f sh tests/rtl/build.sh "$out/tessera-rtl-mutants" micro "$sv" \
        "$build/libtessera.a" "$(find "$build/tests/rtl" -name record.c.o)" \
        tests/rtl/mutant.cpp
(cd "$out" && "$rtl" random "$programs" --seed 1 >none.txt) || {
    echo "mutate: without a mutant the programs fail, too" >&2
    exit 1
}

: >"$out/results"
: >"$out/survivors"
first=0
for unit; do
    seq $((first + 1)) $((first + $(wc -l <"$out/$unit.list"))) |
        xargs -P "$(nproc)" -I '{}' env TESSERA_MUTATE_ONE='{}' \
            sh "$root/tests/rtl/mutate.sh" "$build" "$out" "$n" "$seed" >"$out/$unit.results"
    awk -v unit="$unit" -v first=$first '
        FNR == NR { what[first + FNR] = $0; next }
        { all++; n[$2]++ }
        $2 != "killed" { print unit, $1 - first, $2 ": " what[$1] >>survivors }
        END { printf "%-6s %4d of %4d killed, %d undecided\n", unit, n["killed"], all,
            n["undecided"] }
        ' survivors="$out/survivors" "$out/$unit.list" "$out/$unit.results"
    cat "$out/$unit.results" >>"$out/results"
    first=$((first + 1000))
done
