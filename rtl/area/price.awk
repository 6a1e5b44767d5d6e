# SPDX-License-Identifier: Apache-2.0
# price.awk CHIP/tsr_chip_pkg.sv BASE.json ROWS -v json=: by how much the units of ROWS grew since
# BASE.json (./run area --json, of all units), and what share of that tile it is, each as often as
# it stands there. Units that are not among ROWS count as unchanged.
function number(key,    v) {
    v = match($0, "\"" key "\": [-0-9.]+") ? substr($0, RSTART, RLENGTH) : ""
    sub(/.*: /, "", v)
    return v + 0
}
function percent(part, of) { return sprintf("%.4f", of ? 100 * part / of : 0) }
function line(unit, count, before, after, share) {
    if (json)
        printf "    {\"unit\": \"%s\", \"count\": %d, \"before_um2\": %.0f, \"um2\": %.0f, " \
            "\"percent\": %s, \"percent_of_tile\": %s}", unit, count, before, after,
            percent(after - before, before), share
    else
        printf "%-10s %5d %14.0f %14.0f %10s %10s\n", unit, count, before, after,
            percent(after - before, before), share
}
FNR == 1 { file++ }
file == 1 { figures(1) }
file == 2 && match($0, /"unit": "[^"]*"/) {
    unit = substr($0, RSTART + 9, RLENGTH - 10)
    was[unit] = number("um2")
}
file == 3 { row[++rows] = $0 }
END {
    if (bad)
        exit bad
    if (json)
        print "{\n  \"units\": ["
    else
        printf "%-10s %5s %14s %14s %10s %10s\n", "unit", "count", "before um2", "um2", "%",
            "% of tile"
    for (r = 1; r <= rows; r++) {
        split(row[r], f, " ")
        count = product(f[1], 1)
        grown += count * (f[4] - was[f[2]])
        line(f[2], count, was[f[2]], f[4], percent(count * (f[4] - was[f[2]]), was["tile"]))
        if (json)
            print r < rows ? "," : ""
    }
    if (json)
        printf "  ],\n  \"tile\": "
    line("tile", 1, was["tile"], was["tile"] + grown, percent(grown, was["tile"]))
    if (json)
        print "}"
}
