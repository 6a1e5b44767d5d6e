# SPDX-License-Identifier: Apache-2.0
# CELL=name awk -f mutate_at.awk CUT.il CUT.il: the module with that cell's output as its only one.
BEGIN { name = ENVIRON["CELL"] }
FNR == NR {
    if ($1 == "cell")
        inside = $3 == name
    if (inside && $1 == "parameter" && ($2 == "\\Y_WIDTH" || $2 == "\\WIDTH"))
        width = $3
    if (inside && $1 == "connect" && $2 == "\\Y") {
        sub(/^ *connect [^ ]+ /, "")
        signal = $0
    }
    next
}
$1 == "wire" { sub(/ output [0-9]+/, "") }
/^end/ && signal != "" {
    print "  wire width " width " output 9999 \\tsr_at"
    print "  connect \\tsr_at " signal
}
{ print }
