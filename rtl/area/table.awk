# SPDX-License-Identifier: Apache-2.0
# table.awk CHIP/tsr_chip_pkg.sv ROWS -v json= -v chip= -v whole=: rows "count name cells um2 flops
# memory_bits ns" as a table or as JSON, with their sums (each as often as the tile has it; 0: a part
# of another) and the longest path. whole: all units are there.
FNR == 1 { file++ }
file == 1 { figures(1) }
file == 2 {
    $1 = product($1, 1)
    row[++rows] = $0
    for (i = 3; i <= 6; i++)
        sum[i] += $1 * $i
    if ($1 > 0 && $7 > longest)
        longest = $7
}
function line(name, count, a, b, c, d, e) {
    printf "%-10s %5s %9d %12.0f %9d %12d %9.2f\n", name, count, a, b, c, d, e
}
function object(name, count, a, b, c, d, e) {
    printf "{\"unit\": \"%s\", \"count\": %d, \"cells\": %d, \"um2\": %.0f, \"flops\": %d, " \
        "\"memory_bits\": %d, \"path_ns\": %.2f}", name, count, a, b, c, d, e
}
END {
    if (bad)
        exit bad
    total = whole ? "tile" : "sum"
    if (json)
        printf "{\n  \"chip\": \"%s\",\n  \"cells_of\": \"osu018\",\n  \"units\": [\n", chip
    else
        printf "%-10s %5s %9s %12s %9s %12s %9s\n", "unit", "count", "cells", "um2", "flops",
            "memory bits", "path ns"
    for (r = 1; r <= rows; r++) {
        split(row[r], f, " ")
        if (json) {
            printf "    "
            object(f[2], f[1], f[3], f[4], f[5], f[6], f[7])
            print r < rows ? "," : ""
        } else
            line(f[2], f[1], f[3], f[4], f[5], f[6], f[7])
    }
    if (json) {
        printf "  ],\n  \"%s\": ", total
        object(total, 1, sum[3], sum[4], sum[5], sum[6], longest)
        print "\n}"
    } else
        line(total, 1, sum[3], sum[4], sum[5], sum[6], longest)
}
