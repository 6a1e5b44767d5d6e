# SPDX-License-Identifier: Apache-2.0
# awk -f mutate_outputs.awk UNIT.il UNIT.il: each output of each module is made elsewhere and taken
# as a whole from there, so that `splitnets -driver` splits what makes it, too: it leaves ports be.
$1 == "module" { module = $2 }
FNR == NR {
    if ($1 == "wire" && / output /)
        made[module, $NF] = $NF "_made"
    next
}
$1 == "wire" && (module, $NF) in made {
    inner = $0
    sub(/ output [0-9]+/, "", inner)
    print
    print inner "_made"
    whole = whole "  connect " $NF " " $NF "_made\n"
    next
}
/^ *connect / || /^  memory / {
    in_cell = /^    / # there the word behind `connect` is a port's name
    n = split($0, word, " ")
    $0 = in_cell ? "   " : " "
    for (i = 1; i <= n; i++) {
        inner = !(in_cell && i == 2) && (module, word[i]) in made
        $0 = $0 " " (inner ? made[module, word[i]] : word[i])
    }
}
/^end$/ {
    printf "%s", whole
    whole = ""
}
{ print }
