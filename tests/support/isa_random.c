/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/isa_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/load.h"
#include "tests/support/harness.h"

enum { ID_BITS = 6 };

static unsigned add(int64_t *out, unsigned n, int64_t v)
{
    for (unsigned i = 0; i < n; i++)
        if (out[i] == v)
            return n;
    out[n] = v;
    return n + 1;
}

unsigned tsr_test_extremes(const struct tsr_operand *o, int64_t *out)
{
    unsigned n = 0;
    if (o->kind == TSR_KIND_FMT) {
        for (int code = 0; code < TSR_DTYPE_MAX; code++)
            if (o->formats >> code & 1)
                n = add(out, n, code);
        return n;
    }
    if (o->kind == TSR_KIND_WAIT || o->kind == TSR_KIND_POST) {
        int64_t most = o->max >> ID_BITS;
        n = add(out, n, 0);
        n = add(out, n, 1 << ID_BITS);
        n = add(out, n, 63 | 1 << ID_BITS);
        n = add(out, n, most << ID_BITS);
        return add(out, n, o->max);
    }
    n = add(out, n, o->min);
    n = add(out, n, o->max);
    n = add(out, n, o->min + 1);
    n = add(out, n, o->max - 1);
    if (o->kind == TSR_KIND_SIMM && o->width == 64) { /* what is shown as an address, and nearly */
        n = add(out, n, INT64_C(2) << 56 | 0x1000);
        n = add(out, n, INT64_C(1) << 56 | INT64_C(200) << 32 | UINT32_MAX);
        n = add(out, n, INT64_C(1) << 56 | INT64_C(1) << 40);
        n = add(out, n, INT64_C(3) << 56 | 5);
    }
    for (int64_t v = -1; v <= 1; v++)
        if (v >= o->min && v <= o->max)
            n = add(out, n, v);
    return n;
}

unsigned tsr_test_illegal(const struct tsr_operand *o, int64_t *out)
{
    unsigned n = 0;
    if (o->min > INT64_MIN) {
        n = add(out, n, o->min - 1);
        n = add(out, n, INT64_MIN);
    }
    if (o->max < INT64_MAX) {
        n = add(out, n, o->max + 1);
        n = add(out, n, INT64_MAX);
    }
    if (o->kind == TSR_KIND_FMT)
        for (int code = 0; code < TSR_DTYPE_MAX; code++)
            if (!(o->formats >> code & 1))
                n = add(out, n, code);
    if (o->kind == TSR_KIND_WAIT || o->kind == TSR_KIND_POST)
        n = add(out, n, 1 + (int64_t)(n % 63)); /* an id without amount */
    return n;
}

int64_t tsr_test_operand(const struct tsr_operand *o, uint64_t *state)
{
    int64_t extreme[TSR_TEST_EXTREMES];
    unsigned n = tsr_test_extremes(o, extreme);
    if (o->kind == TSR_KIND_FMT || tsr_test_random_below(state, 4) == 0)
        return extreme[tsr_test_random_below(state, n)];
    uint64_t r = tsr_test_random(state);
    if (o->kind == TSR_KIND_WAIT || o->kind == TSR_KIND_POST) {
        int64_t amount = (int64_t)(r >> 8) & (o->max >> ID_BITS);
        return amount == 0 ? 0 : ((int64_t)r & 63) | amount << ID_BITS;
    }
    /* Few significant bits as often as many. */
    r >>= tsr_test_random_below(state, 64);
    uint64_t span = (uint64_t)o->max - (uint64_t)o->min + 1;
    return (int64_t)((uint64_t)o->min + (span == 0 ? r : r % span));
}

struct tsr_insn tsr_test_insn(const struct tsr_op *op, uint64_t *state, int64_t labels,
                              int64_t routines)
{
    struct tsr_insn in = {.op = op};
    for (int i = 0; i < op->n_operands; i++) {
        const struct tsr_operand *o = &op->operand[i];
        in.v[i] = tsr_test_operand(o, state);
        int64_t below = op->unit == TSR_UNIT_TVP && op->stream == TSR_STREAM_TCP ? routines
                                                                                  : labels;
        if (o->kind == TSR_KIND_LABEL && below > 0)
            in.v[i] = (int64_t)tsr_test_random_below(state, (uint64_t)below);
    }
    return in;
}

