#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: nosan
# A folder includes only what lies below it: include <- isa <- kernels | sim <- sim/project and
# sim/suite <- sim/weights <- sim/infer <- sim/cli. kernels and sim never see each other, but the
# top sees both. Tests and benchmarks stand outside: nobody includes them.
set -u
cd "${1:-$TESSERA_SOURCE_DIR}" || exit 1
# shellcheck disable=SC2046
awk '
function floor_of(path) {
    if (path ~ /^(include\/)?tessera\//) return "include"
    if (path ~ /^isa\//) return "isa"
    if (path ~ /^kernels\//) return "kernels"
    if (path ~ /^sim\/cli\//) return "cli"
    if (path ~ /^sim\/project\//) return "project"
    if (path ~ /^sim\/suite\//) return "suite"
    if (path ~ /^sim\/weights\//) return "weights"
    if (path ~ /^sim\/infer\//) return "infer"
    if (path ~ /^sim\//) return "sim"
    return "outside"
}
BEGIN {
    below["include"] = " include "
    below["isa"] = " include isa "
    below["kernels"] = " include isa kernels "
    below["sim"] = " include isa sim "
    below["project"] = " include isa kernels sim project "
    below["suite"] = " include isa kernels sim suite "
    below["weights"] = " include isa project weights "
    below["infer"] = " include isa kernels sim project weights infer "
    below["cli"] = " include isa kernels sim project suite weights infer cli "
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    from = floor_of(FILENAME)
    if (part[2] !~ /\//) {
        printf "%s:%d: \"%s\": write the path from the root\n", FILENAME, FNR, part[2]
        bad = 1
    } else if (index(below[from], " " floor_of(part[2]) " ") == 0) {
        printf "%s:%d: \"%s\" does not lie below %s\n", FILENAME, FNR, part[2], from
        bad = 1
    }
}
/^[ \t]*#[ \t]*include[ \t]*<tessera\// {
    printf "%s:%d: quotes for our own headers\n", FILENAME, FNR
    bad = 1
}
END { exit bad }' $(find include isa kernels sim -name '*.[ch]')
