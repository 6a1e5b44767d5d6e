#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutate.sh BUILD OUT [N] [SEED]: how many of N small mistakes in the simulator's time and meaning
# (sim/time, sim/exec, isa/num) the tests of sim and num notice, then programs in lock-step with the
# RTL where BUILD has tessera-rtl-micro. BUILD: a directory of the default preset, built. Prints
# "killed N of M" and the survivors; OUT/results has a line per mutant.
set -eu
build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
n=${3:-200} seed=${4:-1}
cd "$(dirname "$0")/../.."
flags="-std=c11 -D_GNU_SOURCE -O1 -w -I. -Iinclude -I$build/generated -ffp-contract=off"
libs="$build/libtessera.a -lcmocka -lmpfr -lgmp -lyaml -ljansson -lm -lpthread"
files=$(ls sim/time/*.c sim/exec/*.c isa/num/*.c | grep -v dma_observe)
objects=

mkdir -p "$out/sim/time" "$out/sim/exec" "$out/isa/num" "$out/bin"
: >"$out/without"
# A mutant that does not compile leaves its line alone.
for round in 1 2 3 4 5 6; do
    # shellcheck disable=SC2086
    awk -v n="$n" -v seed="$seed" -v out="$out" -v without="$out/without" \
        -f tests/sim/mutate.awk $files
    wrong=0 objects=
    for f in $files; do
        object=$out/$(echo "$f" | tr / _ | sed 's/c$/o/')
        objects="$objects $object"
        # shellcheck disable=SC2086
        gcc $flags -include tests/sim/mutant.h -I"$(dirname "$f")" -c "$out/$f" -o "$object" \
            2>"$out/errors" || {
            wrong=1
            sed -n "s,^$out/\([^:]*:[0-9]*\):.*error.*,\1,p" "$out/errors" >>"$out/without"
        }
    done
    [ $wrong = 1 ] || break
done
[ $wrong = 0 ] || {
    cat "$out/errors" >&2
    exit 1
}
# shellcheck disable=SC2086
gcc $flags -c tests/sim/mutant.c -o "$out/mutant.o"

support=
for f in $(ls tests/support/*.c tests/num/ttu_o*.c | grep -v bench_limits); do
    object=$out/$(echo "$f" | tr / _ | sed 's/c$/o/')
    # shellcheck disable=SC2086
    [ -s "$object" ] || gcc $flags -c "$f" -o "$object"
    support="$support $object"
done
rm -f "$out/support.a"
# shellcheck disable=SC2086
ar rc "$out/support.a" $support

programs=
for t in ${TESSERA_MUTATE_TESTS:-tests/sim/test_*.c tests/num/test_*.c}; do
    program=$out/bin/$(echo "$t" | tr / _)
    # shellcheck disable=SC2086
    if gcc $flags $t $objects "$out/mutant.o" "$out/support.a" $libs -o "$program" \
        2>"$out/errors"; then
        if TESSERA_MUTANT=0 timeout 120 "$program" >"$out/log" 2>&1; then
            programs="$programs $program"
        else
            echo "left out, fails without a mutant: $t" >&2
        fi
    else
        echo "left out, does not link: $t:" >&2
        grep -m 1 -E 'error|undefined' "$out/errors" >&2
    fi
done
rtl=
dir=$build/tests/rtl/tessera-rtl-micro
if [ "${TESSERA_MUTATE_PROGRAMS:-8}" != 0 ] && [ -d "$dir" ]; then
    # shellcheck disable=SC2046,SC2086
    g++ $(ls "$dir"/*.o) $objects "$out/mutant.o" \
        $(find "$build/tests/rtl" -name record.c.o) $libs -o "$out/bin/lockstep" \
        2>"$out/errors" &&
        rtl=$out/bin/lockstep || echo "left out: lock-step: $(head -n 1 "$out/errors")" >&2
fi

# What notices mutant $1: the test's name, or nothing. A test that takes ten minutes decides
# nothing: the mutant goes on to the next.
noticed() {
    for program in $programs $rtl; do
        words= code=0
        [ "$program" != "$rtl" ] || words="random ${TESSERA_MUTATE_PROGRAMS:-8} --seed 1"
        # shellcheck disable=SC2086
        (cd "$out/bin" &&
            TESSERA_MUTANT=$1 timeout 600 "$program" $words >"$out/log" 2>&1) || code=$?
        [ $code = 0 ] || [ $code = 124 ] || {
            basename "$program"
            return
        }
    done
}
: >"$out/results"
while read -r number rest; do
    by=$(noticed "$number")
    echo "$number ${by:-SURVIVED} $rest" >>"$out/results"
done <"$out/mutants"
grep SURVIVED "$out/results" || true
awk '{ all++; if ($2 != "SURVIVED") { killed++; by[$2]++ } }
    END { for (t in by) printf "  %4d by %s\n", by[t], t | "sort -rn"; close("sort -rn")
        printf "killed %d of %d\n", killed, all }' "$out/results"
