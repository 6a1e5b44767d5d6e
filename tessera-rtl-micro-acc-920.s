.sem 1 tvp
.sem 2 acc
.routine change
vld v0, a0, i32, 32
vld v1, a0, i32
vimm v2, 0
vimm v3, -1
vimm v4, 16777216
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, -2146435072
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, -2147483632
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, 134217728
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, 65536
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, 8388640
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, -2147475456
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, -1879048192
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, -2011168768
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, -2097152000
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, 536870912
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, -1073741824
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, -2147483647
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, 1082130432
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, 67108865
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vimm v2, 0
vimm v3, -1
vimm v4, -2147483644
vsra v8, v0, v2
vand v8, v8, v3
vxor v8, v8, v4
vst v8, a1, i32, 32
vsra v9, v1, v2
vand v9, v9, v3
vxor v9, v9, v4
vst v9, a1, i32, 32
vret
.end
li x1, hbm:0xb9c0
li x2, 8192
li x3, 64
li x4, 12288
copy ch=0, src=x1, dst=x2, len=x3, p0=s1
vcall change, x2, x4, w0=s1, p0=s2
li x1, 12288
li x2, 64
li x3, 16
li x4, 16
li x5, 0
li x6, 0
fill src=x1, ss=x2, m=x3, n=x4, c=x5, fmt=i32, across=0, w0=s2
li x1, 12288
li x2, 32
li x3, 16
li x4, 16
li x5, 256
li x6, 0
fill src=x1, ss=x2, m=x3, n=x4, c=x5, fmt=bf16, across=0
li x1, 12288
li x2, 32
li x3, 16
li x4, 16
li x5, 256
li x6, 0
fill src=x1, ss=x2, m=x3, n=x4, c=x5, fmt=f16, across=0
li x1, 32768
li x2, 64
li x3, 16
li x4, 16
li x5, 0
li x6, 8192
drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=f32, across=0, bias=x6, bi=1
li x1, 32768
li x2, 64
li x3, 16
li x4, 16
li x5, 0
li x6, 8192
drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=f32, across=0, bias=x6, bi=0
li x1, 32768
li x2, 64
li x3, 16
li x4, 16
li x5, 0
li x6, 8192
drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=i32, across=0, bias=x6, bi=1
li x1, 32768
li x2, 64
li x3, 16
li x4, 16
li x5, 0
li x6, 8192
drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=i32, across=0, bias=x6, bi=0
li x1, 32768
li x2, 64
li x3, 16
li x4, 16
li x5, 0
li x6, 8192
drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=bf16, across=0, bias=x6, bi=1
li x1, 32768
li x2, 64
li x3, 16
li x4, 16
li x5, 0
li x6, 8192
drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=bf16, across=0, bias=x6, bi=0
li x1, 32768
li x2, 64
li x3, 16
li x4, 16
li x5, 0
li x6, 8192
drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=f16, across=0, bias=x6, bi=1
li x1, 32768
li x2, 64
li x3, 16
li x4, 16
li x5, 0
li x6, 8192
drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=f16, across=0, bias=x6, bi=0
halt
