#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: arm
# No object of the library holds an instruction above its level: a core of that level would trap on
# it. Each is disassembled for the processor that its level's -march names, and what that processor
# lacks comes out as <unknown>. Objects without a level are held to armv8-a, so that the program
# starts anywhere.
#   TESSERA_LEVELS   LEVEL=MARCH words, the table of CMakeLists.txt
#   TESSERA_OBJECTS  a file that names the library's objects, one a line
set -eu
for tool in llvm-objdump-19 llvm-mc-19; do
    if ! command -v $tool >/dev/null; then
        echo "$tool not found: install llvm-19" >&2
        exit 1
    fi
done

# disassembled MARCH OBJECT...: armv8.2-a+sve+i8mm is to LLVM the attributes +v8.2a,+sve,+i8mm.
disassembled() {
    attributes=$(printf '%s\n' "$1" | sed 's/+/,+/g; s/^armv\([0-9.]*\)-a/+v\1a/')
    shift
    llvm-objdump-19 -d --mattr="$attributes" "$@"
}

# The check finds what it is for. Lines: levels that have the instruction: instruction.
cat >probes <<'END_OF_PROBES'
neon dotprod sve sve2 i8mm bf16 v86 sleef: fadd v0.4s, v1.4s, v2.4s
sve sve2 i8mm bf16 v86 sleef: fadd v0.8h, v1.8h, v2.8h
dotprod sve sve2 i8mm bf16 v86 sleef: casal w0, w1, [x2]
dotprod: sdot v0.4s, v1.16b, v2.16b
sve sve2 i8mm bf16 v86 sleef: ld1rqb { z0.b }, p0/z, [x0]
sve sve2 i8mm bf16 v86 sleef: sdot z0.s, z1.b, z2.b
sve2: sqxtnb z0.b, z1.h
i8mm v86: smmla z0.s, z1.b, z2.b
i8mm v86: smmla v0.4s, v1.16b, v2.16b
bf16 v86: bfmmla z0.s, z1.h, z2.h
bf16 v86: bfcvt z0.h, p0/m, z1.s
END_OF_PROBES
sed 's/.*: //' probes | llvm-mc-19 -triple=aarch64-linux-gnu -mattr=+all -filetype=obj -o probes.o
for row in $TESSERA_LEVELS; do
    disassembled "${row#*=}" probes.o | grep -E '^ *[0-9a-f]+: ' >listing
    paste -d: probes listing | awk -v level="${row%%=*}" '
        {
            has = index(" " substr($0, 1, index($0, ":") - 1) " ", " " level " ") > 0
            if (has == ($0 ~ /\t<unknown>$/)) {
                printf "level %s: taken for %s: %s\n", level, has ? "above" : "its own", $0
                bad = 1
            }
        }
        END { exit bad || NR != 11 }' >&2
done

# march_of OBJECT: of its level, or of no level.
march_of() {
    level=$(printf '%s\n' "$1" | sed -n 's/.*_\([a-z0-9]*\)\.c\.o$/\1/p')
    for row in $TESSERA_LEVELS; do
        case "$1 $row" in
        */kernels/*" $level="*)
            echo "${row#*=}"
            return
            ;;
        esac
    done
    echo armv8-a
}

while read -r object; do
    printf '%s %s\n' "$(march_of "$object")" "$object"
done <"$TESSERA_OBJECTS" >marches
bad=0
for march in $(cut -d' ' -f1 marches | sort -u); do
    # shellcheck disable=SC2046
    disassembled "$march" $(sed -n "s/^$march //p" marches) | awk -v march="$march" '
        /file format/ { object = $1; sub(/:$/, "", object); objects += /elf64-littleaarch64/ }
        /\t<unknown>$/ { print object " is above " march ": " $0 > "/dev/stderr"; bad = 1 }
        END { print march ": " objects + 0 " objects"; exit bad || !objects }' || bad=1
done
# Every level has files, but for sleef, which may be left out.
for row in $TESSERA_LEVELS; do
    if [ "${row%%=*}" != sleef ] && ! grep -q "^${row#*=} " marches; then
        echo "no object of level ${row%%=*}" >&2
        bad=1
    fi
done
exit $bad
