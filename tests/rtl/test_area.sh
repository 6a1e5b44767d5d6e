#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# ./run area on one small unit: flip-flops and memory against the formula of its RTL, cells and area
# against the netlist counted apart; the same unit as a part and a rest, the same bytes twice; a
# bank's area scaled.
set -eu
lib=/usr/share/qflow/tech/osu018/osu018_stdcells.lib
sh "$TESSERA_SOURCE_DIR/tests/rtl/need.sh" yosys sta "$lib"
area=$TESSERA_SOURCE_DIR/rtl/area/area.sh
fail() {
    echo "$1" >&2
    exit 1
}

TSR_AREA_DIR=$PWD/area sh "$area" "$TESSERA_GEN" --json queue_acc >area.json
figure() { sed -n "s/.*\"queue_acc\".*\"$1\": \([0-9.]*\).*/\1/p" area.json; }

# tsr_queue.sv: head and tail of log2(depth) bits, a count of one more; places of 17 + 128 + 64 a
# slot.
sv=area/sv
depth=$(sed -n 's/.*TILE_QUEUE_DEPTH = \([0-9]*\);.*/\1/p' $sv/micro/tsr_chip_pkg.sv)
slots=$(sed -n 's/.* SLOTS_ACC = \([0-9]*\);.*/\1/p' $sv/tsr_isa_pkg.sv)
w=0
while [ $((1 << w)) -lt "$depth" ]; do w=$((w + 1)); done
[ "$(figure flops)" = $((3 * w + 1)) ] || fail "flip-flops: $(figure flops), not $((3 * w + 1))"
bits=$((depth * (145 + 64 * slots)))
[ "$(figure memory_bits)" = $bits ] || fail "memory bits: $(figure memory_bits), not $bits"

