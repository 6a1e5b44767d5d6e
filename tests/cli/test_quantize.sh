#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# quantize, formats, accuracy: values and bytes that can be checked by hand; refusals.
# labels: badinput
set -u
t="${TESSERA_EMULATOR:-} $TESSERA_PROGRAM"
bad=0
complain() {
    printf 'FAILED: %s\n' "$*"
    bad=1
}
# expect CODE COMMAND...: the exit code; stdout goes to `out`, stderr to `err`.
expect() {
    code=$1
    shift
    "$@" >out 2>err
    got=$?
    [ "$got" -eq "$code" ] || complain "$*: exit $got, wanted $code: $(cat err)"
}
# says WORDS: in the last one's stderr
says() {
    grep -q -- "$1" err || complain "wanted \"$1\" in: $(cat err)"
}
rm -rf quant && mkdir quant && cd quant || exit 1

# npy FILE SHAPE BYTES: float32, little-endian, the bytes in octal for printf
npy() {
    head="{'descr': '<f4', 'fortran_order': False, 'shape': $2, }"
    # shellcheck disable=SC2059
    { printf '\223NUMPY\001\000v\000%-117s\n' "$head"; printf "$3"; } >"$1"
}
values() {
    echo $(od -An -v -tf4 -j128 "$1")
}
bytes() { # bytes FILE FROM N
    echo $(od -An -v -tx1 -j"$2" -N"$3" "$1")
}
one='\000\000\200\077' quarter='\000\000\240\077' four='\000\000\200\100' minus='\000\000\000\200'
nan='\000\000\300\177' inf='\000\000\200\177' zero='\000\000\000\000'

# ---- values: 1.25 lies between 1 and 1.5 in mxf4 when the block's largest is 4
npy x.npy '(2, 3)' "$four$quarter$minus$one$one$zero"
for mode in 'even 1' 'away 1.5' 'zero 1'; do
    expect 0 $t quantize --format mxf4 --round ${mode% *} --input x.npy --output y.npy
    [ "$(values y.npy)" = "4 ${mode#* } -0 1 1 0" ] || complain "mxf4 $mode: $(values y.npy)"
done
[ "$(bytes y.npy 0 128)" = "$(bytes x.npy 0 128)" ] || complain 'shape of y.npy'

# ---- bytes: two rows of one padded block, scales from the next multiple of 64 on
expect 0 $t quantize --format mxf4 --input x.npy --output y.npy --packed p --json
[ "$(wc -c <p)" -eq 66 ] || complain "mxf4 packed: $(wc -c <p) bytes"
[ "$(bytes p 0 4)" = '26 08 00 00' ] || complain "mxf4 row 0: $(bytes p 0 4)"
[ "$(bytes p 16 4)" = '66 00 00 00' ] || complain "mxf4 row 1: $(bytes p 16 4)"
[ "$(bytes p 64 2)" = '7f 7d' ] || complain "mxf4 scales: $(bytes p 64 2)"
grep -q '"element_bytes": 32' out && grep -q '"scale_bytes": 2' out || complain "json: $(cat out)"
expect 0 $t quantize --format mx9 --input x.npy --output y.npy --packed p
# 4, 1.25 in steps of 1/16; the pair (-0, pad) is zero: no shift
[ "$(bytes p 0 4)" = '40 14 80 00' ] || complain "mx9 row 0: $(bytes p 0 4)"
[ "$(bytes p 16 1)" = '00' ] || complain "mx9 shifts: $(bytes p 16 1)"
[ "$(bytes p 64 2)" = '81 7f' ] || complain "mx9 scales: $(bytes p 64 2)"
expect 0 $t quantize --format mx9 --input y.npy --output z.npy
cmp -s y.npy z.npy || complain 'mx9 twice is not mx9 once'

# ---- every format that encodes takes 256 values; the sizes are those that `formats` states
row=$(printf "$one$four$quarter$minus" | od -An -v -to1 | tr -d '\n' | sed 's/ /\\/g')
long=
i=0
while [ $i -lt 64 ]; do
    long=$long$row
    i=$((i + 1))
