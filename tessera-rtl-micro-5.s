# reduced from seed 5; repeat: tessera-rtl-micro run tessera-rtl-micro-5.s
#!seed 5
.sem 2 tcp
.sem 3 tcp
.sem 11 tcp
.sem 8 ttu
.sem 9 ttu
.sem 10 ttu
.sem 12 tcp
.sem 13 tcp
.sem 14 tcp
.sem 15 tcp
.sem 16 tcp
.sem 17 tcp
.sem 18 tcp
.sem 19 tcp
.sem 20 tcp
.sem 21 tcp
.sem 22 ttu
.sem 23 ttu
.sem 24 ttu
.sem 25 ttu
.sem 26 ttu
.sem 27 ttu
.sem 28 acc
.sem 29 acc
.sem 30 acc
.sem 31 acc
.sem 32 acc
.sem 33 tvp
.sem 34 tvp
.sem 35 tvp
.sem 36 tvp
.sem 37 tvp
.sem 38 tvp
.sem 39 dma0
.sem 40 dma0
.sem 41 dma0
.sem 42 dma0
.sem 43 dma1
.sem 44 dma1
.sem 48 dma2
.sem 49 dma2
.sem 50 dma2
.sem 51 dma3
.sem 52 dma3
.sem 53 dma3
.routine r0
aaddi a7, a0, 0
aadd a8, a7, a13
l0:
ali a4, 0
vloop a4, l1
vldb v3, a1, bf16, 2
l1:
ali a4, 3
vret
.end
.routine r1
vret
.end
.routine r2
aaddi a2, a7, 324
vsts v1, a2, nvf4, 4, 5
vexp2 v5, v0
vld v1, a2, mx6, 2
vsts v1, a1, mxf8e5m2, 2 #!word 0x0000000200122918 0x0000000000000000
vret
.end
.routine r3
aaddi a7, a0, 0
vshl v5, v5, v1
vrsqrt v2, v0
aaddi a1, a7, 240
vldb v2, a1, f16, 2
vldb v0, a0, f8e4m3, -2
vret
.end
    li x27, 1792
    li x28, 65504
    nop
    li x5, csram:0:0x3a66
    li x6, 0x10f
    li x7, 4
    li x8, 1
    li x9, 4
    li x10, 4
    li x11, 4
    li x12, 4
    li x13, 11
    li x14, 2
    li x15, 11
    li x16, 58
    copy ch=0, src=x5, dst=x6, len=x7, n1=x8, ss1=x9, ds1=x10, n2=x11, ss2=x12, ds2=x13, n3=x14, ss3=x15, ds3=x16 post(s14, s31)
    wait wait(s14*1)
    li x1, 3
    sw x1, x0, 596
    li x1, 8
    sw x1, x0, 600
    li x1, csram:0:0xed07
    li x2, 4011
    li x3, 4
    li x4, 596
    li x5, 2
    li x6, 10
    li x7, 26
    scatter ch=2, dst=x1, src=x2, len=x3, idx=x4, n=x5, ss=x7, ds=x6 post(s16, s53)
    li x16, 3044
    vcall r2, x16, x8, x20, x13 post(s15, s41)
    li x16, 3420
    li x12, 32
    li x15, 5
    li x2, 5
    li x9, 1042
    li x11, 0
    wait wait(s15*1)
    drain dst=x16, ds=x12, m=x15, n=x2, c=x9, fmt=i32, across=2, bias=x11, bi=0, int=1 post(s16, s42)
    shr x3, x8, x11
    tsync wait(s8, s8*4) post(s2, s2)
    tsync wait(s8, s8*1) post(s2, s2)
    tsync wait(s8, s8*1) post(s2, s2)
    tsync wait(s8, s8*1) post(s2, s2)
    wait post(s8)
    addi x12, x1, 1
    wait post(s8)
    wait post(s8)
    wait post(s8)
    xor x18, x17, x12
    wait post(s8)
    max x18, x13, x15
    wait post(s8)
    wait post(s8)
    wait post(s8)
    min x13, x7, x19
    wait post(s8)
    wait post(s8)
    mul x15, x4, x6
    wait post(s8)
    wait wait(s2*4, s2*4)
    li x5, 0xbc1
    li x12, 39
    li x13, 20
    li x14, 5
    li x15, 204
    li x16, 109
    copy ch=0, src=x5, dst=x6, len=x7, n1=x8, ss1=x9, ds1=x10, n2=x11, ss2=x12, ds2=x13, n3=x14, ss3=x15, ds3=x16 wait(s42*1) post(s18)
    li x9, 1336
    vcall r0, x9, x1, x20, x3 post(s19)
    li x17, 1324
    vcall r1, x17, x11, x3, x2 post(s14, s39)
    li x1, 3
    sw x1, x0, 460
    li x1, hbm:0x43c3
    li x2, 146
    li x3, 607
    li x4, 1
    copy ch=3, src=x1, dst=x2, len=x3 wait(s51*3) post(s14, s29)
    rpost ch=3, mask=x4, sem=11 post(s20)
    rpost ch=3, mask=x4, sem=11 post(s13, s24)
    copy ch=3, src=x1, dst=x2, len=x0 post(s13)
    copy ch=3, src=x1, dst=x2, len=x0 post(s15, s48)
    copy ch=3, src=x1, dst=x2, len=x0 post(s14, s45)
    copy ch=3, src=x1, dst=x2, len=x0 post(s12)
    rpost ch=3, mask=x4, sem=11 post(s21)
    wait post(s51)
    wait post(s51)
    wait post(s51)
    rpost ch=3, mask=x4, sem=11 post(s14, s24)
    rpost ch=3, mask=x4, sem=11 post(s12)
    rpost ch=3, mask=x4, sem=11 post(s15)
    copy ch=3, src=x1, dst=x2, len=x0 post(s21, s35)
    wait wait(s11*6)
    wait wait(s12*2)
    wait wait(s13*2)
    wait wait(s14*4)
    wait wait(s15*2)
    wait wait(s19*1)
    wait wait(s20*1)
    wait wait(s21*2)
