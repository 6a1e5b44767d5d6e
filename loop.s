.tiles 1
again:
jmp again
