#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# Programs that each aim at one edge of a unit (random_edge.h), on the RTL of micro beside the
# simulator; one in eight of them, nightly all.
set -eu
sh "$TESSERA_SOURCE_DIR/tests/rtl/harness.sh" micro
every=8
[ -z "${TESSERA_NIGHTLY:-}" ] || every=1
"$TESSERA_BINARY_DIR/tessera-rtl-micro" edges all --every "$every" >out.txt 2>&1 || {
    cat out.txt
    exit 1
}
cat out.txt
# an empty list would be equal, too
awk '/programs in lock-step/ { n = $1 } END { exit n < 1000 }' out.txt
