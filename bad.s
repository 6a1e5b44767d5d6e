halt
frobnicate x1
