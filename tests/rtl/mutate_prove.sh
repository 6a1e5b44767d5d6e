#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutate_prove.sh OUT PART [NUMBER...]: which of the survivors that mutate.sh left in OUT/PART (or
# of those mutants) are the unit itself: yosys' sat proves that outputs and next states, of memories
# too, are the same for all inputs and all states, reachable or not. What it cannot prove within
# TESSERA_SECONDS (20) may still be equivalent. A line for each mutant.
set -eu
here=$1/$2
shift 2
[ $# -gt 0 ] || set -- $(awk '$2 == "survived" { print $1 }' "$here/survivors")
work=$here/prove
mkdir -p "$work"
root=$(cd "$(dirname "$0")/../.." && pwd)
whole="flatten; async2sync; dffunmap; delete t:\$meminit*; setundef -undriven -zero; opt_clean"
# The unit, or the module in it, with the mutant that the line makes, or none, as a module NAME with
# its state outside.
cut() { # NAME LINE MODULE
    yosys -q -p "read_rtlil $here/top.il; hierarchy -top $3; $2; $whole; rename -top $1;
        write_rtlil $work/$1.il"
    awk -f "$root/tests/rtl/mutate_cut.awk" "$work/$1.il" >"$work/$1.cut.il"
}
last=''
for number; do
    line=$(sed -n "${number}p" "$here/mutants.txt" | sed 's/-ctrl mutsel [0-9]* [0-9]* //')
    # a module that is the same by itself is so in its place
    module=$(echo "$line" | sed -n 's/.* -module \(tsr_[a-z0-9_]*\) .*/\1/p')
    [ "$module" ] || module=tsr_top
    [ "$last" = "$module" ] || cut gold '' "$module"
    last=$module
    cut gate "$line" "$module"
    cat >"$work/prove.ys" <<END
read_rtlil $work/gold.cut.il
read_rtlil $work/gate.cut.il
miter -equiv -flatten gold gate miter
hierarchy -top miter
opt_expr
opt_merge
opt_clean
sat -verify -prove trigger 0 -timeout ${TESSERA_SECONDS:-20} miter
END
    if yosys "$work/prove.ys" >"$work/$number.log" 2>&1; then
        echo "$number equivalent"
    elif grep -q 'Assertion.*failed\|proof did fail\|model found' "$work/$number.log"; then
        echo "$number differs"
    else
        echo "$number unknown: $(grep -m 1 -i 'error\|timeout' "$work/$number.log")"
    fi
done
