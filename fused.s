.tiles 1
halt
.routine r
vfused v1, v2, v3
vret
.end