done
npy w.npy '(1, 256)' "$long"
expect 0 $t formats --json
awk -F'[":, ]+' '$2 == "name" { n = $3 } $2 == "bits_per_element" { print n, $3 }' out >list
[ "$(wc -l <list)" -ge 22 ] || complain "formats lists $(wc -l <list)"
while read -r name bits; do
    case $name in
    i32 | q4_k | q6_k)
        expect 3 $t quantize --format $name --input w.npy --output no.npy
        says "w.npy: $name"
        [ ! -e no.npy ] || complain "$name left a file"
        ;;
    *)
        expect 0 $t quantize --format $name --input w.npy --output y.npy --packed p --json
        want=$(echo "$bits" | awk '{ printf "%d", $1 * 32 }')
        case $name in i8 | i4) want=$((want + 2)) ;; esac # one bf16 scale for the row
        got=$(awk -F'[:, ]+' '/_bytes/ { s += $3 } END { print s }' out)
        [ "$got" -eq "$want" ] || complain "$name: $got bytes, wanted $want"
        set -- $(values y.npy)
        [ $# -eq 256 ] || complain "$name: $# values"
        case $name in
        i8 | i4 | q8_0 | q4_0 | nvf4) ;; # scales of few bits: 4 is not kept
        *) [ "$2" = 4 ] || complain "$name: 4 became $2" ;;
        esac
        ;;
    esac
done <list

# ---- integers: scales of the tensor, of rows, of groups
expect 0 $t quantize --format i8 --scales tensor --scale-format f32 --input x.npy --output y.npy \
    --packed p
[ "$(wc -c <p)" -eq 68 ] || complain "i8 tensor: $(wc -c <p) bytes"
[ "$(bytes p 0 6)" = '7f 28 00 20 20 00' ] || complain "i8 tensor: $(bytes p 0 6)"
expect 0 $t quantize --format i8 --input x.npy --output y.npy --packed p
[ "$(bytes p 0 6)" = '7f 28 00 7f 7f 00' ] || complain "i8 rows: $(bytes p 0 6)"
expect 0 $t quantize --format i8 --scales 1 --input x.npy --output y.npy --packed p
[ "$(bytes p 0 6)" = '7f 7f 00 7f 7f 00' ] || complain "i8 groups: $(bytes p 0 6)"
expect 2 $t quantize --format i8 --scales column --input x.npy --output no.npy
says 'allowed are tensor, row'
expect 2 $t quantize --format i8 --scale-format mx9 --input x.npy --output no.npy
says 'plain float'

expect 2 $t quantize --format mx6 --scales row --input x.npy --output no.npy
says '--scales: only for plain integers (i8, i4), not for mx6'
expect 2 $t quantize --format bf16 --scale-format f32 --input x.npy --output no.npy
says '--scale-format: only for plain integers'
expect 2 $t quantize --format mxf4 --tensor-scale --input x.npy --output no.npy
says '--tensor-scale: only for nvf4, not for mxf4'
expect 2 $t accuracy --format mx9 --scales 32
says '--scales: only for plain integers'
expect 2 $t quantize --format mx6 --input x.npy --output no.npy --packed no.npy
says '--packed no.npy: --output is the same file'
expect 2 $t quantize --format mx6 --input x.npy --output y.npy --packed ./y.npy
says '--packed ./y.npy: --output is the same file'
[ ! -e no.npy ] || complain 'a refusal left a file'

# ---- NaN and infinity
npy n.npy '(1, 40)' "$one$nan$inf$(printf '%s' "$long" | cut -c1-592)"
expect 0 $t quantize --format mxi8 --input n.npy --output y.npy
says '2 of 40 values are NaN or infinite'
set -- $(values y.npy)
shift 31
[ "$1 ${2#-}" = "$(set -- $(values n.npy); echo nan ${33#-})" ] || complain "mxi8 of NaN: $1 $2"
expect 0 $t quantize --format f8e4m3 --input n.npy --output y.npy
[ "$(values y.npy | cut -d' ' -f1-3)" = '1 nan 448' ] || complain "f8 of NaN: $(values y.npy)"
expect 3 $t quantize --format mxi8 --finite --input n.npy --output no.npy
says 'n.npy: 2 of 40 values'

