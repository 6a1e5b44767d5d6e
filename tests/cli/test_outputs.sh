#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Outputs are whole or not there: full disk, missing folder, signals, links. Completion for bash.
set -u
t="${TESSERA_EMULATOR:-} $TESSERA_PROGRAM"
bad=0
complain() {
    printf 'FAILED: %s\n' "$*"
    bad=1
}
# expect CODE COMMAND...: the exit code; stderr goes to `err`.
expect() {
    code=$1
    shift
    "$@" 2>err
    got=$?
    [ "$got" -eq "$code" ] || complain "$*: exit $got, wanted $code: $(cat err)"
}
rm -rf out && mkdir out && cd out || exit 1

# ---- standard output that cannot be written
for command in 'chips --json' 'chips' 'models' 'isa --json' 'isa --markdown' 'help'; do
    expect 70 sh -c "$t $command >/dev/full"
    grep -q 'No space left' err || complain "$command >/dev/full: $(cat err)"
done

# ---- files: a program whose output is 16 MiB
printf '.tiles 1\n.tensor C out f32 hbm:0 2048x2048\nhalt\n' >p.s
expect 70 $t run p.s --chip micro --output C=/dev/full
grep -q '/dev/full: No space' err || complain "/dev/full: $(cat err)"
expect 3 $t run p.s --chip micro --output C=none/c.npy
grep -q 'none/c.npy: No such file' err || complain "no folder: $(cat err)"
expect 3 $t asm p.s -o none/p.tsr
expect 70 sh -c "ulimit -f 100; $t run p.s --chip micro --output C=c.npy"
[ "$(ls)" = "err
p.s" ] || complain "left behind by a limit of file sizes: $(ls)"
echo old >c.npy
expect 70 sh -c "ulimit -f 100; $t run p.s --chip micro --output C=c.npy"
[ "$(cat c.npy)" = old ] || complain "the old file was touched"
ln -s c.npy link.npy
expect 0 $t run p.s --chip micro --output C=link.npy >/dev/null
[ -L link.npy ] && [ "$(wc -c <c.npy)" -eq 16777344 ] || complain "a link was not followed"
$t asm p.s -o /dev/stdout | cmp -s - /dev/null && complain "nothing on /dev/stdout"
rm -f c.npy link.npy
(umask 027 && $t asm p.s -o mode.tsr)
[ "$(stat -c %a mode.tsr)" = 640 ] || complain "mode $(stat -c %a mode.tsr), wanted 640"
rm -f mode.tsr

# ---- signals: whenever they come, the file is whole or not there
i=0
while [ $i -lt 30 ]; do
    $t run p.s --chip micro --output C=c.npy >/dev/null 2>&1 &
    pid=$!
    sleep "0.0$((i % 10))"
    kill -INT $pid 2>/dev/null || kill -TERM $pid 2>/dev/null
    # Background jobs of a script ignore SIGINT: TERM ends those.
    kill -TERM $pid 2>/dev/null
    { wait $pid; } 2>/dev/null
    [ ! -e c.npy ] || [ "$(wc -c <c.npy)" -eq 16777344 ] || complain "half a file after a signal"
    rm -f c.npy
    i=$((i + 1))
done
[ "$(ls)" = "err
p.s" ] || complain "left behind by signals: $(ls)"

# ---- completion
if command -v bash >/dev/null; then
    $t completion bash >completion || complain "completion: exit $?"
    complete_words() {
        bash -c '. ./completion; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tessera
                 printf "%s " "${COMPREPLY[@]}"' bash "$@"
    }
    [ "$(complete_words tessera mat)" = 'matmul ' ] || complain "mat: $(complete_words tessera mat)"
    [ "$(complete_words tessera run --chip mai)" = 'maia100 ' ] || complain "--chip mai"
    [ "$(complete_words tessera run --mode t)" = 'timing ' ] || complain "--mode t"
    [ "$(complete_words tessera --isa x.yaml check matmul_)" = 'matmul_quantize ' ] ||
        complain "check matmul_"
    [ "$(complete_words tessera bench-gemm --fo)" = '--format ' ] || complain "--fo"
    got=$(complete_words tessera asm p)
    [ "$got" = "p.s " ] || complain "asm p: $got"
fi
exit $bad
