# SPDX-License-Identifier: Apache-2.0
# A routine that reads a bank which an mma owns.
.routine q
    vlda v1, a0
    vret
.end
li x1, 0
li x2, 32
li x3, 16
li x4, 16
li x5, 0
mma a=x1, as=x2, b=x1, bs=x2, m=x3, n=x3, k=x4, c=x5, af=bf16, bf=bf16
vcall q, x5
halt