# ---- refusals
expect 3 $t quantize --format q8_0 --input x.npy --output no.npy
says 'x.npy: q8_0: a row of 3 elements does not divide into blocks of 32'
expect 2 $t quantize --format mx7 --input x.npy --output no.npy
says 'no such format, allowed: f32 .*mx9 mx6 mx4 nvf4'
expect 2 $t quantize --format mx9 --round up --input x.npy --output no.npy
says 'even away zero'
expect 3 $t quantize --format mx9 --input none.npy --output no.npy
says 'none.npy: No such file'
expect 3 $t quantize --format mx9 --input list --output no.npy
[ ! -e no.npy ] || complain 'a refusal left a file'

# ---- shapes without elements, without axes, with many
npy e.npy '(3, 0)' ''
npy s.npy '()' "$quarter"
npy m.npy '(1, 2, 3)' "$four$quarter$minus$one$one$zero"
expect 0 $t quantize --format mx6 --input e.npy --output y.npy --packed p
cmp -s e.npy y.npy || complain 'the empty array'
expect 0 $t quantize --format mx6 --input s.npy --output y.npy
[ "$(values y.npy)" = 1.25 ] || complain "one value: $(values y.npy)"
expect 0 $t quantize --format mxf4 --input m.npy --output y.npy
[ "$(values y.npy)" = '4 1 -0 1 1 0' ] || complain "three axes: $(values y.npy)"

# ---- formats of overlays
printf 'formats:\n- {name: mx5, code: 25, family: smx, specials: none, bits: 4, ebits: 0, mbits: 3,
   bias: 127, block: 16, scale_bits: 8, width_class: 6, doc: new}\n' >o.yaml
expect 0 $t formats --isa o.yaml
grep -q '^mx5  *1+3  *16 ' out || complain "mx5: $(grep mx5 out)"
expect 0 $t quantize --isa o.yaml --format mx5 --input x.npy --output y.npy
# A row is all that a product on the tensor unit (and a projection, below) wants: 4 0 4 times 4 4 4.
cat >>o.yaml <<'END'
- {name: f8e3m4, code: 26, family: float, specials: fn, bits: 8, ebits: 3, mbits: 4, bias: 3,
   block: 1, scale_bits: 0, width_class: 9, doc: new}
- {name: mxf8e3m4, code: 27, family: mx, specials: fn, bits: 8, ebits: 3, mbits: 4, bias: 3,
   block: 32, scale_bits: 8, width_class: 9, doc: new}
END
npy a.npy '(1, 3)' "$four$zero$four"
npy b.npy '(3, 1)' "$four$four$four"
for f in f8e3m4 mxf8e3m4 mx5; do
    expect 0 $t matmul --isa o.yaml --chip micro --format $f --a a.npy --b b.npy --output y.npy
    [ "$(values y.npy)" = 32 ] || complain "product in $f: $(values y.npy)"
done

# ---- accuracy
expect 0 $t accuracy --format all --seed 3 --json
cp out first
expect 0 $t accuracy --format all --seed 3 --json
cmp -s out first || complain 'accuracy is not the same twice'
expect 0 $t accuracy --format all --seed 4 --json
cmp -s out first && complain 'accuracy does not heed its seed'
# The published order, on normal data.
awk -F'[":, ]+' '$2 == "format" { f = $3 } $2 == "data" { d = $3 }
    $2 == "snr_db" && d == "normal" { snr[f] = $3 }
    END { exit !(snr["mx9"] > snr["mxi8"] && snr["mxi8"] > snr["mxf6e2m3"] &&
        snr["mxf6e2m3"] > snr["mx6"] && snr["mx6"] > snr["mxf4"] && snr["mxf4"] > snr["mx4"] &&
        snr["mx4"] > 10 && snr["mx9"] < 60 && snr["nvf4"] > snr["mxf4"]) }' first ||
    complain 'order of the formats'
expect 0 $t accuracy --format mx9 --npy w.npy
grep -q '^mx9  *w.npy .*exact' out || complain "accuracy of w.npy: $(cat out)"
expect 3 $t accuracy --format mx9 --npy n.npy
says 'n.npy: value 1 is NaN or infinite'
expect 3 $t accuracy --format q8_0 --npy x.npy
says 'does not divide'
expect 3 $t accuracy --format q6_k
says 'read from GGUF'
expect 2 $t accuracy --format mx7
says 'no such format'

