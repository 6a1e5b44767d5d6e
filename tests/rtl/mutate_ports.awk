# SPDX-License-Identifier: Apache-2.0
# awk -f mutate_ports.awk -v unit= -v number= -v parameters="A=1" -v out=DIR mutate_ports.txt \
#     DIR/part.sv rtl/tsr_UNIT.sv: what mutate.sh makes of a unit's ports, as yosys lists them:
#   DIR/tap.sv   the unit, which tells its ports in every cycle; DIR/tap_UNIT.cpp writes them
#   DIR/unit.sv  the unit with all inputs in one port and all outputs in another, for the replay
#   DIR/unit.h   where the outputs stand there and when they matter
# In both vectors the first port stands on top.
FILENAME ~ /mutate_ports.txt$/ {
    if ($1 == unit) {
        rule[$2] = $3
        argument[$2] = $4
        each[$2] = $5
    }
    next
}
FILENAME ~ /part.sv$/ {
    if ($1 == "module")
        inside = $2 ~ "^tsr_" unit "(\\(|$)"
    if ($1 == "function") # has inputs, too
        inside = 0
    if (!inside || ($1 != "input" && $1 != "output"))
        next
    name = $NF
    sub(/;$/, "", name)
    split(NF > 2 ? $2 : "[0:0]", range, /[\[:\]]/)
    width = range[2] - range[3] + 1
    if (name in size)
        next
    size[name] = width
    if (name == "clk_i" || name == "rst_ni") {
        special = special ", ." name "(" name ")"
        next
    }
    port[$1, ++n[$1]] = name
    bits[$1] += width
    next
}
{ text = text $0 "\n" }
function list(side, prefix,    i, s) {
    for (i = 1; i <= n[side]; i++)
        s = s (i > 1 ? ", " : "") prefix port[side, i]
    return s
}
function words(side) { return int((bits[side] + 31) / 32) }
END {
    for (s = 1; s <= 2; s++) {
        side = s == 1 ? "input" : "output"
        at = bits[side]
        for (i = 1; i <= n[side]; i++) {
            at -= size[port[side, i]]
            lsb[port[side, i]] = at
        }
    }
    file = out "/unit.h"
    printf "enum { IN_BITS = %d, OUT_BITS = %d };\nconst port ports[] = {\n", bits["input"],
        bits["output"] >file
    for (i = 1; i <= n["output"]; i++) {
        p = port["output", i]
        r = p in rule ? rule[p] : "ALWAYS"
        a = argument[p]
        amount = r == "EACH" || r == "IF" ? size[a] : a + 0
        other = r == "EACH" || r == "IF" ? lsb[a] : each[p] + 0
        if (r == "ASKED" || r == "WITH")
            other = lsb[a] + size[a] - 1
        if (r == "WITH") { # the one bit on top of a struct
            r = "IF"
            amount = 1
        }
        printf "    {\"%s\", %d, %d, %s, %d, %d},\n", p, lsb[p], size[p], r, amount, other >file
    }
    print "};" >file

    file = out "/unit.sv"
    printf "module unit (input clk_i, input rst_ni, input [%d:0] in_i, output [%d:0] out_o);\n",
        bits["input"] - 1, bits["output"] - 1 >file
    for (s in size)
        if (s != "clk_i" && s != "rst_ni") {
            printf "  wire [%d:0] w_%s;\n", size[s] - 1, s >file
            joined = joined ", ." s "(w_" s ")"
        }
    given = parameters
    gsub(/[A-Za-z]+=[0-9]+/, ".&)", given)
    gsub(/=/, "(", given)
    printf "  assign {%s} = in_i;\n  assign out_o = {%s};\n", list("input", "w_"),
        list("output", "w_") >file
    printf "  tsr_%s %s u_unit (%s);\nendmodule\n", unit, given ? "#(" given ")" : "",
        substr(special joined, 3) >file

    file = out "/tap.sv"
    last = 0
    while (i = index(substr(text, last + 1), "endmodule"))
        last += i
    printf "%s", substr(text, 1, last - 1) >file
    printf "  bit [%d:0] tap_in;\n  bit [%d:0] tap_out;\n", bits["input"] - 1,
        bits["output"] - 1 >file
    printf "  assign tap_in = {%s};\n  assign tap_out = {%s};\n", list("input", ""),
        list("output", "") >file
    printf "  import \"DPI-C\" function void tsr_tap_begin%d();\n", number >file
    printf "  import \"DPI-C\" function void tsr_tap%d(input bit [%d:0] in,\n", number,
        bits["input"] - 1 >file
    printf "    input bit [%d:0] out);\n", bits["output"] - 1 >file
    printf "  initial tsr_tap_begin%d();\n  always @(negedge clk_i) tsr_tap%d(tap_in, tap_out);\n",
        number, number >file
    printf "%s", substr(text, last) >file

    # objects are named by file: each unit's has its own name
    file = out "/tap_" unit ".cpp"
    printf "#include \"tests/rtl/mutate_tap.h\"\nstatic tap ports;\n" >file
    printf "extern \"C\" void tsr_tap_begin%d()\n{\n    ports.begin(\"%s\");\n}\n", number,
        unit >file
    printf "extern \"C\" void tsr_tap%d(const svBitVecVal *in, const svBitVecVal *out)\n",
        number >file
    printf "{\n    ports.cycle(in, %d, out, %d);\n}\n", words("input"), words("output") >file
}
