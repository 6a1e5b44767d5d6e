/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of latent attention, one after another on a chip with values, against the plain form
 * of arXiv 2405.04434 (keys and values of every head, nothing absorbed) in double.
 *
 * The bound follows the programs: each value carries the error that it may have. Stored in f16: u
 * = 2^-11 of it; products and sums in f32, of n terms: n 2^-22 of the magnitudes; softmax over
 * logits that are off by d at most: weights by e^2d - 1, and u, as they are rounded. Repeat:
 * TESSERA_SEED=n ctest -R project.latent_values */
#include "tests/support/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/project/plan.h"
#include "tessera/sim.h"
#include "tessera/vecmath.h"

enum {
    BATCH = 2,
    SEQ = 5,
    TOKENS = BATCH * SEQ, /* at most */
    HEADS = 2,
    NOPE = 8,
    TURN = 8,
    DIM = NOPE + TURN,
    VALUE = 8,
    RANK = 16,
    Q_RANK = 16,
    HIDDEN = 32,
    ROW = RANK + TURN
};

static const char with_q_rank[] =
    "{\"model_type\": \"deepseek_v3\", \"hidden_size\": 32, \"num_hidden_layers\": 1,"
    " \"num_attention_heads\": 2, \"intermediate_size\": 32, \"vocab_size\": 64,"
    " \"kv_lora_rank\": 16, \"q_lora_rank\": 16, \"qk_nope_head_dim\": 8, \"qk_rope_head_dim\": 8,"
    " \"v_head_dim\": 8, \"n_routed_experts\": 4, \"num_experts_per_tok\": 2,"
    " \"moe_intermediate_size\": 16, \"first_k_dense_replace\": 1}";

/* A value and how far the machine's may be from it. */
struct near {
    double v, e;
};

struct layer {
    struct near x[TOKENS][HIDDEN], first[Q_RANK + ROW][HIDDEN], q_norm[Q_RANK],
        q_b[HEADS * DIM][Q_RANK], kv_norm[RANK], k_b[HEADS][NOPE][RANK], v_b[HEADS][VALUE][RANK],
        cache[BATCH][SEQ][ROW]; /* of earlier tokens */
    double cosine[TOKENS][TURN / 2], sine[TOKENS][TURN / 2];
    double eps, scale;
};

static const double U = 0x1p-11, F32 = 0x1p-22;

static struct near stored(struct near a)
{
    a.e += U * (fabs(a.v) + a.e) + 0x1p-25;
    return a;
}

static struct near dot(const struct near *a, const struct near *b, size_t b_step, size_t n)
{
    struct near s = {0, 0};
    double all = 0;
    for (size_t i = 0; i < n; i++) {
        const struct near y = b[i * b_step];
        s.v += a[i].v * y.v;
        s.e += fabs(a[i].v) * y.e + a[i].e * fabs(y.v) + a[i].e * y.e;
        all += (fabs(a[i].v) + a[i].e) * (fabs(y.v) + y.e);
    }
    s.e += (double)n * F32 * all;
    return s;
}

static void norm(const struct near *x, const struct near *w, size_t n, double eps, struct near *y)
{
    double s = eps, e = 0;
    for (size_t i = 0; i < n; i++) {
        s += x[i].v * x[i].v / (double)n;
        e += (2 * fabs(x[i].v) + x[i].e) * x[i].e / (double)n;
    }
    e += (double)n * F32 * s;
    assert_true(e < s / 2);
    const double r = 1 / sqrt(s), re = 1 / sqrt(s - e) - r + 4 * F32 * r;
    for (size_t i = 0; i < n; i++)
        y[i] = stored(
            (struct near){x[i].v * r * w[i].v,
                          ((fabs(x[i].v) + x[i].e) * (r + re) - fabs(x[i].v) * r) * fabs(w[i].v)});
}

static void turn(const struct near *x, const double *c, const double *s, struct near *y)
{
    for (int i = 0; i < TURN / 2; i++) {
        const struct near a = x[i], b = x[i + TURN / 2];
        const double e = a.e + b.e + F32 * (fabs(a.v) + fabs(b.v) + a.e + b.e);
        y[i] = stored((struct near){a.v * c[i] - b.v * s[i], e});
        y[i + TURN / 2] = stored((struct near){b.v * c[i] + a.v * s[i], e});
    }
}

