#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutate.sh BUILD OUT N SEED [PART...]: how many of N mutants (yosys mutate) of each part of micro's
# tile the tests notice. BUILD: a directory of the default preset with tessera-rtl-micro built.
# Units: the tile runs the batches of programs in lock-step, once, and writes down what stands at
# the units' ports; then each unit runs alone with those inputs, once for each mutant (all stand in
# its model), until an output differs where somebody looks. Arithmetic (lane load store tree row
# dot): the bench of its test with so many inputs. Prints a line per part; OUT/PART/killed and
# OUT/PART/survivors say more.
# TESSERA_JOBS processes (as many as there are processors); TESSERA_BATCHES, TESSERA_COUNTS: others;
# TESSERA_PROGRAMS: a fair sample of so many of the programs at each unit.
set -eu
build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
n=$3 seed=$4
shift 4
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
sv=$build/generated/sv
jobs=${TESSERA_JOBS:-$(nproc)}
batches="run:$root/tests/rtl/loops.s run:$root/tests/rtl/single.s best:1:500:150:12000"
batches="$batches random:1000:15:300 random:5000:60:1000 random:20000:200:30"
batches=${TESSERA_BATCHES:-$batches}
counts=${TESSERA_COUNTS:-100 2000 40000 400000}
packages="$sv/tsr_isa_pkg.sv $sv/tsr_format_pkg.sv $sv/tsr_table_pkg.sv $sv/micro/tsr_chip_pkg.sv"
tile="$(tr '\n' ' ' <rtl/files.f) $sv/tsr_prims.sv $sv/tsr_lane.sv $sv/tsr_tvp_parts.sv"

# Part, module, bench, the module's parameters there, modules in it that have a part of their own.
parts() {
    cat <<END
tcp tsr_tcp - - -
control tsr_control - - -
sync tsr_sync - Lanes=38 -
lanes tsr_sync sync Lanes=38 -
tsram tsr_tsram - - -
acc tsr_acc - - -
acc_pool tsr_acc_pool - - -
tdma tsr_tdma - - -
tvp tsr_tvp - - tsr_lane tsr_tvp_load tsr_tvp_store tsr_tvp_tree
ttu tsr_ttu - - tsr_ttu_array tsr_ttu_row tsr_ttu_pair
lane tsr_lane prims - -
load tsr_tvp_load tvp Lanes=8 -
store tsr_tvp_store tvp Lanes=8 -
tree tsr_tvp_tree tvp Lanes=8 -
row tsr_ttu_row ttu - -
dot tsr_ttu_dot ttu - -
END
}

# OUT/PART/part.sv, to stand in place of the module's file, and OUT/PART/mutants.txt, a line for
# each of its mutants.
mutants() { # PART MODULE PARAMETERS KEPT...
    part=$1 module=$2 values=$3 whole='' kept=''
    here=$out/$part
    shift 3
    for f in $tile; do
        case " $* " in
        *" $(basename "$f" .sv) "*) kept="$kept $f" ;;
        *) whole="$whole $f" ;;
        esac
    done
    given=$(echo "$values" | sed 's/^-//; s/\([A-Z]\)/ -chparam \1/g; s/[=,]/ /g')
    # What a memory holds at first is no logic, and a clock or reset made by logic would be no
    # mistake in a line, but would cost the model dear.
    yosys -q -p "read_verilog -sv -defer -nosynthesis -I$sv/micro $packages $whole;
        ${kept:+read_verilog -sv -lib -I$sv/micro $kept;}
        hierarchy -check -top $module $given;
        proc -norom; opt -full; wreduce; opt_clean; rename -top tsr_top;
        write_rtlil $here/top.il;
        mutate -list $((n + n / 4 + 4)) -seed $seed -o $here/candidates.txt t:* t:\$meminit* %d"
    awk -v n="$n" '!/-port A?(CLK|RST)/ && ++i <= n {
        sub(/^mutate/, "mutate -ctrl mutsel 16 " i)
        print
        }' "$here/candidates.txt" >"$here/mutants.txt"
    # A vector that is made in parts, one from another, is a loop to Verilator 5.006, which has got
    # such wrong.
    yosys -q -p "read_rtlil $here/top.il; script $here/mutants.txt; opt_clean -purge;
        write_rtlil $here/all.il"
    awk -f tests/rtl/mutate_outputs.awk "$here/all.il" "$here/all.il" >"$here/made.il"
    # Tables: of two rows that a mutant chooses at once both.
    both=''
    case $part in
    lane | store) both="techmap -map $root/tests/rtl/mutate_pmux.v t:\$pmux; opt_clean;" ;;
    esac
    yosys -q -p "read_rtlil $here/made.il; $both splitnets -driver;
        write_verilog -noattr $here/top.v"
    sed "s/tsr_top/$module/" "$here/top.v" >"$here/named.v"
    # for mutate_prove.sh
    rm -f "$here/where.ys"
    ! grep -q "^module tsr_\(where\|invariant\)_$part " tests/rtl/mutate_where*.sv ||
        echo "read_verilog -sv -defer -nosynthesis -I$sv/micro $packages" \
            "$root/rtl/tsr_tile_pkg.sv $root/rtl/tsr_ttu_row.sv" \
            "$root"/tests/rtl/mutate_where*.sv >"$here/where.ys"
    rm -f "$here/lemma.ys"
    [ ! -e "tests/rtl/mutate_$part.sv" ] ||
        echo "read_verilog -sv -defer -nosynthesis -I$sv/micro $packages $whole" \
            "tests/rtl/mutate_$part.sv" >"$here/lemma.ys"
    awk -v top="$module" -v parameters="${values#-}" -v own_names="tsr_m_${part}_" \
        -f tests/rtl/mutate.awk "$here/named.v" "$here/named.v" >"$here/part.sv"
}

