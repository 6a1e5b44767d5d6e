#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow
# The README's example is what the program prints: the command of its console block, run, must give
# the lines below it.
set -eu
readme=$TESSERA_SOURCE_DIR/README.md
awk '/^```console$/ { on = 1; next } /^```$/ { on = 0 } on' "$readme" >block.txt
command=$(sed -n '1s/^\$ \.\/run tessera //p' block.txt)
if [ -z "$command" ]; then
    echo "README.md: no console block that starts with '$ ./run tessera'" >&2
    exit 1
fi
sed 1d block.txt >want.txt
# shellcheck disable=SC2086
"$TESSERA_PROGRAM" $command >got.txt
if ! diff -u want.txt got.txt; then
    echo "README.md: the example is not what the program prints (wanted: -, got: +)" >&2
    exit 1
fi
