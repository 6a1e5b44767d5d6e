# SPDX-License-Identifier: Apache-2.0
# Rows of a copy that lie over one another where they are read, in the TSRAM: an access moves at
# most a line's bytes. Rows at one place, a little apart, backwards, and the same ones again.
.sem 1 dma1
.sem 2 dma2
.sem 3 dma3
.sem 4 tcp
li x1, 0x1000
li x2, hbm:0
li x3, 4096
li x4, 513
li x5, 2
li x6, hbm:65536
li x7, 40
li x8, 8
li x9, -3
li x10, 0x1805
li x11, hbm:131073
li x12, hbm:196608
li x14, 97
li x15, 33
li x16, 5
li x18, 1
li x19, hbm:262144
li x20, 3201
copy ch=0, dst=x1, src=x2, len=x3, p0=s1
copy ch=1, dst=x6, src=x1, len=x5, n1=x4, ss1=x0, ds1=x5, w0=s1, p0=s2
copy ch=2, dst=x11, src=x10, len=x7, n1=x14, ss1=x8, ds1=x7, w0=s2, p0=s3
copy ch=3, dst=x12, src=x10, len=x5, n1=x4, ss1=x9, ds1=x5, w0=s3, p0=s1
copy ch=1, dst=x19, src=x10, len=x15, n1=x14, ss1=x8, ds1=x15, n2=x16, ss2=x18, ds2=x20, w0=s1, p0=s4
wait w0=s4
halt