# Of the mutants' numbers on stdin: "NUMBER killed by ..." or "NUMBER survived".
bench() { # PART JOB
    while read -r number; do
        for count in $counts; do
            # shellcheck disable=SC2086
            TESSERA_MUTANT=$number "$out/$1/obj/V$top" "$count" 1 $steps \
                >"$out/$1/said.$2" 2>&1 || {
                echo "$number killed by $count: $(tail -n 1 "$out/$1/said.$2")"
                continue 2
            }
        done
        echo "$number survived"
    done
}

# The numbers on stdin, by so many processes.
judge() { # FUNCTION PART
    cat >"$out/$2/numbers"
    job=0
    while [ $job -lt "$jobs" ]; do
        awk -v job=$job -v jobs="$jobs" 'NR % jobs == job' "$out/$2/numbers" |
            "$1" "$2" $job >"$out/$2/judged.$job" &
        eval "pid$job=$!"
        job=$((job + 1))
    done
    while [ $job -gt 0 ]; do
        job=$((job - 1))
        eval "wait \$pid$job"
    done
    cat "$out/$2"/judged.*
}

# What was judged, on stdin, into the part's files, with what the mutants are.
score() { # PART
    sort -n | awk -v part="$1" -v out="$out/$1" '
        FNR == NR { sub(/.* -mode/, "-mode"); what[FNR] = $0; next }
        { all++; dead += $2 == "killed" }
        { print $0 "\n    " what[$1] >(out ($2 == "killed" ? "/killed" : "/survivors")) }
        END { printf "%-8s %4d of %4d killed, %5.1f %%\n", part, dead, all, 100 * dead / all }
        ' "$out/$1/mutants.txt" -
}

# ---- arithmetic: the bench of a part
bench_part() { # PART MODULE BENCH
    part=$1 module=$2 name=$3
    here=$out/$part
    mkdir -p "$here"
    rm -f "$here/killed" "$here/survivors"
    cpp=$name.cpp top=${name}_bench steps=''
    lane="$sv/tsr_isa_pkg.sv $sv/tsr_table_pkg.sv rtl/prim/tsr_f32_pkg.sv"
    lane="$lane rtl/prim/tsr_elementary_pkg.sv rtl/prim/tsr_prim_pkg.sv"
    case $name in
    prims)
        top=bench steps=lane
        sources="$lane $sv/tsr_prims.sv $sv/tsr_lane.sv $here/bench.sv"
        latencies=$(sed -n 's/^  output logic \[31:0\] d\([0-9]*\)_o,*$/\1/p' "$sv/tsr_lane.sv" |
            tr '\n' ' ')
        (cd "$here" && awk -v latencies="$latencies" -f "$root/tests/rtl/prims.awk" \
            "$sv/tsr_prims.sv")
        ;;
    tvp)
        sources="$lane $sv/tsr_prims.sv $sv/tsr_lane.sv $sv/tsr_tvp_parts.sv"
        sources="$sources rtl/tsr_tvp_load_element.sv rtl/tsr_tvp_store_element.sv"
        sources="$sources rtl/tsr_tvp_load.sv rtl/tsr_tvp_store.sv rtl/tsr_tvp_tree.sv"
        sources="$sources tests/rtl/tvp_bench.sv"
        steps=$part # the others are as they are
        ;;
    sync)
        sources="-I$sv/micro $packages rtl/tsr_tile_pkg.sv rtl/tsr_semaphore.sv rtl/tsr_sync.sv"
        sources="$sources tests/rtl/sync_bench.sv"
        ;;
    ttu)
        sources="$sv/tsr_format_pkg.sv $sv/micro/tsr_chip_pkg.sv rtl/tsr_ttu_pair.sv"
        sources="$sources rtl/tsr_ttu_row.sv rtl/tsr_ttu_accumulate.sv rtl/tsr_ttu_dot.sv"
        sources="$sources tests/rtl/ttu_bench.sv"
        steps=$(sed -n 's/.*TILE_TTU_R\(16\|9\|6\) = \([0-9]*\);/\2/p' \
            "$sv/micro/tsr_chip_pkg.sv" | tr '\n' ' ')
        ;;
    esac
    # shellcheck disable=SC2046
    [ -x "$here/obj/V$top" ] ||
        verilator --cc --exe --build -O3 --x-assign fast -Wno-fatal -Wno-lint -Wno-style \
            --top-module "$top" -Mdir "$here/obj" -MAKEFLAGS "OPT_FAST=-O1 OPT_SLOW=-O0" \
            -CFLAGS "-O1 -std=c++17 -I$root -I$root/include -I$here" \
            -LDFLAGS "$build/libtessera.a -lyaml -ljansson -lm -lpthread" \
            $(echo "$sources" | tr ' ' '\n' | sed "s,.*/$module\.sv,$here/part.sv,") \
            "$root/tests/rtl/$cpp" "$root/tests/rtl/mutant.cpp" >"$here/build.log" 2>&1 || {
        grep -m 20 rror "$here/build.log" >&2
        exit 1
    }
    # shellcheck disable=SC2086
    "$here/obj/V$top" 2000 1 $steps >"$here/none" || {
        echo "mutate: $part fails without a mutant" >&2
        exit 1
    }
    seq 1 "$(wc -l <"$here/mutants.txt")" | judge bench "$part" | score "$part"
}

