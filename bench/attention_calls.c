/* SPDX-License-Identifier: Apache-2.0 */
/* Fused attention beside what it replaces, for counting their instructions: see calls.c. 24 rows
 * against contexts of 64 to 32768 keys, dim 128; the cache is there, packed. Unfused is made of
 * this library's best: the product with packed keys, softmax row by row, conversion of its results,
 * the product with packed values. Lines "attention_FORMAT_VARIANT FORMAT 24 KEYS 256" and
 * "attention_unfused_FORMAT ...": products of both matrices, so that rates compare. */
#include "bench/attention_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cpu/variants.h"
#include "tessera/attention.h"
#include "tessera/vecmath.h"

enum {
    ROWS = 24,
    DIM = 128,
    LEAST = 64
};

static void must(enum tsr_status status, const struct tsr_error *err)
{
    if (status != TSR_OK) {
        fprintf(stderr, "calls: %s\n", err->message);
        exit(70);
    }
}

static void *space(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (p == NULL)
        exit(70);
    memset(p, 0, bytes);
    return p;
}

/* n values in +-1, of f32 or bf16. */
static void *values(enum tsr_dtype format, size_t n)
{
    float *x = space(n * 4);
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) * 0x1p-23f - 1;
    }
    if (format == TSR_BF16) {
        uint16_t *narrow = space(n * 2);
        tsr_convert_f32_bf16(n, x, narrow);
        free(x);
        return narrow;
    }
    return x;
}

static void fused(enum tsr_dtype format, uint32_t keys)
{
    struct tsr_error err = {0};
    const uint32_t rows = ROWS, page = 0;
    const struct tsr_attention what = {.batch = 1,
                                       .q_len = &rows,
                                       .kv_len = &keys,
                                       .heads = 1,
                                       .kv_heads = 1,
                                       .dim = DIM,
                                       .value_dim = DIM,
                                       .scale = 0.08838834764831845};
    struct tsr_kv kv = {.format = format,
                        .kv_heads = 1,
                        .dim = DIM,
                        .value_dim = DIM,
                        .page_tokens = keys,
                        .table = &page,
                        .table_stride = 1};
    size_t page_bytes = 0, scratch_bytes = 0;
    must(tsr_kv_page_bytes(&kv, &page_bytes, &err), &err);
    kv.pages = space(page_bytes);
    float *k = values(TSR_F32, (size_t)keys * DIM);
    must(tsr_kv_append(&kv, 0, 0, keys, k, DIM, k, DIM, &err), &err);
    struct tsr_attention_call call = {.what = &what,
                                      .format = format,
                                      .q = values(format, ROWS * DIM),
                                      .q_stride = DIM,
                                      .kv = &kv,
                                      .o = space(ROWS * DIM * 4),
                                      .o_stride = DIM};
    must(tsr_attention_scratch_bytes(&call, 1, &scratch_bytes, &err), &err);
    call.scratch_bytes = scratch_bytes;
    call.scratch = space(scratch_bytes);
    (void)getppid();
    must(tsr_attention_run(&call, &err), &err);
    (void)getppid();
    const struct tsr_variant *v =
        tsr_variant_chosen(format == TSR_F32 ? TSR_OP_attention_f32 : TSR_OP_attention_bf16);
    printf("%s_%s %s %d %u %d\n", tsr_op_name(v->op), v->name, format == TSR_F32 ? "f32" : "bf16",
           ROWS, (unsigned)keys, 2 * DIM);
    free(k);
    free(kv.pages);
    free((void *)(uintptr_t)call.q);
    free(call.o);
    free(call.scratch);
}

/* One product of the unfused form: packed weights and scratch. */
struct product {
    struct tsr_matmul op;
    void *packed;
};

static struct product prepare(enum tsr_dtype format, size_t n, size_t k, const void *a, float *c)
{
    struct tsr_error err = {0};
    size_t bytes = 0, scratch = 0;
    must(tsr_weights_bytes(format, n, k, &bytes, &err), &err);
    must(tsr_matmul_scratch_bytes(format, ROWS, k, 1, &scratch, &err), &err);
    void *w = values(format, n * k), *packed = space(bytes);
    must(tsr_weights_pack(format, n, k, w, k * (format == TSR_F32 ? 4 : 2), NULL, packed, &err),
         &err);
    free(w);
    return (struct product){{.format = format,
                             .a_format = format,
                             .m = ROWS,
                             .n = n,
                             .k = k,
                             .a = a,
                             .lda = k,
                             .weights = packed,
                             .c = c,
                             .ldc = n,
                             .scratch = space(scratch),
                             .scratch_bytes = scratch},
                            packed};
}

static void unfused(enum tsr_dtype format, size_t keys)
{
    struct tsr_error err = {0};
    float *scores = space(ROWS * keys * 4), *o = space(ROWS * DIM * 4);
    uint16_t *narrow = space(ROWS * keys * 2);
    void *q = values(format, ROWS * DIM);
    struct product qk = prepare(format, keys, DIM, q, scores);
    struct product pv = prepare(format, DIM, keys, format == TSR_F32 ? (void *)scores : narrow, o);
    (void)getppid();
    must(tsr_matmul_run(&qk.op, &err), &err);
    tsr_softmax_f32(format == TSR_F32 ? TSR_EXP_TWO : TSR_EXP_ONE, ROWS, keys, scores, keys, scores,
                    keys);
    if (format == TSR_BF16)
        tsr_convert_f32_bf16(ROWS * keys, scores, narrow);
    must(tsr_matmul_run(&pv.op, &err), &err);
    (void)getppid();
    const char *name = format == TSR_F32 ? "f32" : "bf16";
    printf("attention_unfused_%s %s %d %zu %d\n", name, name, ROWS, keys, 2 * DIM);
    void *const all[] = {scores, o, narrow, q, qk.packed, qk.op.scratch, pv.packed, pv.op.scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

void attention_calls(uint32_t most)
{
    static const enum tsr_dtype formats[] = {TSR_F32, TSR_BF16};
    for (int f = 0; f < 2; f++)
        for (uint32_t keys = LEAST; keys <= most; keys *= 2) {
            fused(formats[f], keys);
            unfused(formats[f], keys);
        }
}
