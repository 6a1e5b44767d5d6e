# SPDX-License-Identifier: Apache-2.0
# awk -f mutate_stage.awk LANE.il: fails unless each wire of tsr_top has one stage: inputs 0, what a
# register holds one more than what it takes, anything else as all it is made of; dN_o N - 1.
function names(text, list,    n, parts, i, k) {
    n = split(text, parts, " ")
    for (i = 1; i <= n; i++)
        if (parts[i] ~ /^[\\$]/)
            list[++k] = parts[i]
    return k
}
function relate(from, to, by) {
    before[++relations] = from
    after[relations] = to
    step[relations] = by
}
function learn(wire, value) {
    if (!(wire in stage)) {
        stage[wire] = value
        changed = 1
    } else if (stage[wire] != value) {
        print "stages " stage[wire] " and " value " of " wire
        wrong = 1
        exit 1
    }
}
function all_of(cell,    i) {
    for (i = 1; i <= inputs; i++)
        relate(input_of[i], cell, 0)
    for (i = 1; i <= outputs; i++)
        relate(cell, output_of[i], register)
}
$1 == "module" { inside = $2 == "\\tsr_top" }
!inside { next }
$1 == "cell" {
    cell = $3
    register = $2 == "$dffe"
    if (!register && $2 ~ /dff|latch|mem/)
        wrong = 1
    inputs = outputs = 0
    next
}
cell != "" && $1 == "connect" {
    port = $2
    if (port == "\\CLK" || port == "\\EN")
        next
    sub(/^ *connect [^ ]+ /, "")
    split("", found)
    k = names($0, found)
    for (i = 1; i <= k; i++)
        if (port == "\\Y" || port == "\\Q" || port == "\\d_o")
            output_of[++outputs] = found[i]
        else
            input_of[++inputs] = found[i]
    next
}
cell != "" && $1 == "end" {
    all_of("cell " cell)
    cell = ""
    next
}
cell == "" && $1 == "connect" {
    sub(/^ *connect /, "")
    split("", found)
    k = names($0, found)
    for (i = 2; i <= k; i++)
        relate(found[1], found[i], 0)
}
END {
    if (wrong)
        exit 1
    learn("\\op_i", 0)
    learn("\\a_i", 0)
    learn("\\b_i", 0)
    learn("\\c_i", 0)
    while (changed) {
        changed = 0
        for (i = 1; i <= relations; i++) {
            if (before[i] in stage)
                learn(after[i], stage[before[i]] + step[i])
            else if (after[i] in stage)
                learn(before[i], stage[after[i]] - step[i])
        }
    }
    for (wire in stage)
        if (wire ~ /^\\d[0-9]+_o$/) {
            ends++
            if (stage[wire] != substr(wire, 3) - 1) {
                print wire " is of stage " stage[wire]
                exit 1
            }
        }
    if (!ends)
        exit 1
    print ends " results, each of its own stage"
}