/* Attention of one query and head over n rows of the cache. `exact` (VALUE doubles): by keys and
 * values of the head; `got`: the bound of the way that the programs take. */
static void attend(const struct layer *l, bool absorbed, size_t h, const struct near *nope,
                   const struct near *turned, struct near (*rows)[ROW], size_t n, double *exact,
                   struct near *got)
{
    struct near logit[SEQ], q[RANK], k[NOPE], sums[RANK], v[SEQ][VALUE];
    double sum = 0, worst = 0;
    for (size_t j = 0; j < RANK; j++) /* q to the latents */
        q[j] = stored(dot(nope, &l->k_b[h][0][j], RANK, NOPE));
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < NOPE; i++)
            k[i] = stored(dot(l->k_b[h][i], rows[t], 1, RANK));
        for (size_t i = 0; i < VALUE; i++)
            v[t][i] = stored(dot(l->v_b[h][i], rows[t], 1, RANK));
        struct near a = absorbed ? dot(q, rows[t], 1, RANK) : dot(nope, k, 1, NOPE);
        const struct near b = dot(turned, rows[t] + RANK, 1, TURN);
        logit[t] = (struct near){(a.v + b.v) * l->scale,
                                 (a.e + b.e + 8 * F32 * (fabs(a.v) + fabs(b.v))) * l->scale};
        sum += exp(logit[t].v);
        worst = fmax(worst, logit[t].e);
    }
    const double off = expm1(2 * worst) + U + 64 * F32;
    struct near w[SEQ];
    for (size_t t = 0; t < n; t++) {
        w[t].v = exp(logit[t].v) / sum;
        w[t].e = w[t].v * off;
    }
    for (size_t i = 0; i < VALUE; i++)
        exact[i] = dot(w, &v[0][i], VALUE, n).v;
    for (size_t j = 0; j < RANK; j++)
        sums[j] = stored(dot(w, &rows[0][j], ROW, n));
    for (size_t i = 0; i < VALUE; i++)
        got[i] = stored(absorbed ? dot(l->v_b[h][i], sums, 1, RANK) : dot(w, &v[0][i], VALUE, n));
}

/* All of the layer's attention: exact[token][head][value] and the bound about it. */
static void reference(const struct layer *l, bool decode, double (*exact)[HEADS][VALUE],
                      struct near (*got)[HEADS][VALUE])
{
    static struct near rows[BATCH][SEQ][ROW];
    const size_t each = decode ? 1 : SEQ;
    struct near a[TOKENS][Q_RANK + ROW], q[TOKENS][HEADS * DIM];
    memcpy(rows, l->cache, sizeof rows);
    for (size_t t = 0; t < BATCH * each; t++) {
        struct near latent[Q_RANK];
        for (size_t i = 0; i < Q_RANK + ROW; i++)
            a[t][i] = stored(dot(l->x[t], l->first[i], 1, HIDDEN));
        norm(a[t], l->q_norm, Q_RANK, l->eps, latent);
        for (size_t i = 0; i < HEADS * DIM; i++)
            q[t][i] = stored(dot(latent, l->q_b[i], 1, Q_RANK));
        struct near *row = rows[t / each][decode ? SEQ - 1 : t % each];
        norm(a[t] + Q_RANK, l->kv_norm, RANK, l->eps, row);
        turn(a[t] + Q_RANK + RANK, l->cosine[t], l->sine[t], row + RANK);
    }
    for (size_t t = 0; t < BATCH * each; t++)
        for (size_t h = 0; h < HEADS; h++) {
            struct near turned[TURN];
            turn(q[t] + HEADS * NOPE + h * TURN, l->cosine[t], l->sine[t], turned);
            attend(l, decode, h, q[t] + h * NOPE, turned, rows[t / each],
                   decode ? SEQ : t % each + 1, exact[t][h], got[t][h]);
        }
}

/* ---- the machine's side ---- */

static struct tsr_sim *sim;

/* Of eight bits at most: the same in f16 and, for the weights of norms, in bf16. */
static void random_values(uint64_t *seed, struct near *x, size_t n, float scale, float offset)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (struct near){rint((tsr_test_random_f32(seed) * scale + offset) * 64) / 64, 0};
}

typedef void convert(size_t n, const float *x, uint16_t *y);