static struct tsr_word random_word(const struct tsr_isa *isa, enum tsr_stream s, uint64_t *state,
                                   int64_t labels, int64_t routines)
{
    const struct tsr_op *op;
    do
        op = &isa->ops[tsr_test_random_below(state, isa->n_ops)];
    while (op->stream != s);
    struct tsr_insn in = tsr_test_insn(op, state, labels, routines);
    struct tsr_word w;
    struct tsr_error err = {0};
    if (tsr_encode(&in, &w, &err) != TSR_OK)
        fail_msg("%s", err.message);
    return w;
}

static void random_tiles(struct tsr_program *p, uint64_t *state)
{
    p->tiles = 1 + (uint32_t)tsr_test_random_below(state, 5);
    if (tsr_test_random_below(state, 2)) {
        p->args = calloc(p->tiles, sizeof *p->args);
        assert_non_null(p->args);
        for (uint32_t t = 0; t < p->tiles; t++)
            for (int r = 0; r < TSR_LAUNCH_REGS; r++)
                if (tsr_test_random_below(state, 3) == 0)
                    p->args[t][r] = (int64_t)(tsr_test_random(state) >>
                                              tsr_test_random_below(state, 64));
    }
    if (tsr_test_random_below(state, 2)) {
        p->control = calloc(p->tiles, sizeof *p->control);
        p->control_bytes = calloc(p->tiles, sizeof *p->control_bytes);
        assert_true(p->control != NULL && p->control_bytes != NULL);
        for (uint32_t t = 0; t < p->tiles; t++) {
            uint32_t n = 4 * (uint32_t)tsr_test_random_below(state, 100);
            p->control[t] = n > 0 ? calloc(n, 1) : NULL;
            p->control_bytes[t] = n;
            for (uint32_t i = 0; i < n; i++)
                if (tsr_test_random_below(state, 8) == 0)
                    p->control[t][i] = (uint8_t)tsr_test_random(state);
        }
    }
}

static void random_bindings(struct tsr_program *p, uint64_t *state, const struct tsr_isa *isa)
{
    p->n_bindings = (uint32_t)tsr_test_random_below(state, 4);
    p->bindings = calloc(4, sizeof *p->bindings);
    assert_non_null(p->bindings);
    for (uint32_t i = 0; i < p->n_bindings; i++) {
        struct tsr_binding *b = &p->bindings[i];
        snprintf(b->name, sizeof b->name, "t_%u", i);
        b->output = tsr_test_random_below(state, 2);
        do
            b->format = (uint8_t)tsr_test_random_below(state, TSR_DTYPE_MAX);
        while (!isa->has_format[b->format]);
        b->address = UINT64_C(2) << 56 | tsr_test_random_below(state, UINT64_C(1) << 40);
        b->dims = 1 + (uint32_t)tsr_test_random_below(state, 4);
        for (uint32_t d = 0; d < b->dims; d++)
            b->dim[d] = 1 + tsr_test_random_below(state, 1000);
    }
}

struct tsr_program tsr_test_program_random(const struct tsr_isa *isa, uint64_t *state,
                                           uint32_t most)
{
    struct tsr_program p = {.isa_major = isa->major, .isa_minor = isa->minor,
                            .isa_digest = isa->digest};
    for (int i = 0; i < TSR_MAX_SEMAPHORES; i++) {
        uint64_t q = tsr_test_random_below(state, TSR_QUEUES + 4);
        p.consumer[i] = q < TSR_QUEUES ? (uint8_t)q : 0xff;
    }
    p.n_tcp = (uint32_t)tsr_test_random_below(state, most + 1);
    p.n_tvp = (uint32_t)tsr_test_random_below(state, most + 1);
    p.tcp = calloc((size_t)p.n_tcp + 1, sizeof *p.tcp);
    p.tvp = calloc((size_t)p.n_tvp + 1, sizeof *p.tvp);
    assert_true(p.tcp != NULL && p.tvp != NULL);
    for (uint32_t i = 0; i < p.n_tcp; i++)
        p.tcp[i] = random_word(isa, TSR_STREAM_TCP, state, p.n_tcp + 1, (int64_t)p.n_tvp + 1);
    for (uint32_t i = 0; i < p.n_tvp; i++)
        p.tvp[i] = random_word(isa, TSR_STREAM_TVP, state, (int64_t)p.n_tvp + 1, 0).w[0];
    random_tiles(&p, state);
    random_bindings(&p, state, isa);
    return p;
}

