# reduced from seed 100112; repeat: tessera-rtl-micro run tessera-rtl-micro-100112.s
#!seed 100112
    li x22, 256
    loop x22, L0
    wait post(s1)
L0:
