# SPDX-License-Identifier: Apache-2.0
# Transposes of every element size from and to places in the middle of a line, lists to control
# memory at both halves of a word and of no words, one behind the other on one channel and beside
# those of another; a multicast to this tile, out of its TSRAM and out of HBM.
.sem 1 dma1
.sem 2 dma2
.sem 3 dma3
.sem 4 tcp
li x1, 12
li x2, hbm:0
li x3, 512
li x4, 8196
li x5, 7
li x6, 5
li x7, 40
li x8, 64
li x9, hbm:65536
li x10, 1024
li x11, 20
li x12, 6
li x13, 4
li x14, 0x8104
li x15, hbm:131072
li x16, 1
li x17, 24576
li x18, 0xa01c
li x19, 2048
li x20, 0x7000
copy ch=0, dst=x1, src=x2, len=x3, p0=s1
transpose ch=1, dst=x4, src=x1, rows=x5, cols=x6, ss=x7, ds=x8, size=2, w0=s1, p0=s2
transpose ch=1, dst=x14, src=x1, rows=x6, cols=x5, ss=x7, ds=x7, size=1
to_control ch=1, dst=x11, src=x12, n=x13, id=0
to_control ch=3, dst=x19, src=x20, n=x13, id=2
to_control ch=1, dst=x10, src=x12, n=x6, id=0, p0=s4
to_control ch=1, dst=x10, src=x12, n=x0, id=1
transpose ch=1, dst=x18, src=x1, rows=x5, cols=x6, ss=x7, ds=x8, size=0, p0=s3
copy ch=0, dst=x17, src=x2, len=x3, n1=x13, ss1=x3, ds1=x3, mc=1, mask=x16
copy ch=2, dst=x9, src=x4, len=x3, w0=s2
copy ch=3, dst=x15, src=x18, len=x3, w0=s3
wait w0=s4
lw x21, x10, 0
lw x22, x10, 4
lw x23, x11, 0
ld x24, x11, 4
ld x25, x10, 8
halt
