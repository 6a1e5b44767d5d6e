#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: nosan
# bench/loops finds the right loop of an object file and models it; the kernels' loops keep the
# shares of the peak that they once had.
set -eu
if ! command -v llvm-mca-19 >/dev/null; then
    echo 'llvm-mca-19 not found: install llvm-19' >&2
    exit 1
fi

# An outer loop with more fmla than the inner one: the inner one counts. Its chain of one
# accumulator makes 4 MAC every 4 cycles of latency: 1 MAC/cycle of 8.
cat >nested.s <<'END'
nested:
    mov x3, x0
inner:
    fmla z0.s, z1.s, z2.s[0]
    subs x3, x3, #1
    b.ne inner
    fmla z3.s, z1.s, z2.s[0]
    fmla z4.s, z1.s, z2.s[0]
    cbnz x0, nested
    ret
END
clang-19 --target=aarch64-linux-gnu -march=armv8.2-a+sve -c -o nested.o nested.s
"$TESSERA_LOOPS" --json nested.o >nested.json
grep '"kernel": "nested", "target": "neoverse-n2"' nested.json |
    grep -q '"mac_per_cycle": 1.00, "percent_of_peak": 12.5'
# One function of several, on one core, under another name.
cat >two.s <<'END'
one:
    fmla z0.s, z1.s, z2.s[0]
    b.ne one
    ret
two:
    mov x3, x0
.Lagain:
    fmla z0.s, z1.s, z2.s[0]
    fmla z3.s, z1.s, z2.s[0]
    b.ne .Lagain
    ret
END
clang-19 --target=aarch64-linux-gnu -march=armv8.2-a+sve -c -o two.o two.s
"$TESSERA_LOOPS" --json named@neoverse-n2=two.o:two >two.json
[ "$(grep -c kernel two.json)" -eq 1 ]
grep '"kernel": "named", "target": "neoverse-n2"' two.json | grep -q '"mac_per_cycle": 2.00,'
"$TESSERA_LOOPS" --json --core=a64fx named@neoverse-n2=two.o:two >two.json
[ "$(tr -d ' \n' <two.json)" = '[]' ]

# The products of q4_k have its minima beside them, once in 8 rounds: 8 MAC in 4 + 4 / 8 cycles.
cat >beside.s <<'END'
both:
    mov x3, x0
.Lminima:
    fmla z0.s, z1.s, z2.s[0]
    b.ne .Lminima
.Lproducts:
    fmla z0.s, z1.s, z2.s[0]
    fmla z3.s, z1.s, z2.s[0]
    b.ne .Lproducts
    ret
END
clang-19 --target=aarch64-linux-gnu -march=armv8.2-a+sve -c -o beside.o beside.s
"$TESSERA_LOOPS" --json matmul_q4_k@neoverse-n2=beside.o:both >beside.json
grep -q '"mac_per_cycle": 1.78,' beside.json

printf 'nothing:\n ret\n' >nothing.s
clang-19 --target=aarch64-linux-gnu -c -o nothing.o nothing.s
"$TESSERA_LOOPS" --json nothing.o >nothing.json 2>nothing.err
grep -q 'nothing: no loop' nothing.err
[ "$(tr -d ' \n' <nothing.json)" = '[]' ]

# at_least KERNEL FOLDER MARCH TARGET PERCENT
at_least() {
    clang-19 --target=aarch64-linux-gnu -std=c11 -O2 -ffp-contract=off -march="$3" \
        -mtune=neoverse-n2 -I"$TESSERA_SOURCE_DIR" -I"$TESSERA_SOURCE_DIR/include" \
        -c -o "$1.o" "$TESSERA_SOURCE_DIR/kernels/$2/$1.c"
    "$TESSERA_LOOPS" --json --core="$4" "$1.o" | awk -v target="$4" -v least="$5" -v kernel="$1" '
        /percent_of_peak/ {
            sub(/.*"percent_of_peak": /, "")
            got = $0 + 0
        }
        END {
            if (got < least || got > 100.5) {
                print kernel " on " target ": " got " % of the peak, want " least > "/dev/stderr"
                exit 1
            }
        }'
}
at_least matmul_f32_sve matmul armv8.2-a+sve neoverse-n2 99
at_least matmul_f32_sve matmul armv8.2-a+sve neoverse-v2 99
at_least matmul_f32_sve matmul armv8.2-a+sve neoverse-v1 99
at_least matmul_f32_sve matmul armv8.2-a+sve a64fx 99
# Its loops differ by vector length: A64FX runs another.
at_least matmul_packed_f32_sve matmul armv8.2-a+sve neoverse-n2 99
at_least matmul_packed_f32_sve matmul armv8.2-a+sve a64fx 99
at_least matmul_bf16_bf16 matmul armv8.2-a+sve+bf16 neoverse-n2 99
at_least matmul_i8_i8mm matmul armv8.2-a+sve+i8mm neoverse-n2 99
at_least matmul_i4_i8mm matmul armv8.2-a+sve+i8mm neoverse-n2 95
for f in q8_0 q4_0; do
    at_least matmul_${f}_i8mm matmul armv8.2-a+sve+i8mm neoverse-n2 66
done
# With the loop of its minima.
at_least matmul_q4_k_v86 matmul armv8.2-a+sve+i8mm+bf16 neoverse-n2 60
at_least matvec_bf16_bf16 matmul armv8.2-a+sve+bf16 neoverse-n2 99
at_least matvec_packed_f32_sve matmul armv8.2-a+sve neoverse-n2 99
at_least matvec_i8_i8mm matmul armv8.2-a+sve+i8mm neoverse-n2 99

