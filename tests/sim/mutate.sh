#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mutate.sh BUILD OUT [N] [SEED]: how many of N small mistakes in the simulator's time and meaning
# (sim/time, sim/exec, isa/num) the tests of sim and num notice, then random programs in lock-step
# with the RTL where BUILD has tessera-rtl-micro. BUILD: a directory of the default preset, built.
# All mutants stand in one copy of the sources, TESSERA_MUTANT says which is awake (mutant.h). A
# test runs for a mutant only if it comes by the mutant's place, those with the most kills per
# second first, with twenty times the CPU seconds that it takes without a mutant: who needs more,
# loops, and is noticed. TESSERA_MUTATE_PROGRAMS (60; 0: none) random programs, seeds 1 and on.
# TESSERA_MUTATE_ONLY="3 17": these mutants alone. Prints a line per folder and the survivors;
# OUT/results has a line per mutant. The same OUT again: what is built is not built again.
set -eu
build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
n=${3:-200} seed=${4:-1}
cd "$(dirname "$0")/../.."
random=${TESSERA_MUTATE_PROGRAMS:-60}
flags="-std=c11 -D_GNU_SOURCE -O1 -w -I. -Iinclude -I$build/generated -ffp-contract=off"
libs="$build/libtessera.a -lcmocka -lmpfr -lgmp -lyaml -ljansson -lm -lpthread"
files=$(ls sim/time/*.c sim/exec/*.c isa/num/*.c | grep -v dma_observe)
objects=$(for f in $files; do echo "$out/$(echo "$f" | tr / _ | sed 's/c$/o/')"; done)

# The sources with their mutants; one that does not compile leaves its line alone.
mutants() {
    mkdir -p "$out/sim/time" "$out/sim/exec" "$out/isa/num"
    : >"$out/without"
    wrong=1
    for round in 1 2 3 4 5 6; do
        [ $wrong = 1 ] || break
        wrong=0
        # shellcheck disable=SC2086
        awk -v n="$n" -v seed="$seed" -v out="$out" -v without="$out/without" \
            -f tests/sim/mutate.awk $files
        for f in $files; do
            object=$out/$(echo "$f" | tr / _ | sed 's/c$/o/')
            ! cmp -s "$out/$f" "$out/$f.compiled" || continue
            # shellcheck disable=SC2086
            if gcc $flags -include tests/sim/mutant.h -I"$(dirname "$f")" -c "$out/$f" \
                -o "$object" 2>"$out/errors"; then
                cp "$out/$f" "$out/$f.compiled"
            else
                wrong=1
                sed -nE "s,^$out/([^:]*:[0-9]*):.*(error|expansion).*,\1,p" "$out/errors" |
                    head -n 1 >>"$out/without"
            fi
        done
    done
    [ $wrong = 0 ] || {
        echo "mutate: after $round rounds there are mutants that do not compile" >&2
        exit 1
    }
    # shellcheck disable=SC2086
    gcc $flags -c tests/sim/mutant.c -o "$out/mutant.o"
}

# bin/NAME for each test, and bin/lockstep.
programs() {
    mkdir -p "$out/bin"
    support=
    for f in $(ls tests/support/*.c tests/num/ttu_o*.c | grep -v bench_limits); do
        object=$out/$(echo "$f" | tr / _ | sed 's/c$/o/')
        # shellcheck disable=SC2086
        gcc $flags -c "$f" -o "$object"
        support="$support $object"
    done
    rm -f "$out/support.a"
    # shellcheck disable=SC2086
    ar rc "$out/support.a" $support
    for t in ${TESSERA_MUTATE_TESTS:-tests/sim/test_*.c tests/num/test_*.c}; do
        # shellcheck disable=SC2086
        gcc $flags "$t" $objects "$out/mutant.o" "$out/support.a" $libs \
            -o "$out/bin/$(echo "$t" | sed 's,tests/\(.*\)/test_\(.*\).c,\1.\2,')" \
            2>"$out/errors" || {
            echo "left out, does not link: $t:" >&2
            grep -m 1 -E 'error|undefined' "$out/errors" >&2
        }
    done
    dir=$build/tests/rtl/tessera-rtl-micro
    if [ "$random" != 0 ] && [ -d "$dir" ]; then
        # shellcheck disable=SC2046,SC2086
        g++ $(ls "$dir"/*.o | grep -v Vtsr_bench_) "$dir/Vtsr_bench__ALL.a" $objects \
            "$out/mutant.o" $(find "$build/tests/rtl" -name record.c.o) $libs \
            -o "$out/bin/lockstep" \
            2>"$out/errors" || echo "left out: lock-step: $(head -n 1 "$out/errors")" >&2
    fi
}

# try NAME MUTANT: the exit code; 152 (SIGXCPU) if it took more than $limit CPU seconds. Real time
# decides nothing: 124.
try() {
    words=
    [ "$1" != lockstep ] || words="random $random --most 400 --seed 1"
    # shellcheck disable=SC2086
    (cd "$out/scratch" && ulimit -t "$limit" && ulimit -v 8000000 && ulimit -c 0 &&
        TESSERA_MUTANT=$2 exec timeout 1800 "../bin/$1" $words >"../log" 2>&1) 2>"$out/shell" ||
        return $?
}

# reach/NAME of each test that passes without a mutant: CPU milliseconds, and the mutants it comes
# by.
survey() {
    mkdir -p "$out/reach"
    for name in $(ls "$out/bin"); do
        limit=600
        TESSERA_REACHED=$out/reach/$name try "$name" 0 || {
            rm -f "$out/reach/$name"
            echo "left out, fails without a mutant: $name" >&2
        }
    done
}

# The tests that come by mutant $1, with their milliseconds; first who kills most per second.
candidates() {
    awk -v m="$1" -v folder="${2%/*}" '
        FILENAME ~ /\/results$/ { place = $3; sub(/\/[^\/]*:.*/, "", place)
            kills[$2] += 0.2 + (place == folder); next }
        FNR == 1 { name = FILENAME; sub(/.*\//, "", name); ms[name] = $1 + 5; next }
        $1 == m { print (kills[name] + 0.2) / ms[name], name, ms[name] }
        ' "$out/results" "$out"/reach/* | sort -rg | cut -d ' ' -f 2-
}

# What mutant $1 of place $2 comes to: the test that notices it, SURVIVED, UNREACHED or UNDECIDED.
fate() {
    candidates "$1" "$2" >"$out/candidates"
    by=SURVIVED
    [ -s "$out/candidates" ] || by=UNREACHED
    while read -r name ms <&3; do
        limit=$((ms / 50 + 2)) code=0
        try "$name" "$1" || code=$?
        case $code in
        0) ;;
        124) by=UNDECIDED ;;
        137 | 152) echo "$name looping" && return ;;
        *) echo "$name" && return ;;
        esac
    done 3<"$out/candidates"
    echo "$by"
}

