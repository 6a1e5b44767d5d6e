#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutate_prove.sh OUT PART [NUMBER...]: which of the survivors that mutate.sh left in OUT/PART (or
# of those mutants) are the unit itself: yosys' sat proves that outputs and next states, of memories
# too, are the same for all inputs and all states, reachable or not; a part, or a module in it,
# that mutate_where.sv knows stands in what is always around it. A module in a part of the vector
# unit is proved one format after the other (which_i). What it cannot prove within TESSERA_SECONDS
# (20), of a format, may still be equivalent. A line for each mutant.
# What mutate_where.sv takes for granted of a dot's elements (tsr_lemma_dot) is proved first.
set -eu
here=$1/$2 part=$2
shift 2
[ $# -gt 0 ] || set -- $(awk '$2 == "survived" { print $1 }' "$here/survivors")
work=$here/prove
mkdir -p "$work"
root=$(cd "$(dirname "$0")/../.." && pwd)
where='' top=tsr_top formats=''
if [ -e "$here/where.ys" ]; then
    where="script $here/where.ys;" top=tsr_where_$part
    # the numbers of those whose figures differ, elements' and scales' apart
    formats=$(sed -n "s/.* 6'h\(..\): tvp_format = {\(.*\)};.*/\1 \2/p" \
        "$(tr ' ' '\n' <"$here/where.ys" | grep '/tsr_isa_pkg.sv$')" |
        awk '{ n = $1; $1 = ""; if (!seen[(n > "1f") $0]++) print n }')
fi
if grep -q "^module tsr_lemma_$part " "$root/tests/rtl/mutate_where.sv"; then
    yosys -q -p "$where hierarchy -top tsr_lemma_$part; proc -norom; flatten; opt -full;
        sat -verify -prove holds_o 1 tsr_lemma_$part"
fi
# What the module is proved in.
around() { # MODULE
    name=tsr_where_${1#tsr_}
    case $1 in
    tsr_*) grep -q "^module $name " "$root/tests/rtl/mutate_where.sv" || name=$1 ;;
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
    awk -f "$root/tests/rtl/mutate_cut.awk" "$work/flat.il" "$work/flat.il" >"$work/cut.il"
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
    cat >"$work/prove.ys" <<END
read_rtlil $work/gold.il
read_rtlil $work/gate.il
opt_expr
opt_clean
miter -equiv -flatten gold gate miter
hierarchy -top miter
opt_expr
opt_merge
opt_clean
END
    if [ "$1" != "$top" ] && grep -q ' input [0-9]* .which_i$' "$work/gold.il"; then
        for f in $formats; do
            echo "$sat -set in_which_i $((0x$f)) miter"
        done
    else
        echo "$sat miter"
    fi >>"$work/prove.ys"
    if yosys "$work/prove.ys" >"$work/$2.log" 2>&1; then
        verdict="$2 equivalent"
    elif grep -q 'Assertion.*failed\|proof did fail\|model found' "$work/$2.log"; then
        verdict="$2 differs"
    else
        verdict="$2 unknown: $(grep -m 1 -i 'error\|timeout' "$work/$2.log")"
    fi
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
    *) [ "$where" ] && [ "$within" = "$module" ] && whole_unit="$whole_unit $number" ||
        echo "$verdict" ;;
    esac
done
for number in $whole_unit; do
    prove $top "$number"
    echo "$verdict"
done