# slowest FILE MARCH KERNELS PERCENT: every kernel of a file of several passes, on Neoverse N2.
slowest() {
    clang-19 --target=aarch64-linux-gnu -std=c11 -O2 -ffp-contract=off -march="$2" \
        -mtune=neoverse-n2 -I"$TESSERA_SOURCE_DIR" -I"$TESSERA_SOURCE_DIR/include" \
        -c -o "$1.o" "$TESSERA_SOURCE_DIR/kernels/quant/$1.c"
    "$TESSERA_LOOPS" --json --core=neoverse-n2 "$1.o" | awk -v file="$1" -v kernels="$3" \
        -v least="$4" '
        sub(/.*"percent_of_peak": /, "") {
            rows++
            if ($0 + 0 < least || $0 + 0 > 100.5) {
                print file ", row " rows ": " $0 + 0 " % of the bound, want " least > "/dev/stderr"
                bad = 1
            }
        }
        END { exit bad || rows != kernels }'
}
slowest quantize_i8_sve armv8.2-a+sve 2 97
slowest quantize_f8_sve armv8.2-a+sve 6 97
slowest quantize_f8_sve2 armv8.2-a+sve2 6 97
slowest quantize_gguf_sve armv8.2-a+sve 4 94
slowest dequantize_int_sve armv8.2-a+sve 6 97
slowest dequantize_int_bf16 armv8.2-a+sve+bf16 3 97
slowest dequantize_f8_sve armv8.2-a+sve 6 85
slowest requantize_i32_sve armv8.2-a+sve 6 83
slowest requantize_i32_bf16 armv8.2-a+sve+bf16 2 84

# costs FILE MARCH, then lines KERNEL CYCLES: no kernel of vector math takes more cycles per element
# on Neoverse N2, and each keeps the core's vector pipes busy.
costs() {
    clang-19 --target=aarch64-linux-gnu -std=c11 -O2 -ffp-contract=off -march="$2" \
        -mtune=neoverse-n2 -I"$TESSERA_SOURCE_DIR" -I"$TESSERA_SOURCE_DIR/include" \
        -c -o "$1.o" "$TESSERA_SOURCE_DIR/kernels/vecmath/$1.c"
    "$TESSERA_LOOPS" --json --core=neoverse-n2 "$1.o" >"$1.json"
    while read -r kernel most; do
        awk -v kernel="$kernel" -v most="$most" '
            index($0, "\"kernel\": \"" kernel "\"") {
                sub(/.*"cycles_per_elem": /, "")
                got = $0 + 0
            }
            END {
                if (!(got > 0 && got <= most)) {
                    print kernel ": " got " cycles per element, want at most " most > "/dev/stderr"
                    exit 1
                }
            }' "$1.json"
    done
}
costs exp_f32_sve armv8.2-a+sve <<'END'
exp_one_f32_sve 1.01
exp_two_f32_sve 1.38
exp_full_f32_sve 1.63
END
costs softmax_f32_sve armv8.2-a+sve <<'END'
softmax_step_one_f32_sve 1.28
softmax_step_two_f32_sve 1.40
softmax_two_f32_sve 1.78
END
costs norm_f32_sve armv8.2-a+sve <<'END'
rmsnorm_f32_sve 0.48
layernorm_f32_sve 1.20
END
costs gate_f32_sve armv8.2-a+sve <<'END'
silu_f32_sve 2.65
gelu_f32_sve 5.20
gelu_tanh_f32_sve 3.30
gate_silu_f32_sve 2.75
gate_clamp_f32_sve 3.20
END
costs rope_f32_sve armv8.2-a+sve <<'END'
rope_halves_f32_sve 0.38
rope_neighbors_f32_sve 0.46
END
costs residual_f32_sve armv8.2-a+sve <<'END'
residual_f32_sve 0.26
END
costs convert_f32_bf16 armv8.2-a+sve+bf16 <<'END'
convert_f32_bf16_bf16 0.26
END

# attends FILE MARCH, then lines KERNEL DIM PERCENT: fused attention's passes together keep their
# share of the matmul peak, or of memory's bandwidth, on Neoverse N2.
attends() {
    clang-19 --target=aarch64-linux-gnu -std=c11 -O2 -ffp-contract=off -march="$2" \
        -mtune=neoverse-n2 -I"$TESSERA_SOURCE_DIR" -I"$TESSERA_SOURCE_DIR/include" \
        -c -o "$1.o" "$TESSERA_SOURCE_DIR/kernels/attention/$1.c"
    "$TESSERA_LOOPS" --json --core=neoverse-n2 "$1.o" >"$1.json"
    while read -r kernel dim least; do
        awk -v kernel="$kernel" -v dim="$dim" -v least="$least" '
            index($0, "\"kernel\": \"" kernel "\"") && index($0, "\"dim\": " dim ",") {
                sub(/.*"percent_of_peak": /, "")
                got = $0 + 0
            }
            END {
                if (!(got >= least && got <= 100)) {
                    print kernel " of " dim ": " got " %, want " least > "/dev/stderr"
                    exit 1
                }
            }' "$1.json"
    done
}
attends attention_f32_sve armv8.2-a+sve <<'END'
attention_prefill_f32 128 94
attention_prefill_f32 64 89
attention_decode_f32 128 92
END
attends attention_bf16_bf16 armv8.2-a+sve+bf16 <<'END'
attention_prefill_bf16 128 82
attention_prefill_bf16 64 71
attention_decode_bf16 128 100
attention_decode_mha_bf16 128 100
END
