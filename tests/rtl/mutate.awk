# SPDX-License-Identifier: Apache-2.0
# mutate.awk UNIT.v UNIT.v -v top= -v parameters="A=1,B=2" -v own_names=: yosys' text of a unit
# with its mutants, to stand beside the rest of the tile: modules below the top get names of their
# own, the parameters of the top, already applied, are taken again, and the choice of mutant is no
# port but what the program says (tsr_mutant() of mutant.cpp or mutate_replay.cpp).
function own(name) { return name == top || name == "\\" top ? top : own_names known[name] }
FNR == NR {
    if ($1 == "module") {
        name = $2
        sub(/\(.*/, "", name)
        known[name] = ++modules
    }
    next
}
$1 == "module" {
    while ($0 !~ /\);$/ && (getline line) > 0)
        $0 = $0 line
    name = $2
    sub(/\(.*/, "", name)
    is_top = name == top
    at = index($0, name)
    $0 = substr($0, 1, at - 1) (is_top ? top : own(name)) " " substr($0, at + length(name))
    if (is_top) {
        if (!sub(/, mutsel/, ""))
            sub(/mutsel, /, "")
        n = split(parameters, p, ",")
        print
        print "  import \"DPI-C\" function int tsr_mutant();"
        for (i = 1; i <= n; i++)
            print "  parameter " p[i] ";"
        next
    }
    print
    next
}
is_top && $1 == "input" && $NF == "mutsel;" {
    range = $2
    print "  reg " range " mutsel;"
    print "  initial mutsel = 16'(tsr_mutant());"
    next
}
is_top && $NF == "mutsel;" { next }
($1 in known) && $NF == "(" {
    at = index($0, $1)
    $0 = substr($0, 1, at - 1) own($1) " " substr($0, at + length($1))
}
{ print }
