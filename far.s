.tiles 1
.tensor A in f32 hbm:0x7fffffff 1x1
halt
