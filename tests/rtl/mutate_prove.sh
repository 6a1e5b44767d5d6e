#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutate_prove.sh OUT PART [NUMBER...]: which of the survivors that mutate.sh left in OUT/PART (or
# of those mutants) are the unit itself: yosys' sat proves that outputs and next states, of memories
# too, are the same for all inputs and all states, reachable or not; a part that mutate_where.sv
# knows stands in what is always around it. What it cannot prove within TESSERA_SECONDS (20) may
# still be equivalent. A line for each mutant.
set -eu
here=$1/$2 part=$2
shift 2
[ $# -gt 0 ] || set -- $(awk '$2 == "survived" { print $1 }' "$here/survivors")
work=$here/prove
mkdir -p "$work"
root=$(cd "$(dirname "$0")/../.." && pwd)
where='' top=tsr_top
[ ! -e "$here/where.ys" ] || where="script $here/where.ys;" top=tsr_where_$part
flat="flatten; async2sync; dffunmap; delete t:\$meminit*; setundef -undriven -zero; opt_clean"
# The unit, or the module in it, with all its mutants and its state outside.
cut() { # MODULE
    yosys -q -p "$where read_rtlil $here/top.il; script $here/mutants.txt; hierarchy -top $1;
        proc -norom; $flat; rename -top tsr_cut; write_rtlil $work/flat.il"
    awk -f "$root/tests/rtl/mutate_cut.awk" "$work/flat.il" >"$work/cut.il"
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
sat -verify -prove trigger 0 -timeout ${TESSERA_SECONDS:-20} -show-inputs -show-outputs miter
END
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
    module=$(sed -n "${number}s/.* -module \(tsr_[a-z0-9_]*\) .*/\1/p" "$here/mutants.txt")
    verdict=''
    [ "${module:-tsr_top}" = tsr_top ] || prove "$module" "$number"
    case $verdict in
    '') whole_unit="$whole_unit $number" ;;
    *equivalent) echo "$verdict" ;;
    *) [ "$where" ] && whole_unit="$whole_unit $number" || echo "$verdict" ;;
    esac
done
for number in $whole_unit; do
    prove $top "$number"
    echo "$verdict"
done
