#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: nosan
# The README's program builds against the library as it is, warns of nothing, and is right: the sums
# of (i % 3) (i % 5) over the first 64 products, and those of the last row and column.
set -eu
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$TESSERA_SOURCE_DIR/README.md" >example.c
[ "$(wc -l <example.c)" -ge 30 ]
"$TESSERA_CC" -std=c11 -Wall -Wextra -Werror -I"$TESSERA_SOURCE_DIR/include" -o example example.c \
    "$TESSERA_BINARY_DIR/libtessera.a" -lyaml -ljansson -lpthread -lm
./example >got.txt
want=$(awk 'BEGIN {
    for (p = 0; p < 64; p++) {
        first += (p % 3) * (p % 5)
        last += ((64 + p) % 3) * ((47 * 64 + p) % 5)
    }
    print first, last
}')
case $(cat got.txt) in
"$want by "*": "*) ;;
*)
    echo "README.md: the example prints $(cat got.txt), want $want by ..." >&2
    exit 1
    ;;
esac