L1:
    li x9, 1884
    vcall r3, x9, x16, x8, x17 post(s13)
    wait wait(s18*1, s16*2)
    li x1, csram:0:0x9b20
    li x2, csram:0:0xb77c
    li x3, 0
    li x4, 1
    li x5, 21
    li x9, 0
    li x10, 5
    li x11, 15
    li x12, 32
    copy ch=0, src=x1, dst=x2, len=x3, n1=x4, ss1=x5, ds1=x6, n2=x7, ss2=x8, ds2=x9, n3=x10, ss3=x11, ds3=x12 post(s13, s45)
    li x1, csram:0:0x1678
    wait wait(s13*2)
    copy ch=3, src=x1, dst=x2, len=x3 post(s20)
    rpost ch=3, mask=x4, sem=11 post(s19)
    copy ch=3, src=x1, dst=x2, len=x0 post(s21)
    copy ch=3, src=x1, dst=x2, len=x0 post(s14)
    rpost ch=3, mask=x4, sem=11 post(s20)
    rpost ch=3, mask=x4, sem=11 post(s20)
    copy ch=3, src=x1, dst=x2, len=x0 post(s18, s52)
    rpost ch=3, mask=x4, sem=11 wait(s52*1) post(s12, s23)
    copy ch=3, src=x1, dst=x2, len=x0 post(s13, s40)
    rpost ch=3, mask=x4, sem=11 post(s15, s40)
    rpost ch=3, mask=x4, sem=11 post(s15)
    copy ch=3, src=x1, dst=x2, len=x0 post(s20, s51)
    wait wait(s11*6)
    li x20, hbm:0x14fb
    li x3, 12
    li x8, 16
    copy ch=0, src=x20, dst=x1, len=x14, n1=x10, ss1=x3, ds1=x8 wait(s40*2) post(s17, s26)
    wait wait(s20*4)
    li x18, csram:0:0x16dc
    li x5, 548
    li x2, 16
    copy ch=1, src=x18, dst=x5, len=x3, n1=x13, ss1=x6, ds1=x2 post(s14, s46)
    li x8, hbm:0x1d9f
    li x4, 8
    li x11, 0
    copy ch=2, src=x8, dst=x7, len=x9, n1=x13, ss1=x4, ds1=x11 post(s13, s45)
    li x7, 2755
    li x2, 16
    li x5, 548
    li x14, 16
    li x8, 10
    li x12, 2
    li x17, 12
    li x19, 1042
    li x9, 444
    li x18, 2767
    li x20, 548
    wait wait(s14*2)
    wait wait(s13*2)
    mma a=x7, as=x2, b=x5, bs=x14, m=x8, n=x12, k=x17, c=x19, e=x9, asc=x18, bsc=x20, af=i8, bf=i8, at=0, bt=0, acc=0, across=0, sc=2 wait(s26*1)
    wait wait(s17*1)
    mma a=x7, as=x2, b=x5, bs=x14, m=x8, n=x12, k=x17, c=x19, e=x9, asc=x18, bsc=x20, af=i8, bf=i8, at=0, bt=0, acc=1, across=0, sc=0
    mma a=x7, as=x2, b=x5, bs=x14, m=x8, n=x12, k=x17, c=x19, e=x9, asc=x18, bsc=x20, af=i8, bf=i8, at=0, bt=0, acc=1, across=0, sc=2 post(s19, s40)
    li x7, 2984
    li x3, 32
    li x2, 7
    li x11, 1
    drain dst=x7, ds=x3, m=x2, n=x11, c=x12, fmt=f32, across=2, bias=x9, bi=0, int=0
    drain dst=x7, ds=x3, m=x2, n=x11, c=x12, fmt=f32, across=2, bias=x9, bi=0, int=1
    drain dst=x7, ds=x3, m=x2, n=x11, c=x12, fmt=f32, across=2, bias=x9, bi=0, int=0 post(s21)
    li x1, 2501
    li x2, 1912
    li x3, 5
    transpose ch=1, dst=x1, src=x2, rows=x3, cols=x4, ss=x5, ds=x6, size=0 post(s18, s32)
    xori x14, x19, 9223372036854775807
    li x1, 1
    rpost ch=3, mask=x1, sem=11 post(s13)
    wait post(s29)
    wait wait(s11)
    wait wait(s19*2, s15*2)
    tsync wait(s9) post(s3)
    or x19, x12, x4
    wait post(s9)
    wait wait(s3*1)
    li x17, 3416
    li x8, 24
    li x1, 2
    li x7, 6
    li x14, 51
    li x15, 0
    fill src=x17, ss=x8, m=x1, n=x7, c=x14, fmt=f32, across=1 wait(s32*1) post(s21, s39)
    li x6, hbm:0x68fc
    li x7, hbm:0xfc6a
    li x8, 57
    copy ch=0, src=x6, dst=x7, len=x8 post(s18)
    li x1, hbm:0x440c
    li x2, 1908
    li x3, 736
    wait wait(s18*3)
    copy ch=2, src=x1, dst=x2, len=x3 post(s13, s34)
    li x6, 1908
    vcall r2, x6, x11, x5, x16 wait(s34*1, s38*1) post(s12)
    wait post(s38)
    li x19, csram:0:0x1e1b
    li x2, 1716
    li x12, 8
    li x1, 1
    li x5, 8
    li x7, 0
    copy ch=3, src=x19, dst=x2, len=x12, n1=x1, ss1=x5, ds1=x7 post(s16)
    li x18, 73
    li x1, 64
    li x14, 3491
    li x15, 64
    li x13, 3
    li x19, 2
    li x9, 22
    li x4, 1042
    li x6, 1716
    li x7, 71
    li x20, 3513
    wait wait(s16*1)
    mma a=x18, as=x1, b=x14, bs=x15, m=x13, n=x19, k=x9, c=x4, e=x6, asc=x7, bsc=x20, af=mx6, bf=mx6, at=0, bt=0, acc=0, across=1, sc=2 post(s16)
    wait wait(s16*1)
