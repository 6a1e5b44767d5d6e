/* SPDX-License-Identifier: Apache-2.0 */
/* The chip as a target: what it costs, and that nothing but the tokens changes its values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/project/project.h"
#include "tests/support/families.h"
#include "tests/support/harness.h"

struct rig {
    struct tsr_isa *isa;
    struct tsr_chip chip;
    struct family_model t;
    struct infer_options o;
};

static void setup(struct rig *r, const char *chip, size_t family, enum tsr_dtype format)
{
    memset(r, 0, sizeof *r);
    assert_int_equal(tsr_isa_load(NULL, 0, &r->isa, NULL), TSR_OK);
    assert_int_equal(tsr_chip_load(chip, &r->chip, NULL), TSR_OK);
    family_make(&families[family], false, &r->t);
    r->o = family_options(&r->t, r->isa);
    r->o.target = INFER_NPU;
    r->o.chip = &r->chip;
    r->o.format = r->o.activations = &r->isa->formats[format];
    r->o.kv = &r->isa->formats[TSR_BF16];
}

static void teardown(struct rig *r)
{
    family_drop(&r->t);
    tsr_isa_free(r->isa);
}

static struct infer *start(const struct rig *r)
{
    struct tsr_error err = {0};
    struct infer *s = NULL;
    if (infer_create(&r->o, &s, &err))
        fail_msg("%s", err.message);
    return s;
}

static void step(struct infer *s, const struct rig *r, uint32_t first, uint32_t n, float *logits)
{
    struct tsr_error err = {0};
    if (infer_step(s, r->t.tokens + first, n, false, logits, &err))
        fail_msg("%s", err.message);
}

static void one_by_one(struct infer *s, const struct rig *r, uint32_t first, uint32_t n,
                       float *logits)
{
    for (uint32_t i = 0; i < n; i++)
        step(s, r, first + i, 1, i + 1 == n ? logits : NULL);
}

static struct project_options projection(const struct rig *r, enum tsr_phase phase)
{
    return (struct project_options){.isa = r->isa,
                                    .chip = &r->chip,
                                    .phase = phase,
                                    .batch = 1,
                                    .seq = FAMILY_TOKENS,
                                    .weights = r->o.format,
                                    .activations = r->o.activations,
                                    .kv = r->o.kv,
                                    .every_layer = true,
                                    .threads = 1};
}

static const enum tsr_dtype caches[] = {TSR_BF16, TSR_F8E4M3, TSR_I8, TSR_MXF8E4M3};
enum {
    CACHES = sizeof caches / sizeof *caches
};

/* A token's cycles are those that a projection finds for its context when it runs every layer's
 * program; one program for all layers comes close. */
static void test_a_projection_finds_the_cycles_of_a_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < CACHES; i++) {
        struct rig r;
        setup(&r, "micro", 6, TSR_BF16); /* qwen3: heads of whole blocks */
        r.o.cycles = true;
        r.o.positions = FAMILY_TOKENS;
        r.o.kv = &r.isa->formats[caches[i]];
        struct infer *s = start(&r);
        one_by_one(s, &r, 0, FAMILY_TOKENS, NULL);
        struct project_options p = projection(&r, TSR_DECODE);
        struct project_result *exact = NULL, *composed = NULL;
        assert_int_equal(project_run(&r.t.model, &p, &exact, NULL), TSR_OK);
        p.every_layer = false;
        assert_int_equal(project_run(&r.t.model, &p, &composed, NULL), TSR_OK);
        const struct infer_cost *c = infer_cost(s);
        assert_int_equal(c->tokens, FAMILY_TOKENS);
        if (c->last != exact->cycles)
            fail_msg("cache %s: %llu cycles, %llu projected", r.o.kv->name,
                     (unsigned long long)c->last, (unsigned long long)exact->cycles);
        assert_int_equal(c->launches, FAMILY_TOKENS * composed->launches);
        double ratio = (double)composed->cycles / (double)exact->cycles;
        assert_true(ratio > 0.9 && ratio < 1.1);
        free(exact);
        free(composed);
        infer_destroy(s);
        teardown(&r);
    }
}

/* The same for a prompt, whose tokens go through the layers together: all but the gather of the
 * embedding, whose rows are the text's in a run and drawn in a projection. */
