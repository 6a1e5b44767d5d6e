#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: nosan
# A benchmark refuses a figure above what the machine can do.
set -u
if [ -z "${TESSERA_BENCH_LIMITS:-}" ]; then
    echo 'SKIPPED: Google Benchmark not found'
    exit 77
fi
bad=0
complain() {
    echo "$1" >&2
    cat out err >&2
    bad=1
}
few='--benchmark_min_time=0.02 --benchmark_format=json'
# shellcheck disable=SC2086
"$TESSERA_BENCH_LIMITS" $few --benchmark_filter=honest >out 2>err || complain 'honest is refused'
grep -q '"MAC/s": [1-9]' out || complain 'honest has no figure'
# shellcheck disable=SC2086
"$TESSERA_BENCH_LIMITS" $few --benchmark_filter=folded >out 2>err
[ $? -eq 1 ] || complain 'folded passes'
grep -q '"error_message": "MAC/s: .* is above the .* that this machine can do"' out ||
    complain 'folded: not said'
grep -q '"MAC/s": [0-9]' out && complain 'folded has a figure'
exit $bad
