/* SPDX-License-Identifier: Apache-2.0 */
/* Whole calls of the products with packed weights, for counting their instructions under qemu with
 * insn_plugin.c: each chosen kernel at a few shapes, one line "KERNEL A M N K" a call on stdout,
 * and getppid before and after it. A has the operand's own format and, for integer weights, f32 as
 * well: packing (and quantizing) A counts. Packing the weights does not.
 * Beside them OpenBLAS's sgemm at the same shapes, with what its dispatcher takes on a Neoverse N2,
 * where the library is installed; it packs both operands. Else a line "openblas_sgemm not run". */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/attention_calls.h"
#include "kernels/matmul/packed.h"

static const struct {
    size_t m, n, k;
} shapes[] = {{64, 64, 64}, {512, 512, 512}, {1, 4096, 4096}, {67, 193, 515}};
static const enum tsr_dtype formats[] = {TSR_F32,  TSR_F16,      TSR_BF16,    TSR_I8,
                                         TSR_I4,   TSR_Q8_0,     TSR_Q4_0,    TSR_Q4_K,
                                         TSR_MXF4, TSR_MXF8E4M3, TSR_MXF8E5M2};

static void *space(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (p == NULL)
        exit(70);
    memset(p, 0x11, bytes);
    return p;
}

static void must(enum tsr_status status, const struct tsr_error *err)
{
    if (status != TSR_OK) {
        fprintf(stderr, "calls: %s\n", err->message);
        exit(70);
    }
}

/* The operand's own format. */
static enum tsr_dtype own_format(enum tsr_dtype weights)
{
    switch (weights) {
    case TSR_F32:
    case TSR_F16:
        return weights;
    case TSR_BF16:
    case TSR_MXF4:
    case TSR_MXF8E4M3:
    case TSR_MXF8E5M2:
        return TSR_BF16;
    default:
        return TSR_I8;
    }
}

static const char *name_of(enum tsr_dtype a)
{
    return a == TSR_F32 ? "f32" : a == TSR_F16 ? "f16" : a == TSR_BF16 ? "bf16" : "i8";
}

static void measure(enum tsr_dtype format, enum tsr_dtype a_format, size_t m, size_t n, size_t k)
{
    struct tsr_error err = {0};
    size_t packed_bytes = 0, scratch_bytes = 0;
    must(tsr_weights_bytes(format, n, k, &packed_bytes, &err), &err);
    must(tsr_matmul_scratch_bytes(format, m, k, 1, &scratch_bytes, &err), &err);
    void *w = space(n * k * 4), *scales = space(n * (k / 8 + 8)), *packed = space(packed_bytes);
    void *scratch = space(scratch_bytes), *a = space(m * k * 4), *c = space(m * n * 4);
    memset(scales, 0x3F, n * (k / 8 + 8)); /* as f32 0.75, as E8M0 2^-64 */
    must(tsr_weights_pack(format, n, k, w, k * 4, scales, packed, &err), &err);
    const struct tsr_matmul op = {.format = format,
                                  .a_format = a_format,
                                  .m = m,
                                  .n = n,
                                  .k = k,
                                  .a = a,
                                  .lda = k,
                                  .weights = packed,
                                  .c = c,
                                  .ldc = n,
                                  .scratch = scratch,
                                  .scratch_bytes = scratch_bytes};
    const struct tsr_variant *v = tsr_variant_chosen(tsr_weights_layout(format)->op);
    (void)getppid();
    must(tsr_matmul_run(&op, &err), &err);
    (void)getppid();
    printf("%s_%s %s %zu %zu %zu\n", tsr_op_name(v->op), v->name, name_of(a_format), m, n, k);
    void *all[] = {w, scales, packed, scratch, a, c};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

/* cblas.h's. */
enum {
    ROW_MAJOR = 101,
    NOT_TRANSPOSED = 111,
    TRANSPOSED = 112
};
typedef void sgemm_fn(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                      const float *a, int lda, const float *b, int ldb, float beta, float *c,
                      int ldc);

/* A function of a library: ISO C has no conversion from dlsym's pointer. */
static sgemm_fn *function_of(void *library, const char *name)
{
    void *p = library != NULL ? dlsym(library, name) : NULL;
    sgemm_fn *f = NULL;
    memcpy(&f, &p, sizeof p);
    return f;
}

static void measure_openblas(void)
{
    setenv("OPENBLAS_CORETYPE", "NEOVERSEN2", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    sgemm_fn *sgemm = function_of(dlopen("libopenblas.so.0", RTLD_NOW), "cblas_sgemm");
    if (sgemm == NULL) {
        puts("openblas_sgemm not run");
        return;
    }
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        const int m = (int)shapes[s].m, n = (int)shapes[s].n, k = (int)shapes[s].k;
        float *a = space(shapes[s].m * shapes[s].k * 4), *w = space(shapes[s].n * shapes[s].k * 4);
        float *c = space(shapes[s].m * shapes[s].n * 4);
        /* Once before: it allocates at first. */
        sgemm(ROW_MAJOR, NOT_TRANSPOSED, TRANSPOSED, m, n, k, 1, a, k, w, k, 0, c, n);
        (void)getppid();
        sgemm(ROW_MAJOR, NOT_TRANSPOSED, TRANSPOSED, m, n, k, 1, a, k, w, k, 0, c, n);
        (void)getppid();
        printf("openblas_sgemm f32 %d %d %d\n", m, n, k);
        free(a);
        free(w);
        free(c);
    }
}

int main(void)
{
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++)
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            const size_t whole = tsr_weights_layout(formats[f])->whole;
            const size_t m = shapes[s].m, n = shapes[s].n, k = tsr_round_up(shapes[s].k, whole);
            if (own_format(formats[f]) == TSR_I8)
                measure(formats[f], TSR_F32, m, n, k);
            measure(formats[f], own_format(formats[f]), m, n, k);
        }
    measure_openblas();
    attention_calls(1024);
    return 0;
}