static void prompt_costs_as_projected(const char *chip, enum tsr_dtype kv)
{
    struct rig r;
    setup(&r, chip, 0, TSR_BF16);
    r.o.cycles = true;
    r.o.positions = FAMILY_TOKENS;
    r.o.kv = &r.isa->formats[kv];
    struct infer *s = start(&r);
    step(s, &r, 0, FAMILY_TOKENS, NULL);
    const struct project_options p = projection(&r, TSR_PREFILL);
    struct project_result *exact = NULL;
    assert_int_equal(project_run(&r.t.model, &p, &exact, NULL), TSR_OK);
    const struct infer_cost *c = infer_cost(s);
    assert_int_equal(c->prompt_tokens, FAMILY_TOKENS);
    assert_int_equal(c->tokens, 0);
    assert_int_equal(c->prompt_cycles, c->cycles);
    assert_int_equal(c->launches, exact->launches);
    assert_int_equal(c->n_steps, exact->n_steps);
    for (uint32_t k = 0; k < c->n_steps; k++) {
        const uint64_t ran = c->step[k].cycles, said = project_step_cycles(&exact->step[k]);
        assert_string_equal(c->step[k].name, exact->step[k].name);
        if (ran != said && (strcmp(c->step[k].kernel, "embedding") != 0 || ran > said * 2))
            fail_msg("%s, cache %s: %llu cycles, %llu projected", c->step[k].name, r.o.kv->name,
                     (unsigned long long)ran, (unsigned long long)said);
    }
    free(exact);
    infer_destroy(s);
    teardown(&r);
}

/* Blocks a projection quantizes in place, since its prompt is all that the cache holds. */
static void test_a_projection_finds_the_cycles_of_a_prompt(void **state)
{
    (void)state;
    for (size_t i = 0; i < CACHES; i++)
        if (caches[i] != TSR_MXF8E4M3) {
            prompt_costs_as_projected("micro", caches[i]);
            prompt_costs_as_projected("micro4", caches[i]);
        }
}

/* Logits behind a prompt in blocks are those behind its tokens one by one, as far as both may lie
 * from double precision; and so are those of tokens that follow on either. */
static void test_a_prompt_is_its_tokens(void **state)
{
    (void)state;
    for (size_t f = 0; f < n_families; f += 3) { /* infer.families has all of them, in blocks too */
        struct rig r;
        setup(&r, "micro", f, TSR_BF16);
        family_drop(&r.t);
        family_make(&families[f], true, &r.t);
        r.o.weights = r.t.file;
        r.o.model = &r.t.model;
        family_tolerance(&r.t, &family_bf16);
        const size_t n = r.t.model.vocab;
        float *block = malloc(2 * n * sizeof *block), *single = block + n;
        for (uint32_t first = 1; first <= 7; first += 6) {
            struct infer *a = start(&r), *b = start(&r);
            one_by_one(a, &r, 0, FAMILY_TOKENS - 2, NULL);
            step(b, &r, 0, first, NULL); /* of one, and of several, then the rest */
            step(b, &r, first, FAMILY_TOKENS - 2 - first, NULL);
            for (uint32_t t = FAMILY_TOKENS - 2; t < FAMILY_TOKENS; t++) {
                step(a, &r, t, 1, single);
                step(b, &r, t, 1, block);
                for (size_t i = 0; i < n; i++)
                    if (!(fabs((double)block[i] - (double)single[i]) <= 2 * r.t.allowed[t]))
                        fail_msg("%s: token %u, logit %zu: %g, and %g one by one", r.t.name, t, i,
                                 (double)block[i], (double)single[i]);
            }
            infer_destroy(a);
            infer_destroy(b);
        }
        free(block);
        teardown(&r);
    }
}

/* The same bits: again, after a restart, counting cycles or not, on a chip of more tiles with the
 * same steps of K, and whatever the room behind the sequence. */
