# SPDX-License-Identifier: Apache-2.0
# awk -f mutate_cut.awk UNIT.il UNIT.il: the flat module tsr_cut with its state outside. Each
# flip-flop, each port of a memory and each module that is a part of its own makes place for ports
# of the module: what it holds, reads or gives comes in, what it would take goes out; of a write only
# the bits that are enabled.
$1 == "module" {
    module = $2
    other = module != "\\tsr_cut"
}
FNR == NR {
    if (other && $1 == "wire" && / (input|output) [0-9]+ /) {
        box[module] = 1
        port_width[module, $NF] = $2 == "width" ? $3 : 1
        given[module, $NF] = / output /
    }
    next
}
other || /^attribute/ { next }
/^  cell \$(dff|memrd|memrd_v2|memwr|memwr_v2) / || ($1 == "cell" && $2 in box) {
    inside = 1
    type = $2
    name = $3
    gsub(/[^A-Za-z0-9]/, "_", name)
    delete value
    delete wire
    next
}
inside && $1 == "parameter" { value[$(NF - 1)] = $NF }
inside && $1 == "connect" {
    port = $2
    sub(/^ *connect [^ ]+ /, "")
    wire[port] = $0
}
inside && /^  end/ {
    inside = 0
    width = value["\\WIDTH"]
    if (type in box) {
        for (port in wire) {
            what = port
            gsub(/[^A-Za-z0-9]/, "_", what)
            if (given[type, port])
                into(port_width[type, port], what, wire[port])
            else
                out(port_width[type, port], what, wire[port])
        }
    } else if (type == "$dff") {
        into(width, "q", wire["\\Q"])
        out(width, "d", wire["\\D"])
    } else if (type ~ /memrd/) {
        into(width, "data", wire["\\DATA"])
        out(value["\\ABITS"], "addr", wire["\\ADDR"])
    } else {
        out(width, "en", wire["\\EN"])
        out(value["\\ABITS"], "addr", wire["\\ADDR"])
        port_of(width, "output", "data")
        print "  cell $and \\" name "_enabled"
        print "    parameter \\A_SIGNED 0\n    parameter \\B_SIGNED 0"
        print "    parameter \\A_WIDTH " width "\n    parameter \\B_WIDTH " width
        print "    parameter \\Y_WIDTH " width
        print "    connect \\A " wire["\\DATA"] "\n    connect \\B " wire["\\EN"]
        print "    connect \\Y \\" name "_data\n  end"
    }
    next
}
inside || /^  attribute/ { next }
/^  memory / { next }
{ print }
function port_of(width, way, what) {
    print "  wire width " width " " way " " (1000 + ++ports) " \\" name "_" what
}
function into(width, what, signal) {
    port_of(width, "input", what)
    print "  connect " signal " \\" name "_" what
}
function out(width, what, signal) {
    port_of(width, "output", what)
    print "  connect \\" name "_" what " " signal
}
