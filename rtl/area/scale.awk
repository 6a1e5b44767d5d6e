# SPDX-License-Identifier: Apache-2.0
# scale.awk FROM/tsr_chip_pkg.sv TO/tsr_chip_pkg.sv drivers.txt ROWS UNIT.blocks... : the units' areas
# on another chip, module by module (drivers.txt). -v json= -v chip=. ROWS as for table.awk;
# UNIT.blocks is what yosys says of the unit's modules before they are made one.
# `micro` beside it is the same sum unscaled, and `whole` the area of the unit found at once (with
# its buffers): what the rule starts from.
function ratio(names,    i, n, name, r) {
    n = split(names, name, ",")
    r = 1
    for (i = 1; i <= n; i++)
        if (name[i] != "-")
            r *= figure[2, name[i]] / figure[1, name[i]]
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
file <= 2 && / TILE_(TTU_(DIM|R16|R9|R6)|TVP_LANES|LINE_BYTES|TDMA_MAX_REQUEST_BYTES) = / {
    key = $(NF - 2)
    gsub(/TILE_|TTU_|TVP_|TDMA_MAX_|_BYTES/, "", key)
    figure[file, key] = $NF + 0
}
file == 3 && !/^#/ && NF { grows[$1] = $2; often[$1] = $3 }
file == 4 { count[$2] = $1; whole[$2] = $4; unit[++units] = $2 }
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
    to[name] = $NF * (base(module) in grows ? ratio(grows[base(module)]) : 1)
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
    wide = (top > 0 ? scaled[top] : 1) * $2 * (base($1) in often ? r : 1)
    at[++top] = depth
    many[top] = n
    scaled[top] = wide
    from[name] += n * area[$1]
    to[name] += wide * area[$1] * (base($1) in grows ? ratio(grows[base($1)]) : 1)
}
END {
    if (json)
        printf "{\n  \"chip\": \"%s\",\n  \"cells_of\": \"osu018\",\n  \"units\": [\n", chip
    else
        printf "%-10s %5s %12s %12s %14s\n", "unit", "count", "micro um2", "whole um2", chip " um2"
    for (u = 1; u <= units; u++) {
        name = unit[u]
        if (json)
            printf "    {\"unit\": \"%s\", \"count\": %d, \"micro_um2\": %d, \"whole_um2\": %d, " \
                "\"um2\": %d}%s\n", name, count[name], from[name], whole[name], to[name],
                u < units ? "," : ""
        else
            printf "%-10s %5d %12d %12d %14d\n", name, count[name], from[name], whole[name], to[name]
        a += count[name] * from[name]
        b += count[name] * whole[name]
        c += count[name] * to[name]
    }
    if (json)
        printf "  ],\n  \"micro_um2\": %d,\n  \"whole_um2\": %d,\n  \"um2\": %d\n}\n", a, b, c
    else
        printf "%-10s %5s %12d %12d %14d\n", "tile", 1, a, b, c
}
