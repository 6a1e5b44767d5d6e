.tiles 9
halt
