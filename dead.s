.tiles 1
.sem 3 tcp
wait wait(s3)
halt
