#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# harness.sh CHIP: what the tests here begin with: tessera-rtl-CHIP, up to date. Exit 77 without
# Verilator, 1 with the end of the build's output where it fails. One build at a time: tests that
# run beside one another want the same program, and two builds in one directory spoil each other.
set -eu
sh "$TESSERA_SOURCE_DIR/tests/rtl/need.sh" verilator
flock "$TESSERA_BINARY_DIR/tests/rtl" \
    cmake --build "$TESSERA_BINARY_DIR" --target "tessera-rtl-$1" >build.txt 2>&1 || {
    tail -n 40 build.txt >&2
    exit 1
}