L2:
    li x18, 1052
    li x5, 30
    li x1, 4
    li x7, 14
    li x13, 1280
    li x15, 0
    fill src=x18, ss=x5, m=x1, n=x7, c=x13, fmt=f16, across=2 post(s19, s42)
    li x3, 0x7ef
    li x4, csram:0:0xdbc7
    li x5, 23
    wait wait(s13*2)
    wait wait(s12*2)
    copy ch=3, src=x3, dst=x4, len=x5 post(s20)
    wait wait(s20*1, s21*3)
    sw x1, x0, 48
    li x1, csram:0:0xdf1d
    li x2, 3247
    li x3, 85
    li x4, 32
    li x5, 5
    li x6, 101
    li x7, 93
    gather ch=3, dst=x2, src=x1, len=x3, idx=x4, n=x5, ss=x6, ds=x7 post(s12, s34)
    li x13, 1776
    li x19, 4
    li x14, 1
    li x7, 2
    li x16, 290
    li x17, 0
    fill src=x13, ss=x19, m=x14, n=x7, c=x16, fmt=f16, across=0 post(s13)
    li x1, csram:0:0xff3
    li x2, 210
    li x3, 1158
    li x4, 1
    wait wait(s13*1)
L3:
    li x1, 5
    sw x1, x0, 128
    li x1, 8
    sw x1, x0, 144
    li x1, hbm:0x34db
    li x2, 2889
    li x3, 54
    li x4, 128
    li x5, 5
    li x6, 99
    li x7, 76
    gather ch=3, dst=x2, src=x1, len=x3, idx=x4, n=x5, ss=x6, ds=x7 post(s16)
    li x5, 0xbab
    li x6, 0x97c
    li x7, 1
    li x8, 1
    li x9, 1
    li x10, 16
    wait wait(s16*1)
    copy ch=3, src=x5, dst=x6, len=x7, n1=x8, ss1=x9, ds1=x10 post(s15)
    li x5, 1
    li x6, 116
    li x7, 119
    scatter ch=1, dst=x1, src=x2, len=x3, idx=x4, n=x5, ss=x7, ds=x6 post(s20, s41)
    wait wait(s12*1)
    li x1, 5
    sw x1, x0, 32
    li x1, hbm:0x5ad0
    li x2, 1774
    li x6, 95
    li x7, 77
    gather ch=0, dst=x2, src=x1, len=x3, idx=x4, n=x5, ss=x6, ds=x7 post(s15)
    li x5, csram:0:0xda67
    li x6, 0x6cf
    li x7, 34
    wait wait(s15*2)
    li x20, 1
    copy ch=2, src=x5, dst=x6, len=x7, mask=x20, mc=1 post(s14, s47)
    sw x1, x0, 392
    li x1, hbm:0x1b2d
    li x2, 3130
    li x3, 48
    li x4, 388
    li x5, 2
    li x6, 77
    li x7, 86
    gather ch=2, dst=x2, src=x1, len=x3, idx=x4, n=x5, ss=x6, ds=x7 post(s16)
    li x1, 39
    li x2, 1943
    li x3, 4
    li x4, 5
    li x5, 9
    li x6, 4
    transpose ch=0, dst=x1, src=x2, rows=x3, cols=x4, ss=x5, ds=x6, size=0 wait(s41*2) post(s12)
    li x1, 1
    rpost ch=3, mask=x1, sem=11 post(s13)
    addi x16, x17, -5443875451102203313
    li x13, 550
    li x17, 12
    li x3, 8
    li x18, 5
    li x15, 560
    li x6, 0
    wait wait(s20*1)
    drain dst=x13, ds=x17, m=x3, n=x18, c=x15, fmt=bf16, across=0, bias=x6, bi=0, int=0 post(s15)
    wait wait(s14*1)
    wait wait(s12*1)
    li x3, csram:0:0x2f6f
    li x10, 1212
    li x15, 1
    li x8, 27
    li x5, 1
    li x16, 32
    copy ch=3, src=x3, dst=x10, len=x15, n1=x8, ss1=x5, ds1=x16 post(s16)
    wait wait(s16*2)
    li x9, csram:0:0x2ec6
    li x10, 1210
    li x3, 2
    li x12, 27
    li x4, 2
    li x16, 32
    copy ch=3, src=x9, dst=x10, len=x3, n1=x12, ss1=x4, ds1=x16 post(s19)
    li x3, hbm:0x2b64
    li x1, 2115
    li x9, 1
    li x11, 1
    li x10, 1
    li x13, 0
    copy ch=3, src=x3, dst=x1, len=x9, n1=x11, ss1=x10, ds1=x13 post(s20, s44)
    wait wait(s20*1)
    li x20, hbm:0x2ab0
    li x19, 2113
    li x11, 0
    copy ch=0, src=x20, dst=x19, len=x1, n1=x5, ss1=x6, ds1=x11 post(s18, s49)
    wait wait(s19*2)
    li x12, csram:0:0x1daa
    li x6, 1612
    li x2, 108
    li x4, 1
    li x13, 108
    li x20, 0
    copy ch=2, src=x12, dst=x6, len=x2, n1=x4, ss1=x13, ds1=x20 wait(s49*1) post(s14, s29)
    li x3, 1210
    li x16, 32
    li x15, 2113
    li x19, 0
    li x4, 27
    li x9, 3
    li x8, 2
    li x5, 1283
    li x11, 1612
    li x13, 1212
    li x20, 2115
    wait wait(s18*1)
    wait wait(s14*1)
    mma a=x3, as=x16, b=x15, bs=x19, m=x4, n=x9, k=x8, c=x5, e=x11, asc=x13, bsc=x20, af=mxf6e2m3, bf=mxf6e3m2, at=0, bt=0, acc=1, across=0, sc=1 post(s20, s36)
    li x13, 2028
    vcall r0, x13, x6, x18, x9 wait(s36*1) post(s19, s31)
    li x2, 364
    li x5, 8
    li x13, 3
    li x16, 1
    li x7, 1587
    li x3, 0
    wait wait(s20*1)
    fill src=x2, ss=x5, m=x13, n=x16, c=x7, fmt=i32, across=0 wait(s31*2) post(s21)
    andi x21, x18, 0x3fc
    lw x15, x21, 2904
    li x1, 3
    sw x1, x0, 120
    wait wait(s15*1)
    li x1, csram:0:0x1dcb
    li x2, 431
    li x3, 93
    li x4, 108
    li x5, 4
    li x6, 126
    li x7, 96
    gather ch=1, dst=x2, src=x1, len=x3, idx=x4, n=x5, ss=x6, ds=x7 post(s21, s46)
    li x3, 0xf53
    li x4, hbm:0xab68
    li x5, 11
    copy ch=1, src=x3, dst=x4, len=x5 post(s19)
    wait wait(s21*2)
    li x23, 3
    loop x23, L4
    li x10, 2686
    li x11, 2120