static void same_tiles(const struct tsr_program *a, const struct tsr_program *b)
{
    static const int64_t zeros[TSR_LAUNCH_REGS];
    assert_int_equal(a->tiles, b->tiles);
    for (uint32_t t = 0; t < a->tiles; t++) {
        assert_memory_equal(a->args != NULL ? a->args[t] : zeros,
                            b->args != NULL ? b->args[t] : zeros, sizeof zeros);
        uint32_t na = a->control != NULL ? a->control_bytes[t] : 0;
        uint32_t nb = b->control != NULL ? b->control_bytes[t] : 0;
        assert_int_equal(na, nb);
        if (na > 0)
            assert_memory_equal(a->control[t], b->control[t], na);
    }
}

void tsr_test_same_program(const struct tsr_program *a, const struct tsr_program *b)
{
    assert_int_equal(a->isa_major, b->isa_major);
    assert_int_equal(a->isa_minor, b->isa_minor);
    assert_int_equal(a->isa_digest, b->isa_digest);
    assert_memory_equal(a->consumer, b->consumer, sizeof a->consumer);
    assert_int_equal(a->n_tcp, b->n_tcp);
    assert_int_equal(a->n_tvp, b->n_tvp);
    if (a->n_tcp > 0)
        assert_memory_equal(a->tcp, b->tcp, a->n_tcp * sizeof *a->tcp);
    if (a->n_tvp > 0)
        assert_memory_equal(a->tvp, b->tvp, a->n_tvp * sizeof *a->tvp);
    same_tiles(a, b);
    assert_int_equal(a->n_bindings, b->n_bindings);
    for (uint32_t i = 0; i < a->n_bindings; i++) {
        const struct tsr_binding *x = &a->bindings[i], *y = &b->bindings[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->output, y->output);
        assert_int_equal(x->format, y->format);
        assert_int_equal(x->address, y->address);
        assert_int_equal(x->dims, y->dims);
        assert_memory_equal(x->dim, y->dim, sizeof x->dim);
    }
}

struct tsr_isa *tsr_test_isa(void)
{
    struct tsr_isa *isa;
    struct tsr_error err = {0};
    if (tsr_isa_load(NULL, 0, &isa, &err) != TSR_OK)
        fail_msg("%s", err.message);
    return isa;
}

struct tsr_isa *tsr_test_overlay(const char *text, char *message)
{
    static const char *const built_in[] = {"isa/tile.yaml", "isa/formats.yaml"};
    struct tsr_doc *docs[3] = {NULL};
    struct tsr_isa *isa = NULL;
    struct tsr_error err = {0};
    enum tsr_status st = TSR_OK;
    for (int i = 0; i < 2; i++)
        assert_int_equal(tsr_doc_embedded(built_in[i], &docs[i], &err), TSR_OK);
    st = tsr_doc_parse("over.yaml", text, strlen(text), &docs[2], &err);
    if (st == TSR_OK)
        st = tsr_isa_load_docs((const struct tsr_doc *const *)docs, 3, &isa, &err);
    for (int i = 0; i < 3; i++)
        tsr_doc_free(docs[i]);
    if (message == NULL) {
        if (st != TSR_OK)
            fail_msg("%s", err.message);
        return isa;
    }
    if (st != TSR_BAD_INPUT)
        fail_msg("status %d, an error was wanted for:\n%s", st, text);
    snprintf(message, 1024, "%s", err.message);
    return NULL;
}
