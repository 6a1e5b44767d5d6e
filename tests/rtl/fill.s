# SPDX-License-Identifier: Apache-2.0
# A fill whose last lines come late: wide rows of f16, the second begins in a line that is kept; the
# vector unit reads its last columns as soon as it has posted.
.sem 1 acc
.sem 2 tvp
.routine q
    vlda v1, a0
    vlda v2, a1
    vret
.end
li x1, 0
li x2, hbm:0
li x3, 512
li x5, 256
li x6, 104
li x7, 2
li x8, 51
li x9, 144
li x10, 130
li x11, 99
copy ch=0, dst=x9, src=x2, len=x3, p0=s1
fill src=x9, ss=x6, m=x7, n=x8, c=x5, fmt=f16, across=2, w0=s1, p0=s2
vcall q, x10, x11 wait(s2)
halt
