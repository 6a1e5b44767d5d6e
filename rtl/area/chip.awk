# SPDX-License-Identifier: Apache-2.0
# chip.awk, before table.awk or scale.awk: a chip's figures from its tsr_chip_pkg.sv, as units.txt
# and drivers.txt name them. figure[file, NAME]
function log2(n,    k) {
    while (2 ^ k < n)
        k++
    return k + 0
}
function figures(file) {
    if (!match($0, / TILE_(TTU_(DIM|R16|R9|R6)|TVP_LANES|(LINE|TSRAM|TDMA_MAX_REQUEST)_BYTES) = /))
        return
    key = $(NF - 2)
    gsub(/TILE_|TTU_|TVP_|TDMA_MAX_|_BYTES/, "", key)
    value = $NF
    sub(/.*'d/, "", value)
    value += 0
    figure[file, key] = value
    if (key == "LANES") {
        # elements of a load or store: of all the registers that it may take
        figure[file, "ELEMS"] = value < 16 ? 16 : value
        figure[file, "FOLDS"] = value - 1
        figure[file, "LEVELS"] = log2(value) + 1
    }
    if (key == "TSRAM")
        figure[file, "ADDRESS"] = log2(value)
}
# "A,B,2": their product; "-": 1.
function product(names, file,    i, n, name, r) {
    n = split(names, name, ",")
    r = 1
    for (i = 1; i <= n; i++) {
        if (name[i] == "-")
            continue
        if (name[i] !~ /^[0-9]+$/ && !((file, name[i]) in figure)) {
            print "area: " name[i] ": no such figure (chip.awk)" >"/dev/stderr"
            exit bad = 2
        }
        r *= name[i] ~ /^[0-9]+$/ ? name[i] : figure[file, name[i]]
    }
    return r
}
