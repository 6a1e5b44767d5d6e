#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: arm
# Bits do not depend on the compiler: the digests of kernels.bits of this build against those of the
# builds beside it (gcc for this host, clang for Arm), at two vector lengths.
set -eu
# digests PROGRAM BYTES-OF-A-VECTOR; the preset default is this host's own.
digests() {
    case $(uname -m):$1 in
    aarch64:* | *:*/default/tests/*) ;;
    *) set -- qemu-aarch64 -cpu "max,sve-default-vector-length=$2" "$1" ;;
    esac
    [ $# -gt 2 ] || set -- "$1"
    "$@" | sed -n 's/^bits: //p' | sort -u
}

program=tests/test_kernels_bits
for bytes in 16 64; do
    digests "$TESSERA_BINARY_DIR/$program" $bytes >mine
    [ "$(wc -l <mine)" -ge 45 ]
    # One digest an operation: all variants of the same bits agree.
    [ -z "$(cut -d' ' -f1 mine | uniq -d)" ] || {
        cut -d' ' -f1 mine | uniq -d | sed 's/$/: variants differ/' >&2
        exit 1
    }
    for other in default aarch64; do
        their=$(dirname "$TESSERA_BINARY_DIR")/$other/$program
        [ "$their" != "$TESSERA_BINARY_DIR/$program" ] || continue
        if [ ! -x "$their" ]; then
            echo "$other is not built: not compared"
            continue
        fi
        digests "$their" $bytes >theirs
        join mine theirs | awk -v bits=$((bytes * 8)) -v other="$other" '
            { n++ }
            $2 != $3 {
                print $1 " at " bits " bits: " $2 ", of " other " " $3 > "/dev/stderr"
                bad = 1
            }
            END { print n " operations as of " other; exit bad || n < 40 }'
    done
done
