#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench.sh DIR TOP OPTIMISE ARGS...: a bench of the RTL (its module TOP) with libtessera, verilated
# from the files among ARGS and compiled with OPTIMISE: DIR/VTOP. The log is DIR.log.
set -eu
dir=$1 top=$2 optimise=$3
shift 3
root=$TESSERA_SOURCE_DIR
! command -v ccache >which.txt 2>&1 || export OBJCACHE=ccache
verilator --cc --exe --build -O3 --x-assign fast --top-module "$top" -Mdir "$dir" \
    -MAKEFLAGS "OPT_FAST=$optimise OPT_SLOW=-O0" \
    -CFLAGS "-std=c++17 -I$root -I$root/include -I$PWD" \
    -LDFLAGS "$TESSERA_BINARY_DIR/libtessera.a -lyaml -ljansson -lm -lpthread" \
    "$@" >"$dir.log" 2>&1 || {
    tail -n 20 "$dir.log" >&2
    exit 1
}
