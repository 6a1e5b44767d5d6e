/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/exec_names.h"

#include <string.h>

#define TCP(name, expr, operands) \
    {TSR_STREAM_TCP, name, TSR_UNIT_TCP, expr, false, false, operands}
#define UNIT(name, unit, operands) \
    {TSR_STREAM_TCP, name, unit, TSR_EXEC_FIXED, true, false, operands}
#define TVP(name, expr, memory, operands) \
    {TSR_STREAM_TVP, name, TSR_UNIT_TVP, expr, false, memory, operands}

static const struct tsr_exec execs[] = {
    TCP("nop", TSR_EXEC_FIXED, ""),
    TCP("halt", TSR_EXEC_FIXED, ""),
    {TSR_STREAM_TCP, "wait", TSR_UNIT_TCP, TSR_EXEC_FIXED, true, false, ""},
    TCP("jump", TSR_EXEC_FIXED, "target:l"),
    TCP("branch", TSR_EXEC_VALUE, "target:l"),
    TCP("loop", TSR_EXEC_FIXED, "n:x end:l"),
    TCP("alu", TSR_EXEC_VALUE, "d:x"),
    TCP("load32", TSR_EXEC_FIXED, "d:x a:x imm:s"),
    TCP("load64", TSR_EXEC_FIXED, "d:x a:x imm:s"),
    TCP("store32", TSR_EXEC_FIXED, "s:x a:x imm:s"),
    TCP("store64", TSR_EXEC_FIXED, "s:x a:x imm:s"),
    UNIT("mma", TSR_UNIT_TTU,
         "a:x as:x b:x bs:x m:x n:x k:x c:x e:x asc:x bsc:x "
         "af:f bf:f at:u bt:u acc:u across:u sc:u"),
    UNIT("sync", TSR_UNIT_TTU, ""),
    UNIT("drain", TSR_UNIT_ACC, "dst:x ds:x m:x n:x c:x bias:x fmt:f across:u bi:u int:u"),
    UNIT("fill", TSR_UNIT_ACC, "src:x ss:x m:x n:x c:x fmt:f across:u"),
    UNIT("vcall", TSR_UNIT_TVP, "routine:l r0:x r1:x r2:x r3:x r4:x r5:x r6:x r7:x"),
    UNIT("copy", TSR_UNIT_TDMA,
         "ch:u dst:x src:x len:x n1:x ss1:x ds1:x n2:x ss2:x ds2:x n3:x ss3:x ds3:x mask:x mc:u"),
    UNIT("gather", TSR_UNIT_TDMA, "ch:u dst:x src:x len:x idx:x n:x ss:x ds:x"),
    UNIT("scatter", TSR_UNIT_TDMA, "ch:u dst:x src:x len:x idx:x n:x ss:x ds:x"),
    UNIT("transpose", TSR_UNIT_TDMA, "ch:u dst:x src:x rows:x cols:x ss:x ds:x size:u"),
    UNIT("to_control", TSR_UNIT_TDMA, "ch:u dst:x src:x n:x id:u"),
    UNIT("rpost", TSR_UNIT_TDMA, "ch:u mask:x sem:u"),
    TVP("vret", TSR_EXEC_FIXED, false, ""),
    TVP("vloop", TSR_EXEC_FIXED, false, "n:a end:l"),
    TVP("aadd", TSR_EXEC_FIXED, false, "d:a a:a b:a"),
    TVP("aaddi", TSR_EXEC_FIXED, false, "d:a a:a imm:s"),
    TVP("ali", TSR_EXEC_FIXED, false, "d:a imm:s"),
    TVP("vlen", TSR_EXEC_FIXED, false, "n:a"),
    TVP("vld", TSR_EXEC_FIXED, true, "d:v a:a fmt:f inc:s n:u"),
    TVP("vldb", TSR_EXEC_FIXED, true, "d:v a:a fmt:f inc:s"),
    TVP("vst", TSR_EXEC_FIXED, true, "s:v a:a fmt:f inc:s n:u"),
    TVP("vlds", TSR_EXEC_FIXED, true, "d:v a:a fmt:f inc:s n:u"),
    TVP("vsts", TSR_EXEC_FIXED, true, "s:v a:a fmt:f inc:s n:u"),
    TVP("vlda", TSR_EXEC_FIXED, true, "d:v a:a inc:s"),
    TVP("vsplat", TSR_EXEC_FIXED, false, "d:v a:a"),
    TVP("vimm", TSR_EXEC_FIXED, false, "d:v imm:u"),
    TVP("vidx", TSR_EXEC_FIXED, false, "d:v"),
    TVP("lanes", TSR_EXEC_LANES, false, "d:v"),
    TVP("reduce", TSR_EXEC_REDUCE, false, "d:v a:v"),
    TVP("segment", TSR_EXEC_REDUCE, false, "d:v a:v n:u"),
    {TSR_STREAM_TCP, NULL, TSR_UNIT_TCP, TSR_EXEC_FIXED, false, false, ""},
};

const struct tsr_exec *tsr_isa_execs(void)
{
    return execs;
}

const struct tsr_exec *tsr_isa_exec(enum tsr_stream stream, const char *name)
{
    for (const struct tsr_exec *e = execs; e->name != NULL; e++)
        if (e->stream == stream && strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

bool tsr_isa_exec_known(enum tsr_stream stream, const char *name)
{
    return tsr_isa_exec(stream, name) != NULL;
}
