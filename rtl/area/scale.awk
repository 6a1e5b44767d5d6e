# SPDX-License-Identifier: Apache-2.0
# scale.awk FROM/tsr_chip_pkg.sv TO/tsr_chip_pkg.sv drivers.txt ROWS UNIT.blocks... : the units' areas
# on another chip, module by module (drivers.txt). -v json= -v chip= -v whole=. ROWS as for table.awk;
# UNIT.blocks is what yosys says of the unit's modules before they are made one.
# `micro` beside it is the same sum unscaled, and `whole` the area of the unit found at once (with
# its buffers): what the rule starts from.
function ratio(names) { return product(names, 2) / product(names, 1) }
# How much a module's gates grow: "A,B", or the sum of parts of it, "0.6*A,B+0.4*C".
function growth(module,    term, i, n, share, names, r, all) {
    if (!(module in grows))
        return 1
    n = split(grows[module], term, "+")
    for (i = 1; i <= n; i++) {
        names = term[i]
        share = 1
        if (sub(/^[0-9.]+\*/, "", names))
            share = term[i] + 0
        all += share
        r += share * ratio(names)
    }
    if (all < 0.9999 || all > 1.0001) {
        print "area: drivers.txt: " module ": its parts make up " all ", not 1" >"/dev/stderr"
        exit bad = 2
    }
    return r
}
# "$paramod$HASH\tsr_x", "$paramod\tsr_x\A=.." and "tsr_x" are of module tsr_x.
function base(name) {
    gsub(/^\\|'/, "", name)
    sub(/^\$paramod(\$[0-9a-f]+)?\\/, "", name)
    sub(/\\.*/, "", name)
    return name
}
FNR == 1 { file++ }
file <= 2 { figures(file) }
file == 3 && !/^#/ && NF { grows[$1] = $2; often[$1] = $3 }
file == 4 {
    count[$2] = product($1, 1)
    wide_count[$2] = product($1, 2)
    at_once[$2] = $4
    unit[++units] = $2
}
file > 4 && FNR == 1 {
    name = FILENAME
    gsub(/^.*\/|\.blocks$/, "", name)
    split("", area)
    hierarchy = 0
}
file > 4 && /Chip area for module/ {
    module = $(NF - 1)
    sub(/:$/, "", module)
    gsub(/^'|'$/, "", module)
    sub(/^\\/, "", module)
    area[module] = $NF
    # of a single module no hierarchy is printed
    from[name] = $NF
    to[name] = $NF * growth(base(module))
}
file > 4 && /design hierarchy/ {
    hierarchy = 1
    from[name] = to[name] = 0
}
# "module N", indented by its depth; N as often as it stands in one of the line above that is less deep
file > 4 && hierarchy && NF == 2 && ($1 in area) {
    match($0, /^ */)
    depth = RLENGTH
    n = $2
    r = ratio(often[base($1)])
    while (top > 0 && at[top] >= depth)
        top--
    n *= top > 0 ? many[top] : 1
    # how often the unit itself stands there its row says
    wide = top > 0 ? scaled[top] * $2 * (base($1) in often ? r : 1) : $2
    at[++top] = depth
    many[top] = n
    scaled[top] = wide
    from[name] += n * area[$1]
    to[name] += wide * area[$1] * growth(base($1))
}
END {
    if (bad)
        exit bad
    total = whole ? "tile" : "sum"
    if (json)
        printf "{\n  \"chip\": \"%s\",\n  \"cells_of\": \"osu018\",\n  \"units\": [\n", chip
    else
        printf "%-10s %5s %12s %12s %7s %14s\n", "unit", "count", "micro um2", "whole um2", "count",
            chip " um2"
    for (u = 1; u <= units; u++) {
        name = unit[u]
        if (json)
            printf "    {\"unit\": \"%s\", \"micro_count\": %d, \"micro_um2\": %d, " \
                "\"whole_um2\": %d, \"count\": %d, \"um2\": %d}%s\n", name, count[name],
                from[name], at_once[name], wide_count[name], to[name], u < units ? "," : ""
        else
            printf "%-10s %5d %12d %12d %7d %14d\n", name, count[name], from[name], at_once[name],
                wide_count[name], to[name]
        a += count[name] * from[name]
        b += count[name] * at_once[name]
        c += wide_count[name] * to[name]
    }
    if (json)
        printf "  ],\n  \"%s\": {\"micro_um2\": %.0f, \"whole_um2\": %.0f, \"um2\": %.0f}\n}\n",
            total, a, b, c
    else
        printf "%-10s %5s %12.0f %12.0f %7s %14.0f\n", total, 1, a, b, 1, c
}
