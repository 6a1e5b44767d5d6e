# SPDX-License-Identifier: Apache-2.0
# What the data mover starts beside a tsync that waits for a long mma, and a tsync beside an rpost.
.sem 1 tcp
.sem 2 tcp
li x1, 0
li x2, 32
li x3, 32
li x4, 16
li x5, 0
li x10, 0x1000
li x11, 0x1400
li x12, 8
li x13, 2
li x14, hbm:4096
li x16, 1
sw x0, x0, 256
sw x16, x0, 260
li x17, 256
li x18, 512
li x19, 0x1800
li x20, hbm:65536
mma a=x1, as=x2, b=x10, bs=x2, m=x3, n=x3, k=x4, c=x5, af=bf16, bf=bf16, across=1
tsync post(s1)
li x21, 100
loop x21, fetched
nop
fetched:
rpost ch=0, mask=x16, sem=2
scatter ch=1, dst=x14, src=x11, len=x12, idx=x17, n=x13, ss=x12, ds=x12
transpose ch=2, dst=x19, src=x10, rows=x12, cols=x12, ss=x2, ds=x2, size=0
to_control ch=3, dst=x18, src=x10, n=x13, id=0
wait wait(s1, s2)
copy ch=0, dst=x20, src=x10, len=x12
rpost ch=0, mask=x16, sem=2
li x21, 60
loop x21, posted
tsync post(s1)
wait wait(s1)
posted:
wait wait(s2)
halt
