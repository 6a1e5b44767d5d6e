# SPDX-License-Identifier: Apache-2.0
# awk -f mutate_where.awk PRIMS.sv: each primitive's module as tsr_where_primitive (mutate_lane.sv).
/^module tsr_prim_/ {
    name = $2
    two = 0
}
name == "" { next }
/ b_i,/ { two = 1 }
/^\);/ {
    print ");\n  tsr_where_primitive #(.Difference(" (name == "tsr_prim_sub") ")) u_where ("
    print "    .on_i(on_i), .a_i(a_i), .b_i(" (two ? "b_i" : "32'd0") "),"
    print "    .mutsel(mutsel), .d_o(d_o)\n  );\nendmodule"
    name = ""
    next
}
/ d_o$/ { print "  input logic [15:0] mutsel," }
{ print }
