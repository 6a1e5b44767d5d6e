# SPDX-License-Identifier: Apache-2.0
# Hardware loops four deep, that end at one word and at different ones; then four whose counts have
# only one bit set, a high one, so that it alone decides on a second turn, in which they are left.
li x1, 3
li x2, 2
li x3, 4
li x10, 0
loop x1, one
addi x10, x10, 1
loop x2, one
addi x10, x10, 0x10
loop x3, one
addi x10, x10, 0x100
loop x2, one
addi x10, x10, 0x1000
one:
loop x2, apart1
addi x11, x10, 1
loop x3, apart2
addi x11, x11, 2
loop x1, apart3
addi x11, x11, 3
loop x2, apart4
addi x11, x11, 4
apart4:
addi x11, x11, 5
apart3:
addi x11, x11, 6
apart2:
addi x11, x11, 7
apart1:
addi x11, x11, 8
li x4, 1
shli x5, x4, 62
shli x6, x4, 53
shli x7, x4, 41
shli x8, x4, 32
li x20, 2
loop x5, end1
addi x12, x12, 1
beq x12, x20, next1
addi x19, x19, 1
end1:
jmp stop
next1:
loop x6, end2
addi x13, x13, 1
beq x13, x20, next2
addi x19, x19, 2
end2:
jmp stop
next2:
loop x7, end3
addi x14, x14, 1
beq x14, x20, next3
addi x19, x19, 3
end3:
jmp stop
next3:
loop x8, end4
addi x15, x15, 1
beq x15, x20, next4
addi x19, x19, 4
end4:
jmp stop
next4:
addi x19, x19, 0x10
stop:
halt
