/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/infer/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"

static enum tsr_status out_of_memory(struct tsr_error *err)
{
    return tsr_error_set(err, TSR_INTERNAL, "verify: out of memory");
}

uint32_t *verify_read_bits(struct npu *s, enum tsr_dtype format, uint64_t address, uint64_t n,
                           struct tsr_error *err)
{
    const struct tsr_format *f = &s->o.isa->formats[format];
    const uint64_t bytes = (n * f->bits + 7) / 8;
    uint32_t *bits = malloc(n * sizeof *bits);
    uint8_t *codes = malloc(bytes);
    enum tsr_status st =
        bits && codes ? tsr_sim_read(s->sim, address, codes, bytes, err) : out_of_memory(err);
    if (st == TSR_OK) {
        tsr_num_decode_array(f, bits, codes, n);
    } else {
        free(bits);
        bits = NULL;
    }
    free(codes);
    return bits;
}

float *verify_read(struct npu *s, enum tsr_dtype format, uint64_t address, uint64_t n,
                   struct tsr_error *err)
{
    uint32_t *bits = verify_read_bits(s, format, address, n, err);
    float *x = bits != NULL ? malloc(n * sizeof *x) : NULL;
    if (x != NULL)
        memcpy(x, bits, n * sizeof *x);
    else if (bits != NULL)
        out_of_memory(err);
    free(bits);
    return x;
}

struct verify_rows *verify_add(struct verify *v, uint64_t address, uint64_t stride, uint64_t rows,
                               uint64_t cols, enum tsr_dtype format, bool bound,
                               struct tsr_error *err)
{
    struct verify_rows **more = realloc(v->out, (v->n + 1) * sizeof *more);
    struct verify_rows *r = calloc(1, sizeof *r);
    v->out = more != NULL ? more : v->out;
    if (more == NULL || r == NULL) {
        free(r);
        out_of_memory(err);
        return NULL;
    }
    *r = (struct verify_rows){address, verify_stride(v, stride, format, cols), rows, cols,
                              format,  calloc(rows * cols, sizeof *r->want),   NULL, {.rows = 0}};
    r->bound = bound ? calloc(rows * cols, sizeof *r->bound) : NULL;
    v->out[v->n++] = r;
    if (r->want != NULL && (r->bound != NULL || !bound))
        return r;
    out_of_memory(err);
    return NULL;
}

enum tsr_status verify_bytes(struct verify *v, uint64_t address, const uint8_t *bytes, uint64_t n,
                             struct tsr_error *err)
{
    struct verify_rows *r = verify_add(v, address, 0, 1, n, TSR_I8, false, err);
    for (uint64_t i = 0; r != NULL && i < n; i++)
        r->want[i] = (float)(int8_t)bytes[i];
    return r != NULL ? TSR_OK : TSR_INTERNAL;
}

uint64_t verify_stride(const struct verify *v, uint64_t stride, enum tsr_dtype format,
                       uint64_t cols)
{
    return stride != 0 ? stride : cols * v->s->o.isa->formats[format].bits / 8;
}

double verify_half_ulp(const struct npu *s, enum tsr_dtype format, double x)
{
    const struct tsr_format *f = &s->o.isa->formats[format];
    const int least = 1 - f->bias - f->mbits; /* of the subnormals' step */
    int e;
    frexp(x, &e);
    return ldexp(1.0, (x == 0 || e - 1 - f->mbits < least ? least : e - 1 - f->mbits) - 1);
}

void verify_set(const struct verify *v, struct verify_rows *r, uint64_t i, double want,
                double error)
{
    r->want[i] = (float)want;
    /* the stored result's rounding, and that of `want` itself */
    r->bound[i] = error + verify_half_ulp(v->s, r->format, fabs(want) + error) +
                  verify_half_ulp(v->s, TSR_F32, want);
}

enum tsr_status verify_begin(struct npu *s, const struct project_kernel *kernel,
                             const union project_op *op, struct verify *v, bool *served,
                             struct tsr_error *err)
{
    static const struct {
        const char *kernel;
        verify_fn *fn;
    } table[] = {
        {"matmul", verify_matmul},
        {"attention", verify_attention},
        {"rmsnorm", verify_rmsnorm},
        {"rope", verify_rope},
        {"kv_append", verify_kv_append},
        {"embedding", verify_embedding},
        {"residual", verify_residual},
        {"activation", verify_activation},
        {"cast", verify_cast},
        {"quantize", verify_quantize},
        {"requantize", verify_requantize},
        {"rmsnorm_quantize", verify_rmsnorm_quantize},
        {"moe_router", verify_moe_router},
        {"moe_dispatch", verify_moe_dispatch},
        {"moe_expert", verify_moe_expert},
        {"moe_combine", verify_moe_combine},
    };
    memset(v, 0, sizeof *v);
    v->s = s;
    v->op = *op;
    *served = false;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(kernel->name, table[i].kernel) == 0) {
            enum tsr_status st = table[i].fn(v, err);
            *served = v->n != 0;
            return st;
        }
    return TSR_OK;
}

/* NaN and infinities equal themselves. */
static bool holds(const struct verify_rows *r, uint64_t i, float got)
{
    const float want = r->want[i];
    if (isnan(want) || isnan(got) || isinf(want) || isinf(got) || r->bound == NULL)
        return got == want || (isnan(want) && isnan(got));
    return fabs((double)got - (double)want) <= r->bound[i];
}

/* Row i of an output as it lies there; the caller frees it. */
static float *read_row(const struct verify *v, const struct verify_rows *r, uint64_t i,
                       struct tsr_error *err)
{
    if (r->slab.rows == 0)
        return verify_read(v->s, r->format, r->address + i * r->stride, r->cols, err);
    uint8_t *unit = malloc(r->slab.slabs * r->slab.unit_bytes);
    float *x = malloc(r->slab.slabs * r->slab.unit_elems * sizeof *x);
    enum tsr_status st = unit && x ? verify_slab_row(v->s, &r->slab, r->address, 0, i, unit, x, err)
                                   : out_of_memory(err);
    free(unit);
    if (st == TSR_OK)
        return x;
    free(x);
    return NULL;
}

static enum tsr_status compare(const struct verify *v, const struct verify_rows *r,
                               struct tsr_error *err)
{
    enum tsr_status st = TSR_OK;
    for (uint64_t i = 0; i < r->rows && st == TSR_OK; i++) {
        float *got = read_row(v, r, i, err);
        if (got == NULL)
            return TSR_INTERNAL;
        for (uint64_t j = 0; j < r->cols && st == TSR_OK; j++) {
            const uint64_t at = i * r->cols + j;
            if (!holds(r, at, got[j]))
                st = tsr_error_set(err, TSR_MISMATCH,
                                   "element [%llu, %llu] is %.9g, the reference has %.9g and "
                                   "allows %.3g",
                                   (unsigned long long)i, (unsigned long long)j, (double)got[j],
                                   (double)r->want[at], r->bound != NULL ? r->bound[at] : 0.0);
        }
        free(got);
    }
    return st;
}

enum tsr_status verify_end(const struct verify *v, struct tsr_error *err)
{
    enum tsr_status st = TSR_OK;
    for (uint32_t i = 0; i < v->n && st == TSR_OK; i++)
        st = compare(v, v->out[i], err);
    return st;
}

void verify_free(struct verify *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        free(v->out[i]->want);
        free(v->out[i]->bound);
        free(v->out[i]);
    }
    free(v->out);
}