if ! [ -s "$out/reach/sim.tcp" ]; then
    mutants
    programs
    mkdir -p "$out/scratch"
    survey
fi
[ -n "$(ls "$out/reach")" ] || exit 1
: >"$out/results"
while read -r number place rest; do
    case " ${TESSERA_MUTATE_ONLY:-$number} " in
    *" $number "*)
        by=$(fate "$number" "$place")
        loops=${by#* }
        [ "$loops" != "$by" ] || loops=
        echo "$number ${by% *} $place $rest${loops:+ ($loops)}" >>"$out/results"
        ;;
    esac
done <"$out/mutants"
grep -E '^[0-9]+ (SURVIVED|UNREACHED|UNDECIDED)' "$out/results" || true
awk '{ folder = $3; sub(/\/[^\/]*:.*/, "", folder); all[folder]++
        if ($2 ~ /^[A-Z]/) lost[folder]++; else by[$2]++
        if ($2 == "UNDECIDED") undecided[folder]++
        if (/\(looping\)$/) loops[folder]++ }
    END { for (t in by) printf "  %4d by %s\n", by[t], t | "sort -rn"; close("sort -rn")
        for (f in all) printf "%s: %d of %d killed, of them %d looping; %d undecided\n", f,
            all[f] - lost[f], all[f], loops[f], undecided[f] }' "$out/results"
