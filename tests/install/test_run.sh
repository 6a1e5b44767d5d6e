#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: nosan
# The script `run` in a made-up root with made-up package tools: what it says, where it runs the
# program, and what it exits with.
set -u
bad=0
complain() {
    echo "$1" >&2
    bad=1
}

rm -rf root bin
mkdir -p root bin root/build/default root/include root/isa root/kernels root/sim root/rtl elsewhere
cp "$TESSERA_SOURCE_DIR/run" root/run
: >root/CMakeLists.txt
: >root/CMakePresets.json
run=$PWD/root/run

# Calls run with the arguments; leaves out, err, code.
call() {
    "$run" "$@" >out 2>err
    code=$?
}
expect_code() { [ "$code" -eq "$2" ] || complain "$1: exit $code, want $2: $(cat err)"; }

call
expect_code 'no word' 0
for word in demo test tessera build bench bench-sve area nightly; do
    grep -q "^\./run $word" out || complain "no word: '$word' is not shown"
done

call frobnicate
expect_code 'unknown word' 2
[ ! -s out ] || complain 'unknown word: stdout is not empty'
grep -q frobnicate err || complain 'unknown word: not named'

# A program that is up to date runs where the caller stands, and only it writes to stdout.
cat >root/build/default/tessera <<'END'
#!/bin/sh
pwd
printf '<%s>' "$@"
exit 7
END
chmod +x root/build/default/tessera
touch -d '2001-01-01' root/include root/isa root/kernels root/sim root/CMakeLists.txt \
    root/CMakePresets.json
: >root/build/default/.built
(
    cd elsewhere || exit 1
    "$run" tessera 'two words' '' --json >../out 2>../err
    echo $? >../code
)
code=$(cat code)
expect_code 'tessera' 7
printf '%s\n<two words><><--json>' "$PWD/elsewhere" >want
cmp -s out want || complain "tessera: stdout is $(cat out)"
[ ! -s err ] || complain "tessera: stderr is $(cat err)"

# Benchmarks: on Arm clang's, JSON as one document, a failure of one remembered.
mkdir -p root/build/default/bench root/build/aarch64/bench tools
for build in default aarch64; do
    for bench in one two; do
        cat >root/build/$build/bench/bench_$bench <<END
#!/bin/sh
[ "\$1" != --fail ] || exit 1
printf '{\n  "context": {\n    "of": "$build"\n  },\n  "benchmarks": [\n'
printf '    {\n      "name": "$bench/%s"\n    }' a
printf ',\n    {\n      "name": "$bench/%s"\n    }\n  ]\n}\n' b
END
        chmod +x root/build/$build/bench/bench_$bench
    done
done
printf '#!/bin/sh\nexit 0\n' >tools/cmake
cat >tools/uname <<'END'
#!/bin/sh
echo "$MACHINE"
END
chmod +x tools/cmake tools/uname
: >root/build/.packages-base-bench-
: >root/build/.packages-base-bench-arm-
for machine in x86_64:default aarch64:aarch64; do
    PATH=$PWD/tools:$PATH MACHINE=${machine%:*} call bench --benchmark_format=json
    expect_code 'bench' 0
    tr -d ' \n' <out >joined
    printf '{"context":{"of":"%s"},"benchmarks":[{"name":"one/a"},{"name":"one/b"},%s' \
        "${machine#*:}" '{"name":"two/a"},{"name":"two/b"}]}' >want
    cmp -s joined want || complain "bench: the JSON is $(cat out)"
done
PATH=$PWD/tools:$PATH MACHINE=x86_64 call bench --fail
expect_code 'bench that fails' 1

# Areas: what the script says of the units that were asked for.
mkdir -p root/rtl/area
printf '#!/bin/sh\nshift\necho "<$*>"\nexit 5\n' >root/rtl/area/area.sh
: >root/build/.packages-base-area-
PATH=$PWD/tools:$PATH MACHINE=x86_64 call area queue --json
expect_code 'area' 5
[ "$(cat out)" = '<queue --json>' ] || complain "area: stdout is $(cat out)"

# No package installed and no network: each is named with its reason, nothing runs.
cat >bin/dpkg-query <<'END'
#!/bin/sh
exit 1
END
cat >bin/apt-get <<'END'
#!/bin/sh
echo 'E: Temporary failure resolving the mirror'
exit 100
END
cat >bin/id <<'END'
#!/bin/sh
echo 0
END
printf '#!/bin/sh\necho amd64\n' >bin/dpkg
chmod +x bin/*
PATH=$PWD/bin:$PATH
export PATH
printf 'ID=debian\nVERSION_ID="12"\n' >debian
printf 'ID=fedora\nVERSION_ID=40\n' >fedora
touch root/sim
TESSERA_OS_RELEASE=$PWD/debian call tessera
expect_code 'no network' 1
grep -q '^  libyaml-dev: ' err || complain 'no network: libyaml-dev is not named'
grep -q 'is there a network' err || complain 'no network: not said'
grep -q 'Temporary failure' err || complain 'no network: the log is not shown'
grep -q qemu err && complain 'the program must not need qemu'
[ ! -s out ] || complain 'no network: stdout is not empty'

TESSERA_OS_RELEASE=$PWD/fedora call test
expect_code 'another system' 1
grep -q '^  libcmocka-dev: ' err || complain 'another system: the list is not printed'
grep -q 'Debian 12' err || complain 'another system: not said'
exit $bad