# ---- units: what stood at their ports in the programs, and each alone with its mutants
record() { # PART...
    cp rtl/files.f "$out/files.f"
    taps='' edges=''
    for part; do
        sed -i "s,^rtl/tsr_$part.sv,$out/$part/tap.sv," "$out/files.f"
        taps="$taps $out/$part/tap_$part.cpp"
        case $part in
        tcp | sync | control | acc | ttu | tvp | tdma) edges="$edges edge:$part" ;;
        acc_pool) edges="$edges edge:acc edge:ttu" ;;
        esac
    done
    edges=$(echo "$edges" | tr ' ' '\n' | sort -u)
    # shellcheck disable=SC2086
    TESSERA_RTL_FILES=$out/files.f TESSERA_RTL_MAIN=tests/rtl/mutate_record.cpp \
        sh tests/rtl/build.sh "$out/tessera-rtl-ports" micro "$sv" "$build/libtessera.a" \
        "$(find "$build/tests/rtl" -name record.c.o)" $taps
    # shellcheck disable=SC2086
    (cd "$out" && ./tessera-rtl-ports $batches $edges)
}

unit_model() { # PART
    here=$out/$1
    # shellcheck disable=SC2046,SC2086
    verilator --cc --exe --build -O3 --x-assign fast --noassert -Wno-fatal -Wno-lint -Wno-style \
        --unroll-count 64 --top-module unit --prefix Vunit --Mdir "$here/obj" -o "$here/replay" \
        -MAKEFLAGS "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1" \
        -CFLAGS "-O1 -std=c++17 -DVL_USER_FATAL -I$here" rtl/waivers.vlt -I"$sv/micro" $packages \
        $(echo $tile | tr ' ' '\n' | sed "/tsr_tile.sv$/d; s,^rtl/tsr_$1.sv,$here/part.sv,") \
        "$here/unit.sv" "$root/tests/rtl/mutate_replay.cpp" >"$here/build.log" 2>&1 || {
        grep -m 20 rror "$here/build.log" >&2
        exit 1
    }
}

replay() { # PART; the numbers on stdin
    "$out/$1/replay" "$out/ports.$1"
}

unit_part() { # PART
    here=$out/$1
    rm -f "$here/killed" "$here/survivors"
    [ -x "$here/replay" ] || unit_model "$1"
    echo 0 | replay "$1" >"$here/none"
    grep -q '^0 survived' "$here/none" || {
        echo "mutate: $1 differs without a mutant: $(cat "$here/none")" >&2
        exit 1
    }
    seq 1 "$(wc -l <"$here/mutants.txt")" | judge replay "$1" | score "$1"
}

number=0
asked=${*:-$(parts | cut -d ' ' -f 1)}
units=''
for part in $asked; do
    # shellcheck disable=SC2046
    set -- $(parts | grep "^$part ")
    [ $# -ge 5 ] || {
        echo "mutate: $part: no such part" >&2
        exit 2
    }
    mkdir -p "$out/$part"
    module=$2 bench=$3 values=$4
    shift 4
    [ -s "$out/$part/part.sv" ] || mutants "$part" "$module" "$values" "$@"
    if [ "$bench" = - ]; then
        units="$units $part"
        number=$((number + 1))
        awk -v unit="$part" -v number=$number -v parameters="${values#-}" -v out="$out/$part" \
            -f tests/rtl/mutate_ports.awk tests/rtl/mutate_ports.txt "$out/$part/part.sv" \
            "rtl/$module.sv"
    else
        bench_part "$part" "$module" "$bench"
    fi
done
[ "$units" ] || exit 0
# shellcheck disable=SC2086
[ -s "$out/ports.${units##* }" ] || record $units
for part in $units; do
    unit_part "$part"
done