static void put_as(convert *to, uint64_t address, const struct near *x, size_t n)
{
    struct tsr_error e = {0};
    for (size_t i = 0; i < n; i++) {
        float f = (float)x[i].v;
        uint16_t h;
        to(1, &f, &h);
        assert_int_equal(tsr_sim_write(sim, address + 2 * i, &h, 2, &e), TSR_OK);
    }
}

static void put(uint64_t address, const struct near *x, size_t n)
{
    put_as(tsr_convert_f32_f16, address, x, n);
}

static const struct project_step *find(const struct project_plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (strcmp(p->step[i].name, name) == 0)
            return &p->step[i];
    fail_msg("no step %s", name);
    return NULL;
}

static void put_turns(const struct layer *l, const struct project_plan *p, size_t tokens)
{
    struct tsr_error e = {0};
    const struct tsr_npu_rope *r = &find(p, "rope_q")->op.rope;
    for (size_t i = 0; i < tokens * (TURN / 2); i++) {
        const float c = (float)(&l->cosine[0][0])[i], s = (float)(&l->sine[0][0])[i];
        assert_int_equal(tsr_sim_write(sim, r->cosine + 4 * i, &c, 4, &e), TSR_OK);
        assert_int_equal(tsr_sim_write(sim, r->sine + 4 * i, &s, 4, &e), TSR_OK);
    }
}

/* The matrices of heads: q_absorb has the keys' turned about, kv_b all heads' keys, then values. */
static void put_heads(const struct layer *l, const struct project_plan *p, bool decode)
{
    if (!decode) {
        const uint64_t b = find(p, "kv_b")->op.matmul.b;
        put(b, &l->k_b[0][0][0], HEADS * NOPE * RANK);
        put(b + 2 * HEADS * NOPE * RANK, &l->v_b[0][0][0], HEADS * VALUE * RANK);
        return;
    }
    const struct tsr_npu_moe_expert *q = &find(p, "q_absorb")->op.moe_expert;
    for (size_t h = 0; h < HEADS; h++)
        for (size_t j = 0; j < RANK; j++)
            for (size_t i = 0; i < NOPE; i++)
                put(q->b + 2 * ((h * RANK + j) * NOPE + i), &l->k_b[h][i][j], 1);
    put(find(p, "v_absorb")->op.moe_expert.b, &l->v_b[0][0][0], HEADS * VALUE * RANK);
    struct tsr_error e = {0};
    const uint32_t parts = tsr_npu_moe_parts(p->options->chip, BATCH);
    for (uint32_t i = 0; i < parts * HEADS; i++) { /* each head gets every token of a part */
        const uint32_t part = i / HEADS, n = BATCH * (part + 1) / parts - BATCH * part / parts;
        assert_int_equal(tsr_sim_write(sim, q->counts + 4 * i, &n, 4, &e), TSR_OK);
    }
    const struct tsr_npu_rows *k = &find(p, "attention")->op.attention.k;
    for (size_t b = 0; b < BATCH; b++)
        for (size_t t = 0; t + 1 < SEQ; t++)
            put(k->address + b * k->batch_stride + t * k->token_stride, l->cache[b][t], ROW);
}

static void run_steps(const struct project_plan *p)
{
    const struct project_options *o = p->options;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const struct project_step *s = &p->step[i];
        const struct tsr_run_options run = {.mode = TSR_MODE_FULL};
        struct tsr_program program;
        struct tsr_stats stats;
        struct tsr_error e = {0};
        if ((p->graph.ops[s->graph_op].flags & TSR_OPF_LATENT) == 0)
            continue;
        if (s->kernel->emit(o->isa, o->chip, &s->op, &program, &e) != TSR_OK ||
            tsr_sim_run(sim, &program, &run, &stats, NULL, &e) != TSR_OK)
            fail_msg("%s: %s", s->name, e.message);
        tsr_program_free(&program);
    }
}

static void compare(const struct layer *l, const struct project_plan *p, bool decode)
{
    static double exact[TOKENS][HEADS][VALUE];
    static struct near bound[TOKENS][HEADS][VALUE];
    uint16_t h[TOKENS * HEADS * VALUE];
    struct tsr_error e = {0};
    const size_t n = (decode ? BATCH : TOKENS) * HEADS * VALUE;
    double largest = 0, loosest = 0;
    reference(l, decode, exact, bound);
    assert_int_equal(tsr_sim_read(sim, find(p, "o")->op.matmul.a, h, 2 * n, &e), TSR_OK);
    for (size_t i = 0; i < n; i++) {
        float got;
        tsr_convert_f16_f32(1, h + i, &got);
        const double want = (&exact[0][0][0])[i], most = (&bound[0][0][0])[i].e;
        assert_true(fabs((&bound[0][0][0])[i].v - want) < 1e-9); /* absorbed is the same */
        if (!(fabs(got - want) <= most))
            fail_msg("value %zu: %g, want %g within %g", i, (double)got, want, most);
        largest = fmax(largest, fabs(want));
        loosest = fmax(loosest, most);
    }
    assert_true(loosest < largest / 4); /* the bound says something */
}