L4:
    wait post(s10)
    wait post(s10)
    wait post(s10)
    slt x6, x1, x12
    wait post(s10)
    wait post(s10)
    wait post(s10)
    wait post(s10)
    wait post(s10)
    wait post(s10)
    wait post(s10)
    wait post(s10)
    li x3, 736
    wait wait(s19*2)
    copy ch=0, src=x1, dst=x2, len=x3 post(s21, s22)
    li x4, 2476
    wait wait(s21*1)
    vcall r3, x4, x19, x12, x16 post(s16, s30)
    li x19, 3392
    li x11, 64
    li x17, 3
    li x16, 8
    li x14, 800
    li x7, 0
    fill src=x19, ss=x11, m=x17, n=x16, c=x14, fmt=i32, across=2 wait(s30*1) post(s19)
    li x18, 1982
    li x13, 6
    li x9, 1
    li x8, 2
    li x12, 258
    li x6, 0
    fill src=x18, ss=x13, m=x9, n=x8, c=x12, fmt=f16, across=0 post(s16, s44)
    li x11, 2764
    li x15, 12
    li x7, 31
    li x5, 3
    li x10, 547
    li x19, 0
    wait wait(s16*2)
    fill src=x11, ss=x15, m=x7, n=x5, c=x10, fmt=i32, across=0 post(s12, s27)
    li x10, csram:0:0x1c41
    li x15, 332
    li x4, 16
    li x1, 1
    li x18, 16
    li x14, 0
    copy ch=2, src=x10, dst=x15, len=x4, n1=x1, ss1=x18, ds1=x14 post(s18)
    li x2, 2571
    li x11, 5
    li x9, 4
    li x13, 1
    li x5, 1075
    li x16, 332
    li x15, 2572
    li x12, 962
    wait wait(s18*1)
    mma a=x2, as=x14, b=x3, bs=x17, m=x11, n=x9, k=x13, c=x5, e=x16, asc=x15, bsc=x12, af=q4_0, bf=bf16, at=0, bt=0, acc=1, across=1, sc=2 wait(s27*1, s26*3) post(s16, s47)
    wait post(s26)
    wait post(s26, s26)
    wait wait(s12*1, s16*1)
    li x1, hbm:0x17d8
    li x2, 1957
    li x3, 2048
    li x4, 1
    wait wait(s19*1)
    copy ch=0, src=x1, dst=x2, len=x3 wait(s41*1) post(s14)
    rpost ch=0, mask=x4, sem=11 post(s19)
    copy ch=0, src=x1, dst=x2, len=x0 post(s12, s26)
    copy ch=0, src=x1, dst=x2, len=x0 post(s15)
    copy ch=0, src=x1, dst=x2, len=x0 post(s16)
    copy ch=0, src=x1, dst=x2, len=x0 post(s21, s22)
    rpost ch=0, mask=x4, sem=11 post(s17, s32)
    copy ch=0, src=x1, dst=x2, len=x0 post(s17, s40)
    wait post(s41)
    rpost ch=0, mask=x4, sem=11 wait(s40*2) post(s12, s29)
    rpost ch=0, mask=x4, sem=11 post(s12, s42)
    rpost ch=0, mask=x4, sem=11 post(s15, s46)
    rpost ch=0, mask=x4, sem=11 post(s17, s52)
    copy ch=0, src=x1, dst=x2, len=x0 wait(s42*2) post(s21)
    copy ch=0, src=x1, dst=x2, len=x0 post(s12)
    wait wait(s11*6)
    wait wait(s12*4, s16*1)
    li x7, csram:0:0x8632
    li x8, 0x60
    li x9, 12
    li x10, 3
    li x11, 12
    li x12, 12
    copy ch=0, src=x7, dst=x8, len=x9, n1=x10, ss1=x11, ds1=x12 post(s17, s37)
    wait wait(s13*1, s21*2)
    li x12, 3892
    li x17, 24
    li x18, 3
    li x19, 6
    li x3, 1297
    li x13, 0
    wait wait(s14*1)
    fill src=x12, ss=x17, m=x18, n=x19, c=x3, fmt=f32, across=0 post(s16)
    li x23, 4
    li x3, 87
    li x4, 420
    li x5, 4
    li x6, 97
    li x7, 96
    gather ch=1, dst=x2, src=x1, len=x3, idx=x4, n=x5, ss=x6, ds=x7 post(s15, s51)
    li x1, 1
    rpost ch=3, mask=x1, sem=11 post(s19, s31)
    wait wait(s11)
    li x2, 1130
    li x10, 32
    li x3, 4
    li x14, 6
    li x1, 818
    li x5, 0
    drain dst=x2, ds=x10, m=x3, n=x14, c=x1, fmt=bf16, across=0, bias=x5, bi=0, int=0 wait(s31*1, s28*2) post(s15, s26)
    shri x12, x4, 60
    wait post(s28)
    wait post(s28)
    wait wait(s19*2, s17*4)
    li x3, 1824
    li x15, 4
    li x20, 2214
    li x8, 96
    li x6, 4
    li x2, 3
    li x18, 28
    li x1, 2228
    wait wait(s15*4)
    mma a=x3, as=x15, b=x20, bs=x8, m=x6, n=x2, k=x18, c=x5, e=x14, asc=x4, bsc=x1, af=f8e4m3, bf=q4_0, at=1, bt=0, acc=1, across=0, sc=0 post(s17)
    halt
