#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutate_bench.sh BUILD OUT N SEED [PART...]: as mutate.sh, for the arithmetic that has a bench of
# its own: lane (test_prims.sh), load store tree (test_tvp_units.sh), dot (test_ttu.sh).
# TESSERA_MUTATE_COUNT inputs for each mutant.
set -eu
build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
n=$3 seed=$4
shift 4
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
sv=$build/generated/sv
count=${TESSERA_MUTATE_COUNT:-20000}
[ $# -gt 0 ] || set -- lane load store tree dot

# Module, its parameters in the bench, the bench and its arguments behind the seed.
part() {
    params='' steps=''
    lane="$sv/tsr_isa_pkg.sv $sv/tsr_table_pkg.sv rtl/prim/tsr_f32_pkg.sv"
    lane="$lane rtl/prim/tsr_elementary_pkg.sv rtl/prim/tsr_prim_pkg.sv"
    lane="$lane $sv/tsr_prims.sv $sv/tsr_lane.sv"
    case $1 in
    lane) module=tsr_lane bench=bench cpp=prims.cpp sources="$lane" ;;
    load | store | tree)
        module=tsr_tvp_$1 params=Lanes=8 bench=tvp_bench cpp=tvp.cpp
        sources="$lane $sv/tsr_tvp_parts.sv rtl/tsr_tvp_load_element.sv"
        sources="$sources rtl/tsr_tvp_store_element.sv"
        sources="$sources rtl/tsr_tvp_load.sv rtl/tsr_tvp_store.sv rtl/tsr_tvp_tree.sv"
        ;;
    dot)
        module=tsr_ttu_dot bench=ttu_bench cpp=ttu.cpp
        sources="$sv/tsr_format_pkg.sv $sv/micro/tsr_chip_pkg.sv rtl/tsr_ttu_pair.sv"
        sources="$sources rtl/tsr_ttu_row.sv rtl/tsr_ttu_accumulate.sv rtl/tsr_ttu_dot.sv"
        steps=$(sed -n 's/.*TILE_TTU_R\(16\|9\|6\) = \([0-9]*\);/\2/p' \
            "$sv/micro/tsr_chip_pkg.sv" | tr '\n' ' ')
        ;;
    *)
        echo "mutate_bench: $1: no such part" >&2
        exit 2
        ;;
    esac
    here=$out/$1
}

# The bench's model with all mutants of the part.
model() {
    mkdir -p "$here"
    given=$(echo "$params" | sed 's/\([A-Z]\)/ -chparam \1/g; s/[=,]/ /g')
    yosys -q -p "read_verilog -sv -defer $sources; hierarchy -check -top $module $given;
        proc -norom; opt_expr; opt_clean; rename -top tsr_top;
        mutate -list $n -seed $seed -ctrl mutsel 16 1 -o $here/mutants.txt;
        script $here/mutants.txt;
        write_verilog -noattr $here/part.v"
    sed "s/tsr_top/$module/" "$here/part.v" >"$here/named.v"
    awk -v top="$module" -v parameters="$params" -f tests/rtl/mutate.awk \
        "$here/named.v" "$here/named.v" >"$here/part.sv"
    sv_bench=tests/rtl/$bench.sv
    if [ "$1" = lane ]; then
        latencies=$(sed -n 's/^  output logic \[31:0\] d\([0-9]*\)_o,*$/\1/p' "$sv/tsr_lane.sv" |
            tr '\n' ' ')
        (cd "$here" && awk -v latencies="$latencies" -f "$root/tests/rtl/prims.awk" \
            "$sv/tsr_prims.sv")
        sv_bench=$here/bench.sv
    fi
    # the part's own file goes, and the lane's modules where the lane is the part
    without=$(echo "$sources" | tr ' ' '\n' | grep -v "/$module.sv")
    # shellcheck disable=SC2086
    verilator --cc --exe --build -O3 --x-assign fast -Wno-fatal -Wno-lint -Wno-style \
        --top-module "$bench" -Mdir "$here/obj" -MAKEFLAGS "OPT_FAST=-O1 OPT_SLOW=-O0" \
        -CFLAGS "-O1 -std=c++17 -I$root -I$root/include -I$here" \
        -LDFLAGS "$build/libtessera.a -lyaml -ljansson -lm -lpthread" \
        $without "$here/part.sv" $sv_bench "$root/tests/rtl/$cpp" "$root/tests/rtl/mutant.cpp" \
        >"$here/build.log" 2>&1 || {
        grep -m 20 -E 'rror' "$here/build.log" >&2
        exit 1
    }
}

for name; do
    part "$name"
    [ -x "$here/obj/V$bench" ] || model "$name"
    # shellcheck disable=SC2086
    "$here/obj/V$bench" "$count" 1 $steps >"$here/none.txt" || {
        echo "mutate_bench: $name fails without a mutant" >&2
        exit 1
    }
    : >"$here/survivors"
    killed=0 all=0
    while read -r line; do
        all=$((all + 1))
        code=0
        # shellcheck disable=SC2086
        TESSERA_MUTANT=$all timeout 600 "$here/obj/V$bench" "$count" 1 $steps \
            >"$here/said.txt" 2>&1 || code=$?
        case $code in
        0 | 124) echo "$all: $line" >>"$here/survivors" ;;
        *) killed=$((killed + 1)) ;;
        esac
    done <"$here/mutants.txt"
    echo "$name: killed $killed of $all"
done
