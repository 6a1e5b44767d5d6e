#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh [--trained] PROGRAM CHIP PACKAGES LIBTESSERA RECORD.o [VERILATOR ARGS]: the harness of a
# chip's tile. Trained: compiled twice, the second time for the branches that random programs took
# in the first; twice as fast, for long campaigns. Not for chips with an array of its own (below).
# -O2 for what runs every cycle, -O0 for what runs once; no timing, one thread: a model of this size
# gains nothing by more. Of a large array of products (a chip's DIM above 4) one is verilated and
# compiled, all share it.
set -eu
trained=''
[ "$1" != --trained ] || { trained=1; shift; }
program=$1 chip=$2 sv=$3 library=$4 record=$5
shift 5
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(dirname "$program")/tests/rtl/$(basename "$program")
mkdir -p "$dir"
# its makefile does not know that the library has changed
rm -f "$program"
cd "$root"
files=$(cat "${TESSERA_RTL_FILES:-rtl/files.f}")
size="--unroll-count 64" fast=-O2
dim=$(sed -n 's/.* TILE_TTU_DIM = \([0-9]*\);/\1/p' "$sv/$chip/tsr_chip_pkg.sv")
if [ "$dim" -gt 4 ]; then
    # a module with parameters is not found again in the whole: those of the dot become constants
    sed 's/^    parameter int unsigned/    localparam int unsigned/' rtl/tsr_ttu_dot.sv \
        >"$dir/tsr_ttu_dot.sv"
    printf '`verilator_config\nhier_block -module "tsr_ttu_dot"\n' >"$dir/blocks.vlt"
    files=$(echo "$files" | sed "s,rtl/tsr_ttu_dot.sv,$dir/tsr_ttu_dot.sv,")
    size="--hierarchical --unroll-count 300 $dir/blocks.vlt" fast=-O1 trained=''
fi
[ "$trained" ] || ! command -v ccache >/dev/null || export OBJCACHE=ccache
compile() { # PROGRAM FLAGS [VERILATOR ARGS]
    to=$1 flags=$2
    shift 2
    # shellcheck disable=SC2046,SC2086
    verilator --cc --exe --build -O3 --x-assign fast --noassert -Wno-fatal -Wno-UNUSEDSIGNAL -j 2 \
        $size --top-module tsr_bench --Mdir "$dir" -o "$to" --output-split 20000 \
        --output-split-cfuncs 2000 -MAKEFLAGS "OPT_FAST=$fast OPT_SLOW=-O0 OPT_GLOBAL=-O1" \
        -CFLAGS "-std=c++17 -DTESSERA_CHIP='\"$chip\"' -I$root -I$root/include $flags" \
        -LDFLAGS "$flags $record $library -lyaml -ljansson -lm" "$@" \
        rtl/waivers.vlt -I"$sv/$chip" "$sv/tsr_isa_pkg.sv" "$sv/tsr_format_pkg.sv" \
        "$sv/tsr_table_pkg.sv" "$sv/$chip/tsr_chip_pkg.sv" $files \
        "$sv/tsr_prims.sv" "$sv/tsr_lane.sv" "$sv/tsr_tvp_parts.sv" tests/rtl/tsr_bench.sv \
        "$root"/tests/rtl/lockstep*.cpp "$root/tests/rtl/campaign.cpp" \
        "$root/tests/rtl/reduce.cpp" "$root"/tests/rtl/coverage*.cpp \
        "$root"/tests/rtl/random*.cpp "$root/${TESSERA_RTL_MAIN:-tests/rtl/tessera_rtl.cpp}" \
        >"$dir/build.log" 2>&1 || {
        grep -E -A 3 "(error|Error|\*\*\*)" "$dir/build.log" | head -n 60 >&2
        exit 1
    }
}
if [ "$trained" ]; then
    rm -f "$dir"/*.o "$dir"/*.a "$dir"/*.gcda
    compile "$dir/trainee" -fprofile-generate "$@"
    (cd "$dir" && ./trainee random 60 --seed 1 >trainee.log)
    rm -f "$dir"/*.o "$dir"/*.a
    flags="-fprofile-use -fprofile-partial-training -Wno-missing-profile"
else
    flags=''
fi
compile "$program" "$flags" "$@"
