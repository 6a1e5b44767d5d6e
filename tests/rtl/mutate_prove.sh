#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutate_prove.sh OUT PART [NUMBER...]: which of the survivors that mutate.sh left in OUT/PART (or
# of those mutants) are the unit itself: yosys' sat proves that outputs and next states, of memories
# too, are the same for all inputs and all states, reachable or not; a part, or a module in it,
# that mutate_where*.sv knows stands in what is always around it. A module in a part of the vector
# unit is proved one format after the other (which_i). What it cannot prove within TESSERA_SECONDS
# (20), of a format, may still be equivalent. A line for each mutant.
# What mutate_where.sv takes for granted of a dot's elements (tsr_lemma_dot) is proved first; so is
# what it says of a unit's registers (tsr_invariant_PART: holds_o): true after a reset, and after a
# cycle in which it was, if inputs are as promised (given_o).
# What mutate_PART.sv says is always so in a part is proved first, too. What a lane's mutant gives
# that differs in registers alone is looked at as one instruction meets it (mutate_lane.sv).
set -eu
here=$(cd "$1/$2" && pwd) part=$2
shift 2
[ $# -gt 0 ] || set -- $(awk '$2 == "survived" { print $1 }' "$here/survivors")
work=$here/prove
mkdir -p "$work"
root=$(cd "$(dirname "$0")/../.." && pwd)
where='' top=tsr_top formats=''
invariant=''
! grep -q "^module tsr_invariant_$part " "$root/tests/rtl/mutate_where.sv" ||
    invariant=tsr_invariant_$part
if [ -e "$here/where.ys" ]; then
    where="script $here/where.ys;"
    [ "$invariant" ] || top=tsr_where_$part
    # the numbers of those whose figures differ, elements' and scales' apart
    formats=$(sed -n "s/.* 6'h\(..\): tvp_format = {\(.*\)};.*/\1 \2/p" \
        "$(tr ' ' '\n' <"$here/where.ys" | grep '/tsr_isa_pkg.sv$')" |
        awk '{ n = $1; $1 = ""; if (!seen[(n > "1f") $0]++) print n }')
fi
if grep -q "^module tsr_lemma_$part " "$root/tests/rtl/mutate_where.sv"; then
    yosys -q -p "$where hierarchy -top tsr_lemma_$part; proc -norom; flatten; opt -full;
        sat -verify -prove holds_o 1 tsr_lemma_$part"
fi
# What a module of mutate_PART.sv's says of itself behind a word: first, without.
said() { # MODULE WORD
    sed -n "s,^// $1: $2 ,,p" "$root/tests/rtl/mutate_$part.sv"
}
lemmas=''
[ ! -e "$here/lemma.ys" ] ||
    lemmas=$(sed -n 's/^module \(tsr_lemma_[a-z_]*\) .*/\1/p' "$root/tests/rtl/mutate_$part.sv")
for name in $lemmas; do
    free=$(said "$name" without)
    first=$(said "$name" first | sed 's/\([^ ]* [01]\)/-set-init \1/g')
    (cd "$root" && yosys -q -p "script $here/lemma.ys; hierarchy -top $name;
        ${free:+setattr -mod -set keep_hierarchy 1 $free;} proc -norom; flatten;
        ${free:+delete $name/t:$free; setundef -undriven -expose;} async2sync;
        opt_clean -purge; memory; opt -full; clean -purge;
        sat -verify -tempinduct -maxsteps 2 -prove holds_o 1 $first $name")
    echo "$name holds"
done
# What the module is proved in.
around() { # MODULE
    name=tsr_where_${1#tsr_}
    case $1 in
    tsr_*) grep -q "^module $name " "$root"/tests/rtl/mutate_where*.sv || name=$1 ;;
    *) name=$1 ;;
    esac
    [ "$where" ] || name=$1
    printf '%s\n' "$name" # a name may hold a backslash
}
flat="flatten; async2sync; dffunmap; delete t:\$meminit*; setundef -undriven -zero; opt_clean"
# The unit, or the module in it, with all its mutants and its state outside.
cut() { # MODULE
    yosys -q -p "$where read_rtlil $here/top.il; script $here/mutants.txt; hierarchy -top $1;
        proc -norom; $flat; rename -top tsr_cut; write_rtlil $work/flat.il"
    [ -z "$invariant" ] || [ "$1" != tsr_top ] || beside
    awk -f "$root/tests/rtl/mutate_cut.awk" "$work/flat.il" "$work/flat.il" >"$work/cut.il"
}
# Its invariant beside the unit, on wires of the same names as the invariant's ports; proved.
beside() {
    awk -v name="$invariant" '
        FNR == NR {
            if ($1 == "module")
                inside = $2 == name
            if (inside && ($1 == "input" || $1 == "output")) {
                port = $NF
                sub(/,$/, "", port)
                way[port] = $1
            }
            next
        }
        $1 == "module" { top = $2 == "\\tsr_cut" }
        top && /^end/ {
            for (port in way)
                if (way[port] == "output")
                    print "  wire output " (900 + ++n) " \\" port
            print "  cell \\" name " \\u_invariant"
            for (port in way)
                print "    connect \\" port " \\" port
            print "  end"
        }
        { print }' "$root/tests/rtl/mutate_where.sv" "$work/flat.il" >"$work/cut.il"
    yosys -q -p "$where read_rtlil $work/cut.il; hierarchy -top tsr_cut; proc -norom; flatten;
        opt_clean; write_rtlil $work/flat.il"
    cp "$work/flat.il" "$work/cut.il"
    choose holds 0
    yosys -q -p "read_rtlil $work/holds.il; cd holds;
        delete -output o:* o:holds_o %d o:given_o %d; opt_expr; opt_clean;
        sat -verify -seq 2 -set given_o 1 -set-at 1 holds_o 1 -prove-skip 1 -prove holds_o 1;
        sat -verify -seq 2 -set given_o 1 -set-at 1 rst_ni 0 -prove-skip 1 -prove holds_o 1"
}
# That with the mutant, 0 for none, as a module NAME.
choose() { # NAME NUMBER
    awk -v name="$1" -v n="$2" '
        $1 == "module" { $2 = "\\" name }
        / input / && $NF == "\\mutsel" {
            for (i = 0; i < 16; i++) {
                bits = n % 2 bits
                n = int(n / 2)
            }
            $0 = "  wire width 16 \\mutsel\n  connect \\mutsel 16\047" bits
        }
        { print }' "$work/cut.il" >"$work/$1.il"
}
# A line that says what sat finds of the mutant in the module.
prove() { # MODULE NUMBER
    [ "$last" = "$1" ] || {
        cut "$1"
        choose gold 0
    }
    last=$1
    choose gate "$2"
    sat="sat -verify -prove trigger 0 -timeout ${TESSERA_SECONDS:-20} -show-inputs -show-outputs"
    others=''
    if [ "$invariant" ] && [ "$1" = tsr_top ]; then
        sat="$sat -set gold_given_o 1 -set gold_holds_o 1"
        others='delete -output o:gold_* o:gate_* %u o:gold_given_o %d o:gold_holds_o %d'
    fi
    cat >"$work/prove.ys" <<END
read_rtlil $work/gold.il
read_rtlil $work/gate.il
opt_expr
opt_clean
miter -equiv -flatten ${others:+-make_outputs} gold gate miter
hierarchy -top miter
cd miter
$others
opt_expr
simplemap t:\$mux
opt_merge
opt_clean
END
    if [ "$1" != "$top" ] && grep -q ' input [0-9]* .which_i$' "$work/gold.il"; then
        for f in $formats; do
            echo "$sat -set in_which_i $((0x$f))"
        done
    else
        echo "$sat"
    fi >>"$work/prove.ys"
    if yosys "$work/prove.ys" >"$work/$2.log" 2>&1; then
        verdict="$2 equivalent"
    elif grep -q 'Assertion.*failed\|proof did fail\|model found' "$work/$2.log"; then
        verdict="$2 differs"
    elif same_cell "$2"; then
        verdict="$2 equivalent"
    else
        verdict="$2 unknown: $(grep -m 1 -i 'error\|timeout' "$work/$2.log")"
    fi
}
# Whether the cell of which a mutant changes an input gives the same; then so does whatever it goes
# to.
same_cell() { # NUMBER
    ! sed -n "$1p" "$here/mutants.txt" | grep -q -e '-port [YQ] ' || return 1
    cell=$(sed -n "$1s/.* -cell \([^ ]*\) .*/\1/p" "$here/mutants.txt")
    for side in gold gate; do
        CELL=$cell awk -f "$root/tests/rtl/mutate_at.awk" "$work/$side.il" "$work/$side.il" \
            >"$work/${side}_at.il"
    done
    grep -q ' .tsr_at$' "$work/gate_at.il" || return 1
    sed 's,\(read_rtlil .*\).il$,\1_at.il,; /^delete/d' "$work/prove.ys" >"$work/at.ys"
    yosys "$work/at.ys" >"$work/$1.at.log" 2>&1
}
# Whether every instruction gets the same of the lane: of a primitive with the mutant, where it is
# on (cut and chosen already), then of the lane, which takes nothing else of it.
same_result() { # MODULE NUMBER
    [ "$part" = lane ] || return 1
    [ "$1" = tsr_top ] || {
        sed 's/ -prove trigger/ -set in_on_i 1&/' "$work/prove.ys" >"$work/on.ys"
        yosys "$work/on.ys" >"$work/$2.on.log" 2>&1 || return 1
    }
    sv=$(tr ' ' '\n' <"$here/lemma.ys" | grep '/tsr_isa_pkg.sv$')
    awk -f "$root/tests/rtl/mutate_stage.awk" "$here/top.il" >"$work/stages" || return 1
    awk -f "$root/tests/rtl/mutate_where.awk" "${sv%_isa_pkg.sv}_prims.sv" >"$work/prims.sv"
    last=''
    yosys -q -p "read_rtlil $here/top.il; script $here/mutants.txt;
        techmap -map $root/tests/rtl/mutate_clear.v tsr_top/t:\$dffe; delete tsr_prim_*;
        read_verilog -sv -defer -nosynthesis $sv $root/tests/rtl/mutate_lane.sv $work/prims.sv;
        hierarchy -top tsr_where_lane; proc -norom; flatten; setundef -undriven -zero; opt_clean;
        rename -top tsr_cut; write_rtlil $work/flat.il" || return 1
    awk -f "$root/tests/rtl/mutate_cut.awk" "$work/flat.il" "$work/flat.il" >"$work/cut.il"
    choose gold 0
    choose gate "$2"
    sed 's/^sat -verify/& -set-assumes/' "$work/prove.ys" >"$work/one.ys"
    yosys "$work/one.ys" >"$work/$2.one.log" 2>&1
}
last='' whole_unit=''
for number; do
    # a module that is the same by itself is so in its place
    module=$(sed -n "${number}s/.* -module \([^ ]*\) .*/\1/p" "$here/mutants.txt")
    verdict='' within=$(around "${module:-tsr_top}")
    [ "${module:-tsr_top}" = tsr_top ] || prove "$within" "$number"
    case $verdict in
    '') whole_unit="$whole_unit $number" ;;
    *equivalent) echo "$verdict" ;;
    *) [ "$where" ] && [ "$within" = "$module" ] && whole_unit="$whole_unit $number" || {
        ! same_result "$module" "$number" || verdict="$number equivalent"
        echo "$verdict"
    } ;;
    esac
done
for number in $whole_unit; do
    prove $top "$number"
    case $verdict in
    *equivalent) ;;
    *) ! same_result "$top" "$number" || verdict="$number equivalent" ;;
    esac
    echo "$verdict"
done
