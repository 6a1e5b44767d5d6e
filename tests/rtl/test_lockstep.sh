#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: slow nosan
# The RTL of micro beside the simulator: the kernels' suite (the router, two fifths of its cycles,
# in one shape), programs of transposes, casts and rows over one another; nightly the whole suite,
# micro4 with each of its tiles as RTL in turn, and three kernels on the full tile of maia100.
set -eu
harness=$TESSERA_SOURCE_DIR/tests/rtl/harness.sh
bad=0
# equal NAME COMMAND...: every program ran and nothing differs
equal() {
    name=$1
    shift
    "$@" --json >"$name.json" 2>"$name.txt" || bad=1
    grep -q '"mismatches": 0' "$name.json" && grep -q '"not_run": 0' "$name.json" &&
        ! grep -q '"programs": 0' "$name.json" || bad=1
    echo "$name: $(tr -d '{}\n' <"$name.json")"
    cat "$name.txt"
}
sh "$harness" micro
check="$TESSERA_PROGRAM check --target rtl --chip micro"
# shellcheck disable=SC2086
if [ -n "${TESSERA_NIGHTLY:-}" ]; then
    equal all $check all
else
    for kernel in matmul matmul_quantize residual cast quantize quantize_fused requantize \
        dequantize activation rmsnorm softmax attention attention_backward rope kv_append \
        embedding moe_dispatch moe_combine moe_expert; do
        equal $kernel $check $kernel
    done
    equal moe_router $check moe_router --shape 4x8x2
fi
for program in single overlap loops fill beside conflict; do
    equal $program "$TESSERA_BINARY_DIR/tessera-rtl-micro" run \
        "$TESSERA_SOURCE_DIR/tests/rtl/$program.s"
done
if [ -n "${TESSERA_NIGHTLY:-}" ]; then
    sh "$harness" micro4
    for tile in 0 1 2 3; do
        equal "micro4-$tile" "$TESSERA_BINARY_DIR/tessera-rtl-micro4" check all --tile $tile
    done
    sh "$harness" maia100
    for kernel in matmul attention quantize; do
        equal "maia100-$kernel" "$TESSERA_BINARY_DIR/tessera-rtl-maia100" check $kernel
    done
fi
exit $bad
