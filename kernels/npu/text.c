/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tsr_text_line(struct tsr_text *t, const char *format, ...)
{
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int need = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (need < 0 || t->failed) {
        va_end(again);
        t->failed = true;
        return;
    }
    size_t want = t->n + (size_t)need + 2;
    if (want > t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 4096;
        cap = cap < want ? want : cap;
        char *p = realloc(t->text, cap);
        if (!p) {
            va_end(again);
            t->failed = true;
            return;
        }
        t->text = p;
        t->cap = cap;
    }
    vsnprintf(t->text + t->n, (size_t)need + 1, format, again);
    va_end(again);
    t->n += (size_t)need;
    t->text[t->n++] = '\n';
    t->text[t->n] = 0;
}

enum tsr_status tsr_text_program(struct tsr_text *t, const struct tsr_isa *isa, const char *name,
                                 uint32_t tiles, const int64_t (*args)[TSR_LAUNCH_REGS],
                                 struct tsr_program *out, struct tsr_error *err)
{
    enum tsr_status st = t->failed || !t->text
                             ? tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", name)
                             : TSR_OK;
    if (st == TSR_OK)
        st = tsr_assemble(isa, name, t->text, t->n, out, err);
    if (st == TSR_OK) {
        out->tiles = tiles;
        if (args) {
            free(out->args);
            out->args = malloc(tiles * sizeof *out->args);
            if (!out->args) {
                tsr_program_free(out);
                st = tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", name);
            } else {
                memcpy(out->args, args, tiles * sizeof *out->args);
            }
        }
    }
    free(t->text);
    memset(t, 0, sizeof *t);
    return st;
}