static void test_values_depend_on_the_tokens_alone(void **state)
{
    struct rig r;
    (void)state;
    setup(&r, "micro", 3, TSR_BF16); /* mistral: its window is passed */
    const size_t n = r.t.model.vocab;
    float *a = malloc(2 * n * sizeof *a), *b = a + n;
    struct infer *s = start(&r);
    step(s, &r, 0, 7, NULL);
    one_by_one(s, &r, 7, FAMILY_TOKENS - 7, a);
    infer_restart(s);
    step(s, &r, 0, 7, NULL);
    one_by_one(s, &r, 7, FAMILY_TOKENS - 7, b);
    assert_memory_equal(a, b, n * sizeof *a);
    infer_destroy(s);
    r.o.cycles = true;
    r.o.positions = 31;
    s = start(&r);
    step(s, &r, 0, 7, NULL);
    one_by_one(s, &r, 7, FAMILY_TOKENS - 7, b);
    assert_memory_equal(a, b, n * sizeof *a);
    infer_destroy(s);
    assert_int_equal(tsr_chip_load("micro4", &r.chip, NULL), TSR_OK);
    s = start(&r);
    step(s, &r, 0, 7, NULL);
    one_by_one(s, &r, 7, FAMILY_TOKENS - 7, b);
    assert_memory_equal(a, b, n * sizeof *a);
    infer_destroy(s);
    free(a);
    teardown(&r);
}

/* Formats: the chip lies as far from double precision as the reference that rounds to the same
 * format, but for bf16's own errors and values that fall on the other side of a rounding step;
 * twice as far would be another computation. */
static void test_formats_err_as_the_reference_in_them(void **state)
{
    static const enum tsr_dtype formats[] = {TSR_F16, TSR_F8E4M3, TSR_I8,   TSR_MXF8E4M3, TSR_MX9,
                                             TSR_MX6, TSR_MXF4,   TSR_Q8_0, TSR_NVF4,     TSR_Q4_K};
    struct rig r;
    (void)state;
    setup(&r, "micro", 5, TSR_BF16); /* qwen2: biases, a tied table */
    const size_t n = r.t.model.vocab;
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        double far[2] = {0, 0};
        r.o.format = r.o.activations = &r.isa->formats[formats[i]];
        if (formats[i] == TSR_Q4_K)
            r.o.activations = &r.isa->formats[TSR_BF16];
        for (int chip = 0; chip < 2; chip++) {
            r.o.target = chip ? INFER_NPU : INFER_REF;
            struct infer *s = start(&r);
            for (uint32_t t = 0; t < FAMILY_TOKENS; t++) {
                step(s, &r, t, 1, x);
                for (size_t j = 0; j < n; j++) {
                    double d = (double)x[j] - r.t.want[t * n + j];
                    far[chip] += d * d;
                }
            }
            infer_destroy(s);
        }
        print_message("%s: square distance %g on the host, %g on the chip\n", r.o.format->name,
                      far[0], far[1]);
        /* 4: twice as far; bf16's errors squared: at most 1e-3 a logit */
        assert_true(far[1] < 4 * far[0] + 1e-3 * (double)(n * FAMILY_TOKENS));
    }
    free(x);
    teardown(&r);
}

static void test_what_the_chip_cannot_is_refused_with_a_reason(void **state)
{
    struct rig r;
    struct tsr_error err = {0};
    struct infer *s = NULL;
    (void)state;
    setup(&r, "micro", 0, TSR_BF16);
    r.o.format = NULL;
    assert_int_equal(infer_create(&r.o, &s, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "f32"));
    err = (struct tsr_error){0};
    r.o.format = &r.isa->formats[TSR_I8];
    assert_int_equal(infer_create(&r.o, &s, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "i8"));
    assert_null(s);
    err = (struct tsr_error){0};
    r.o.format = &r.isa->formats[TSR_BF16];
    s = start(&r);
    const uint32_t beyond = r.t.model.vocab;
    assert_int_equal(infer_step(s, &beyond, 1, false, NULL, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "token"));
    err = (struct tsr_error){0};
    uint32_t many[64] = {0};
    assert_int_equal(infer_step(s, many, 64, false, NULL, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "positions"));
    infer_destroy(s);
    teardown(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_projection_finds_the_cycles_of_a_token),
        cmocka_unit_test(test_a_projection_finds_the_cycles_of_a_prompt),
        cmocka_unit_test(test_a_prompt_is_its_tokens),
        cmocka_unit_test(test_values_depend_on_the_tokens_alone),
        cmocka_unit_test(test_formats_err_as_the_reference_in_them),
        cmocka_unit_test(test_what_the_chip_cannot_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