# ---- accuracy of a model's matmuls: as the operands' own losses add up, the same at each run
cat >small.json <<'END'
{"model_type": "llama", "hidden_size": 1024, "num_hidden_layers": 2, "num_attention_heads": 8,
 "intermediate_size": 2048, "vocab_size": 1000}
END
expect 0 $t accuracy --model small.json --format bf16 --json
cp out first
expect 0 $t accuracy --model small.json --weights-format bf16 --activations bf16 --json
cmp -s out first || complain 'two ways to say bf16'
# snr OPERATION DATA: in the last one's JSON
snr() {
    awk -F'[":, ]+' -v o="$1" -v d="$2" '$2 == "operation" { op = $3 } $2 == "data" { s = $3 }
        $2 == "snr_db" && op == o && s == d { print $3 }' out
}
# near A B: within 1.5 dB, five deviations of the noise of 1,024 sampled results
near() {
    echo "$1 $2" | awk '{ d = $1 - $2; exit !(NF == 2 && d < 1.5 && d > -1.5) }'
}
expect 0 $t accuracy --model small.json --weights-format f16 --activations bf16 --json
for op in qkv o gate_up down lm_head; do # f16 loses next to nothing: the loss is one operand's
    near "$(snr $op normal)" 55.6 || complain "$op, f16 x bf16: $(snr $op normal) dB"
    near "$(snr $op outliers)" 55.4 || complain "$op, outliers: $(snr $op outliers) dB"
done
expect 0 $t accuracy --model small.json --format i8 --json
near "$(snr down normal)" 38.6 || complain "i8: $(snr down normal) dB" # 41.6 of each, less 3
# Two operands of one loss: 3 dB below that of one, as `accuracy --format F` states it (on normal
# data 46.6, 28.3 and 20.4 dB); of unlike ones the powers of both errors add up.
for pair in 'mx9 mx9 43.6' 'mx6 mx9 28.3' 'mx6 mx6 25.3' 'bf16 nvf4 20.4' 'mxf4 f8e4m3 18.6' \
    'q8_0 mx4 15.7'; do
    expect 0 $t accuracy --model small.json --weights-format "${pair%% *}" \
        --activations "$(echo "$pair" | cut -d' ' -f2)" --json
    near "$(snr gate_up normal)" "${pair##* }" || complain "$pair: $(snr gate_up normal) dB"
done
expect 0 $t accuracy --model mixtral-8x7b --format bf16
grep -q '^expert_down *4096 *14336 ' out || complain "experts: $(cat out)"
grep -q '^router' out && complain 'the router is bf16 whatever the format'
expect 0 $t accuracy --model small.json --format all
grep -q '^by SNR, normal: f16 bf16 mx9 ' out || complain "order of products: $(tail -3 out)"
grep -q 'mx9 > f8e4m3 > mx6 > f8e5m2 > mx4 .* the same here' out || complain "$(tail -3 out)"
expect 3 $t accuracy --model small.json --weights-format i8 --activations bf16
says 'activations bf16 with weights i8'
sed 's/2048/2050/' small.json >odd.json
expect 3 $t accuracy --model odd.json --format q4_0
says 'q4_0: a row of 2050 elements does not divide into blocks of 32'
expect 0 $t accuracy --model odd.json --format mx9
expect 3 $t accuracy --model small.json --format q6_k
says 'q6_k: the tensor unit does not take it'
expect 3 $t accuracy --model small.json --weights-format q4_0 --activations i8
says 'activations i8 with weights q4_0'
expect 3 $t accuracy --model small.json --format f32
says 'f32: the tensor unit does not take it'
expect 2 $t accuracy --model small.json --weights-format bf16
says 'and --activations'
expect 2 $t accuracy --model small.json --format bf16 --npy w.npy
says '--npy: not with --model'
expect 2 $t accuracy --format bf16 --activations bf16
says '--activations: only with --model'
expect 2 $t accuracy
says '--format FORMAT is missing'

# ---- a model in formats of an overlay
expect 0 $t project --isa o.yaml --model small.json --chip micro4 --phase decode --batch 1 \
    --seq 32 --weights-format mx5 --activations f8e3m4 --kv mxf8e3m4
exit $bad
