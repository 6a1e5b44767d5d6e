# SPDX-License-Identifier: Apache-2.0
# buffers.awk [PART.ports]... FLAT.blif: the netlist as Verilog in which a net with more than `limit`
# inputs is a tree of BUFX4. -v name=UNIT -v limit=16 -v counts=FILE (their number) -v ports=FILE
# ("MODULE UNIT", then of each port its name and what it is called here). A part (a cell whose ports
# are given) is an instance of its own netlist. Outputs are not inputs of a cell, a part's input is
# one.
function number(name) {
    while (name in alias)
        name = alias[name]
    if (!(name in id))
        id[name] = ++nets
    return id[name]
}
function buffer(from, to) { printf "BUFX4 b%d (.A(n%d), .Y(n%d));\n", ++buffers, from, to }

# "$paramod$HASH\tsr_x", "$paramod\tsr_x\A=.." and "tsr_x" are of module tsr_x.
function base(type) {
    sub(/^\$paramod(\$[0-9a-f]+)?\\/, "", type)
    sub(/\\.*/, "", type)
    return type
}
function netlist(unit) {
    gsub(/[^A-Za-z0-9_]/, "_", unit)
    return "unit_" unit
}
# The pin of cell type as its netlist names it, and whether it is an output.
function pin_of(type, pin) { return type in part_of ? called[type, pin] : pin }
function drives(type, pin) {
    return type in part_of ? pin_of(type, pin) ~ /^o/ : pin ~ /^(Y|Q|YS|YC)$/
}

# Leaves for `count` inputs of net n, and what drives them: tree[n, level, leaf].
function grow(n, count, level,    leaves, k) {
    leaves = int((count + limit - 1) / limit)
    if (leaves > limit)
        grow(n, leaves, level + 1)
    for (k = 0; k < leaves; k++) {
        tree[n, level, k] = ++nets
        buffer(leaves > limit ? tree[n, level + 1, int(k / limit)] : n, nets)
    }
}
# The net that the next input on net n takes.
function tap(n) {
    if (sinks[n] <= limit || n in tied)
        return n
    if (!used[n]++)
        grow(n, sinks[n], 0)
    return tree[n, 0, int((used[n] - 1) / limit)]
}
FILENAME ~ /\.ports$/ {
    if (FNR == 1) {
        type = $1
        part_of[type] = $2
    } else
        called[type, $1] = $2
    next
}
{
    if (substr($0, length($0)) == "\\") {
        joined = joined substr($0, 1, length($0) - 1) " "
        next
    }
    $0 = joined $0
    joined = ""
}
$1 == ".inputs" { for (i = 2; i <= NF; i++) input[++inputs] = $i }
$1 == ".outputs" { for (i = 2; i <= NF; i++) output[++outputs] = $i }
$1 == ".names" && NF == 3 { alias[$3] = $2 }
$1 == ".names" && NF == 2 { constant[++constants] = $2 }
$1 == ".names" && NF > 3 { print "a function is left: " $0 >"/dev/stderr"; exit 1 }
$1 == ".gate" || $1 == ".subckt" { cell[++cells] = $0 }
END {
    for (i = 1; i <= inputs; i++)
        number(input[i])
    for (c = 1; c <= cells; c++) {
        n = split(cell[c], part, " ")
        type = base(part[2])
        for (i = 3; i <= n; i++) {
            at = index(part[i], "=")
            pin = substr(part[i], 1, at - 1)
            if (pin != "CLK" && pin != "clk_i" && !drives(type, pin))
                sinks[number(substr(part[i], at + 1))]++
        }
    }
    clk = number("clk_i")
    printf "module %s (clk", netlist(name)
    for (i = 1; i <= inputs; i++)
        if (input[i] != "clk_i")
            printf ", i%d", i
    for (i = 1; i <= outputs; i++)
        printf ", o%d", i
    print ");\ninput clk;"
    printf "assign n%d = clk;\n", clk
    for (i = 1; i <= inputs; i++)
        if (input[i] != "clk_i")
            printf "input i%d;\nassign n%d = i%d;\n", i, number(input[i]), i
    for (i = 1; i <= outputs; i++)
        printf "output o%d;\nassign o%d = n%d;\n", i, i, number(output[i])
    for (k = 1; k <= constants; k++) {
        tied[number(constant[k])] = 1
        printf "assign n%d = 1'b%d;\n", number(constant[k]), constant[k] == "$true"
    }
    for (c = 1; c <= cells; c++) {
        n = split(cell[c], part, " ")
        pins = ""
        type = base(part[2])
        for (i = 3; i <= n; i++) {
            at = index(part[i], "=")
            pin = substr(part[i], 1, at - 1)
            net = number(substr(part[i], at + 1))
            if (pin == "CLK" || pin == "clk_i")
                net = clk
            else if (!drives(type, pin))
                net = tap(net)
            pins = pins (pins == "" ? "" : ", ") "." pin_of(type, pin) "(n" net ")"
        }
        printf "%s c%d (%s);\n", type in part_of ? netlist(part_of[type]) : type, c, pins
    }
    print "endmodule"
    print buffers + 0 >counts
    print module, name >ports
    print "clk_i clk" >ports
    for (i = 1; i <= inputs; i++)
        if (input[i] != "clk_i")
            printf "%s i%d\n", input[i], i >ports
    for (i = 1; i <= outputs; i++)
        printf "%s o%d\n", output[i], i >ports
}