# Of the timing's netlist, the instances that memory.v did not bring: those stand in no .stat.
cells=$(awk '/^ +[A-Z0-9]+ +[0-9]+$/ && !/mem/ { n += $2 } END { print n }' area/queue_acc.stat)
buffers=$(grep -c '^BUFX4 b' area/queue_acc.v)
[ "$(figure cells)" = $((cells + buffers)) ] || fail "cells: $(figure cells), not $cells + $buffers"
um2=$(awk -v buffers="$buffers" '
    FNR == NR && /^cell/ { gsub(/^cell *\(|\).*$/, ""); cell = $0 }
    FNR == NR && /^area/ { gsub(/[^0-9.]/, ""); area[cell] = $0 }
    FNR != NR && NF == 2 && $1 in area { sum += $2 * area[$1] }
    END { print sum + buffers * area["BUFX4"] }' "$lib" area/queue_acc.stat)
[ "$(figure um2)" = "$um2" ] || fail "area: $(figure um2), not $um2"
ns=$(figure path_ns)
awk -v ns="$ns" 'BEGIN { exit !(ns > 1 && ns < 100) }' || fail "path of $ns ns"

# The same unit with a part in a row of its own, as if there were two: asked for the unit, both are
# there, of the same gates but for buffers, and the unit's path goes on through its part.
cat >units.txt <<'UNITS'
queue_acc  tsr_queue  Queue=2,Slots=SLOTS_ACC  1  -
wait       tsr_wait   Queue=2                  2  queue_acc
UNITS
for run in parts again; do
    TSR_AREA_UNITS=units.txt TSR_AREA_DIR=$PWD/$run sh "$area" "$TESSERA_GEN" --json queue_acc \
        >$run.json
done
cmp parts.json again.json
python3 - <<'PY'
import json, re, sys

def gates(stat, of="unit"):  # of a module, by the cells' names: no memories, no parts
    text = re.split(r"^=== (.*) ===$", open(stat).read(), flags=re.M)
    named = dict(zip(text[1::2], text[2::2]))
    body = next(named[name] for name in named if of in name)
    return sum(int(n) for n in re.findall(r"^ +[A-Z][A-Z0-9]+ +(\d+)$", body, re.M))

one = json.load(open("area.json"))["units"][0]
report = json.load(open("parts.json"))
wait, rest = report["units"]
if (wait["count"], rest["count"]) != (2, 1):
    sys.exit(f"counts {wait['count']} and {rest['count']}")
for unit in (wait, rest):
    buffers = int(open(f"parts/{unit['unit']}.buffers").read())
    if unit["cells"] != gates(f"parts/{unit['unit']}.stat") + buffers:
        sys.exit(f"{unit}")
if gates("parts/wait.stat") != gates("area/queue_acc.blocks", "tsr_wait"):
    sys.exit("the part is not what it is within the whole")
if wait["flops"] != 0 or any(rest[key] != one[key] for key in ("flops", "memory_bits")):
    sys.exit("the part and the rest do not have the whole's state")
if any(report["sum"][key] != 2 * wait[key] + rest[key] for key in ("cells", "um2")):
    sys.exit(f"sum {report['sum']}")
if not wait["path_ns"] < rest["path_ns"]:
    sys.exit(f"a path of {rest['path_ns']} ns through a part of {wait['path_ns']} ns")
PY
grep -q ' c[0-9]*/c[0-9]*/Y' parts/queue_acc.timing || fail 'the path does not enter the part'

# tsr_bank is as wide as a line: on another chip by the ratio of the lines, without buffers exactly.
line() { sed -n 's/.*TILE_LINE_BYTES = \([0-9]*\);.*/\1/p' "area/sv/$1/tsr_chip_pkg.sv"; }
TSR_AREA_DIR=$PWD/scaled sh "$area" "$TESSERA_GEN" --json --chip maia100 tsr_bank >scaled.json
scaled() { sed -n "s/.*\"unit\".*\"$1\": \([0-9]*\).*/\1/p" scaled.json; }
[ "$(scaled um2)" = $(($(scaled micro_um2) * $(line maia100) / $(line micro))) ] ||
    fail "scaled: $(cat scaled.json)"
echo '{ figures(1) } END { print product("LEVELS,ADDRESS,ELEMS,FOLDS,2", 1) }' >figures.awk
got=$(awk -f "$TESSERA_SOURCE_DIR/rtl/area/chip.awk" -f figures.awk area/sv/maia100/tsr_chip_pkg.sv)
# 64 lanes: a tree of 6 folds and its leaves; 4 MiB
[ "$got" = $((7 * 22 * 64 * 63 * 2)) ] || fail "figures of maia100: $got"
sed -n 's/^\(tsr_[a-z0-9_]*\) .*/\1/p' "$TESSERA_SOURCE_DIR/rtl/area/drivers.txt" >scaled.modules
while read -r module; do
    grep -qr "^module $module\b" "$TESSERA_SOURCE_DIR/rtl" area/sv || fail "drivers.txt: $module"
done <scaled.modules

# A base in which the queue is 1000 um2 smaller, in a tile of 10^6: a tenth of a per cent of it.
sed "s/\"um2\": $um2/\"um2\": $((um2 - 1000))/; s/\"sum\"/\"tile\"/g" area.json |
    sed '/"tile"/s/"um2": [0-9]*/"um2": 1000000/' >base.json
TSR_AREA_DIR=$PWD/priced sh "$area" "$TESSERA_GEN" --json --base base.json queue_acc >priced.json
grep -q '"tile".*"um2": 1001000,.*"percent_of_tile": 0.1000' priced.json ||
    fail "priced: $(cat priced.json)"

refused() { # EXIT MESSAGE ARGS...
    want=$1 message=$2 code=0
    shift 2
    TSR_AREA_DIR=$PWD/refused sh "$area" "$TESSERA_GEN" "$@" 2>said || code=$?
    { [ $code = "$want" ] && grep -q "$message" said; } || fail "$*: exit $code, $(cat said)"
}
refused 2 'no such unit' no_such_unit
refused 3 'no such file' --isa none.yaml queue_acc
refused 3 'not the output of' --base area.json queue_acc
refused 3 'of another chip' --base base.json --chip maia100 queue_acc
echo 'rows: []' >wrong.yaml
refused 3 'wrong.yaml:1:1: rows: unknown key' --isa wrong.yaml queue_acc

# Nightly the tile: the memories' bits by the chip's figures, the tile's row by its units'.
[ -n "${TESSERA_NIGHTLY:-}" ] || exit 0
TSR_AREA_DIR=$PWD/all sh "$area" "$TESSERA_GEN" --json >all.json
python3 - $sv/micro/tsr_chip_pkg.sv all.json <<'END'
import json, re, sys

text = open(sys.argv[1]).read()
chip = {key: int(n) for key, n in re.findall(r" (TILE_\w+) = (?:64'd)?(\d+);", text)}
area = json.load(open(sys.argv[2]))
units = {unit["unit"]: unit for unit in area["units"]}
for unit, bits in (
    ("control", 8 * chip["TILE_CONTROL_BYTES"]),
    ("tsram", 8 * chip["TILE_TSRAM_BYTES"]),
):
    if units[unit]["memory_bits"] != bits:
        sys.exit(f"{unit}: {units[unit]['memory_bits']} bits, not {bits}")
for key in ("cells", "flops", "memory_bits"):
    whole = sum(unit["count"] * unit[key] for unit in area["units"])
    if area["tile"][key] != whole:
        sys.exit(f"tile: {key} {area['tile'][key]}, not {whole}")
for unit in area["units"]:
    if unit["cells"] == 0 or not 0 < unit["path_ns"] <= area["tile"]["path_ns"]:
        sys.exit(f"{unit}")
END