static void fill(struct layer *l, const struct tsr_model *m, bool decode, uint64_t *seed)
{
    random_values(seed, &l->x[0][0], TOKENS * HIDDEN, 1, 0);
    random_values(seed, &l->first[0][0], (Q_RANK + ROW) * HIDDEN, 0.3f, 0);
    random_values(seed, l->q_norm, Q_RANK, 0.5f, 1);
    random_values(seed, &l->q_b[0][0], HEADS * DIM * Q_RANK, 0.2f, 0);
    random_values(seed, l->kv_norm, RANK, 0.5f, 1);
    random_values(seed, &l->k_b[0][0][0], HEADS * NOPE * RANK, 0.3f, 0);
    random_values(seed, &l->v_b[0][0][0], HEADS * VALUE * RANK, 0.5f, 0);
    random_values(seed, &l->cache[0][0][0], BATCH * SEQ * ROW, 1, 0);
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t i = 0; i < TURN / 2; i++) {
            const double at = decode ? 4 : (double)(t % SEQ); /* a decode step: one position */
            l->cosine[t][i] = (float)cos(at * (double)(i + 1) * 0.7);
            l->sine[t][i] = (float)sin(at * (double)(i + 1) * 0.7);
        }
    l->eps = m->norm_eps;
    l->scale = m->attn_scale;
}

static void test_latent_programs_compute_the_plain_form(void **state)
{
    static struct project_plan plan;
    static struct tsr_model model;
    static struct layer l;
    struct tsr_isa *isa;
    struct tsr_chip chip;
    struct tsr_error e = {0};
    uint64_t seed = tsr_test_seed("latent values", 7);
    (void)state;
    assert_int_equal(tsr_isa_load(NULL, 0, &isa, &e), TSR_OK);
    assert_int_equal(tsr_chip_load("micro4", &chip, &e), TSR_OK);
    if (tsr_model_parse("tiny.json", with_q_rank, sizeof with_q_rank - 1, &model, &e) != TSR_OK)
        fail_msg("%s", e.message);
    for (int decode = 0; decode < 2; decode++) {
        const struct tsr_format *f16 = tsr_isa_format(isa, "f16");
        const struct project_options o = {.isa = isa,
                                          .chip = &chip,
                                          .batch = BATCH,
                                          .seq = SEQ,
                                          .phase = decode ? TSR_DECODE : TSR_PREFILL,
                                          .weights = f16,
                                          .activations = f16,
                                          .kv = f16,
                                          .seed = 1,
                                          .threads = 1};
        const struct project_plan *p = &plan;
        if (project_plan(&model, &o, &plan, &e) != TSR_OK ||
            tsr_sim_create(&chip, isa, &sim, &e) != TSR_OK)
            fail_msg("%s", e.message);
        fill(&l, &model, decode, &seed);
        put(find(p, "qkv_a")->op.matmul.a, &l.x[0][0], (decode ? BATCH : TOKENS) * HIDDEN);
        put(find(p, "qkv_a")->op.matmul.b, &l.first[0][0], (Q_RANK + ROW) * HIDDEN);
        put_as(tsr_convert_f32_bf16, find(p, "q_a_norm")->op.rmsnorm.w, l.q_norm, Q_RANK);
        put(find(p, "q_b")->op.matmul.b, &l.q_b[0][0], HEADS * DIM * Q_RANK);
        put_as(tsr_convert_f32_bf16, find(p, "kv_a_norm")->op.rmsnorm.w, l.kv_norm, RANK);
        put_turns(&l, p, decode ? 1 : TOKENS);
        put_heads(&l, p, decode);
        run_steps(p);
        compare(&l, p, decode);
        tsr_sim_destroy(sim);
        project_plan_free(&plan);
    }
    tsr_isa_free(isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latent_programs_compute_the_plain_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
