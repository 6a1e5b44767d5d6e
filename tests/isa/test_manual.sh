#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# isa/ISA.md is what the data say now.
set -u
if [ -z "${TESSERA_GEN:-}" ]; then
    echo 'skipped: TESSERA_GEN is not set'
    exit 77
fi
"$TESSERA_GEN" md ISA.md || exit 1
if ! diff -u "$TESSERA_SOURCE_DIR/isa/ISA.md" ISA.md >difference.txt; then
    head -n 20 difference.txt
    echo "isa/ISA.md is stale: run $TESSERA_GEN md isa/ISA.md"
    exit 1
fi
