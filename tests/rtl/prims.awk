# SPDX-License-Identifier: Apache-2.0
# From the primitives' modules: bench.sv, which holds a primitive by its number and the whole lane,
# and bench.h, which names them for prims.cpp. -v latencies="2 4 ...": the lane's outputs.
function sv(text) { print text > "bench.sv" }
function header(text) { print text > "bench.h" }

/^module tsr_prim_/ {
    name = substr($2, length("tsr_prim_") + 1)
    names[n++] = name
}
/input  logic \[/ {
    ports[name] = ports[name] (ports[name] == "" ? "" : ", ") "p" substr($4, 1, 3)
}
END {
    k = split(latencies, l, " ")
    sv("module bench (\n  input  logic clk_i,\n  input  logic [7:0] index_i,")
    sv("  input  tsr_isa_pkg::tvp_op_e op_i,")
    for (i = 1; i <= 6; i++)
        sv("  input  logic [31:0] " substr("a b c papbpc", 2 * i - 1, i < 4 ? 1 : 2) "_i,")
    for (i = 1; i <= k; i++)
        sv("  output logic [31:0] d" l[i] "_o,")
    sv("  output logic [31:0] d_o\n);\n  always_comb begin\n    case (index_i)")
    for (i = 0; i < n; i++)
        sv("      8'd" i ": d_o = tsr_prim_pkg::prim_" names[i] "(" ports[names[i]] ");")
    sv("      default: d_o = 32'd0;\n    endcase\n  end\n  logic en_i;\n  assign en_i = 1'b1;\n  tsr_lane u_lane (.*);\nendmodule")

    list = ""
    for (i = 0; i < n; i++)
        list = list "\"" names[i] "\", "
    header("static const char *const prim_names[] = {" list "};")
    list = ""
    for (i = 1; i <= k; i++)
        list = list l[i] ", "
    header("static const int lane_latencies[] = {" list "};")
    header("static uint32_t lane_result(const Vbench &v, int latency)\n{")
    for (i = 1; i <= k; i++)
        header("    if (latency == " l[i] ")\n        return v.d" l[i] "_o;")
    header("    return 0;\n}")
}
