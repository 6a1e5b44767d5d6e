/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: arXiv 2302.13971 (llama), 2310.06825 (mistral: window), 2401.04088 (mixtral), the
 * qwen2.5 and qwen3 reports (biases, norms of heads), openai/gpt-oss's and xai-org/grok-1's model
 * definitions, arXiv 2309.00071 (YaRN), HF's rule for llama 3's frequencies. */
#include "tests/support/model_oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"

enum {
    MOST = 64,  /* tokens */
    WIDE = 1024 /* of any row */
};

struct work {
    const struct tsr_oracle *o;
    const struct tsr_test_weights *w;
    const struct tsr_model *m;
    uint32_t n, layer;
    uint64_t random;
    /* the row of the file that was read last */
    enum tsr_part part;
    uint32_t at_layer, expert;
    uint64_t row;
    float values[WIDE];
    double x[MOST][WIDE];                               /* the residual stream */
    double q[MOST][WIDE], k[MOST][WIDE], v[MOST][WIDE]; /* [token][head][d] */
};

static double moved(struct work *w, double y, double magnitude)
{
    if (w->o->unit == 0)
        return y;
    return y + (w->o->unit * fabs(y) + w->o->sum_unit * magnitude) *
                   (double)tsr_test_random_f32(&w->random);
}

static float from_file(struct work *w, enum tsr_part part, uint32_t expert, uint64_t row,
                       uint64_t col)
{
    const uint32_t layer = part <= TSR_PART_LM_HEAD ? 0 : w->layer;
    if (w->part != part || w->at_layer != layer || w->expert != expert || w->row != row) {
        struct tsr_matrix x;
        struct tsr_error err = {0};
        if (tsr_weights_find(w->o->file, part, layer, expert, &x, &err))
            fail_msg("%s", err.message);
        assert_true(x.cols <= WIDE);
        tsr_matrix_rows_f32(&x, row, 1, w->values, WIDE);
        w->part = part;
        w->at_layer = layer;
        w->expert = expert;
        w->row = row;
    }
    return w->values[col];
}

static double weight(struct work *w, enum tsr_part part, uint32_t expert, uint64_t row,
                     uint64_t col)
{
    double x =
        (double)(w->o->file != NULL ? from_file(w, part, expert, row, col)
                                    : tsr_test_weight(w->w, part, w->layer, expert, row, col));
    if (w->o->weight_unit != 0)
        x += w->o->weight_unit * fabs(x) * (double)tsr_test_random_f32(&w->random);
    return x;
}

/* y = W x + b. */
static void linear(struct work *w, enum tsr_part part, enum tsr_part bias, bool biased,
                   uint32_t expert, uint32_t rows, uint32_t cols, const double *x, double *y)
{
    for (uint32_t i = 0; i < rows; i++) {
        double sum = 0, magnitude = 0;
        for (uint32_t j = 0; j < cols; j++) {
            double p = weight(w, part, expert, i, j) * x[j];
            sum += p;
            magnitude += fabs(p);
        }
        if (biased)
            sum += weight(w, bias, expert, 0, i);
        y[i] = moved(w, sum, magnitude + fabs(sum));
    }
}

static void norm(struct work *w, enum tsr_part part, uint32_t n, const double *x, double *y)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    double root = sqrt(sum / n + w->m->norm_eps);
    for (uint32_t i = 0; i < n; i++) {
        double r = x[i] / root * weight(w, part, 0, 0, i);
        y[i] = moved(w, r, fabs(r));
    }
}

/* Turn of pair i per position. */
static double turn(const struct tsr_rope_config *c, uint32_t d, uint32_t i)
{
    const double pi = 3.14159265358979323846;
    double f = pow(c->theta, -2.0 * i / d), wave = 2 * pi / f;
    if (c->scaling == TSR_ROPE_LLAMA3) {
        double low = c->original_context / c->low_freq_factor;
        double high = c->original_context / c->high_freq_factor;
        if (wave > low)
            return f / c->factor;
        if (wave < high)
            return f;
        double s = (c->original_context / wave - c->low_freq_factor) /
                   (c->high_freq_factor - c->low_freq_factor);
        return f * ((1 - s) / c->factor + s);
    }
    if (c->scaling == TSR_ROPE_YARN) {
        double a = d * log(c->original_context / (c->beta_fast * 2 * pi)) / (2 * log(c->theta));
        double b = d * log(c->original_context / (c->beta_slow * 2 * pi)) / (2 * log(c->theta));
        a = c->truncate ? floor(a) : a;
        b = c->truncate ? ceil(b) : b;
        a = a < 0 ? 0 : a;
        b = b > d - 1 ? d - 1 : b;
        double t = b == a ? (i > a ? 1 : 0) : (i - a) / (b - a);
        t = t < 0 ? 0 : t > 1 ? 1 : t;
        return f * (1 - t) + f / c->factor * t;
    }
    return f;
}

static void rotate(struct work *w, uint32_t position, double *x)
{
    const struct tsr_rope_config *c = &w->m->rope;
    const uint32_t d = w->m->head_dim;
    for (uint32_t i = 0; i < d / 2; i++) {
        double angle = position * turn(c, d, i), a = x[i], b = x[i + d / 2];
        double co = cos(angle) * c->attention_factor, si = sin(angle) * c->attention_factor;
        x[i] = moved(w, a * co - b * si, fabs(a) + fabs(b));
        x[i + d / 2] = moved(w, b * co + a * si, fabs(a) + fabs(b));
    }
}

static void heads(struct work *w, uint32_t t, const double *h)
{
    const struct tsr_model *m = w->m;
    const uint32_t d = m->head_dim;
    linear(w, TSR_PART_Q, TSR_PART_Q_BIAS, m->qkv_bias, 0, m->heads * d, m->hidden, h, w->q[t]);
    linear(w, TSR_PART_K, TSR_PART_K_BIAS, m->qkv_bias, 0, m->kv_heads * d, m->hidden, h, w->k[t]);
    linear(w, TSR_PART_V, TSR_PART_V_BIAS, m->qkv_bias, 0, m->kv_heads * d, m->hidden, h, w->v[t]);
    for (uint32_t i = 0; i < m->heads; i++) {
        if (m->qk_norm)
            norm(w, TSR_PART_Q_NORM, d, w->q[t] + i * d, w->q[t] + i * d);
        rotate(w, t, w->q[t] + i * d);
    }
    for (uint32_t i = 0; i < m->kv_heads; i++) {
        if (m->qk_norm)
            norm(w, TSR_PART_K_NORM, d, w->k[t] + i * d, w->k[t] + i * d);
        rotate(w, t, w->k[t] + i * d);
    }
}

static void attend(struct work *w, uint32_t t, double *out)
{
    const struct tsr_model *m = w->m;
    const uint32_t d = m->head_dim;
    const bool slides = m->layer_kind[w->layer] & TSR_LAYER_SLIDING;
    for (uint32_t h = 0; h < m->heads; h++) {
        const uint32_t g = h / (m->heads / m->kv_heads) * d;
        double score[MOST], sum = 0, most = -INFINITY;
        for (uint32_t j = 0; j <= t; j++) {
            double s = 0;
            for (uint32_t i = 0; i < d; i++)
                s += w->q[t][h * d + i] * w->k[j][g + i];
            s *= m->attn_scale;
            if (m->attn_softcap != 0)
                s = m->attn_softcap * tanh(s / m->attn_softcap);
            if (slides && t - j >= m->window)
                s = -INFINITY;
            score[j] = s;
            most = s > most ? s : most;
        }
        if (m->sinks)
            sum = exp(weight(w, TSR_PART_SINKS, 0, 0, h) - most);
        for (uint32_t j = 0; j <= t; j++)
            sum += score[j] = exp(score[j] - most);
        for (uint32_t i = 0; i < d; i++) {
            double y = 0, magnitude = 0;
            for (uint32_t j = 0; j <= t; j++) {
                y += score[j] / sum * w->v[j][g + i];
                magnitude += fabs(score[j] / sum * w->v[j][g + i]);
            }
            /* the weights of v have errors of their own: results of an operation, too */
            out[h * d + i] =
                moved(w, moved(w, y, 0) + (moved(w, magnitude, 0) - magnitude), 4 * magnitude);
        }
    }
}

static double gated(const struct tsr_model *m, double g, double u)
{
    switch (m->activation) {
    case TSR_ACT_SILU:
        return g / (1 + exp(-g)) * u;
    case TSR_ACT_GELU:
        return 0.5 * g * (1 + erf(g / sqrt(2.0))) * u;
    case TSR_ACT_GELU_TANH:
        return 0.5 * g * (1 + tanh(0.7978845608028654 * (g + 0.044715 * g * g * g))) * u;
    case TSR_ACT_SWIGLU_CLAMP:
        g = g > m->act_limit ? m->act_limit : g;
        u = u > m->act_limit ? m->act_limit : u < -m->act_limit ? -m->act_limit : u;
        return g / (1 + exp(-m->act_alpha * g)) * (u + 1);
    }
    return 0;
}

/* Matrices of a feed-forward and their biases. */
struct mlp {
    uint32_t width;
    enum tsr_part gate, up, down, gate_bias, up_bias, down_bias;
    bool biased;
};

static struct mlp mlp_of(const struct tsr_model *m, bool expert)
{
    if (expert)
        return (struct mlp){m->expert_ffn,
                            TSR_PART_EXPERT_GATE,
                            TSR_PART_EXPERT_UP,
                            TSR_PART_EXPERT_DOWN,
                            TSR_PART_EXPERT_GATE_BIAS,
                            TSR_PART_EXPERT_UP_BIAS,
                            TSR_PART_EXPERT_DOWN_BIAS,
                            m->ffn_bias};
    return (struct mlp){
        m->ffn,           TSR_PART_GATE,      TSR_PART_UP, TSR_PART_DOWN, TSR_PART_GATE_BIAS,
        TSR_PART_UP_BIAS, TSR_PART_DOWN_BIAS, m->ffn_bias};
}

static void feed_forward(struct work *w, const struct mlp *p, uint32_t e, const double *h,
                         double *y)
{
    const struct tsr_model *m = w->m;
    const uint32_t width = p->width;
    double g[WIDE], u[WIDE];
    linear(w, p->gate, p->gate_bias, p->biased, e, width, m->hidden, h, g);
    linear(w, p->up, p->up_bias, p->biased, e, width, m->hidden, h, u);
    for (uint32_t i = 0; i < width; i++) {
        double a = gated(m, g[i], u[i]);
        g[i] = moved(w, a, fabs(a));
    }
    linear(w, p->down, p->down_bias, p->biased, e, m->hidden, width, g, y);
}

/* The top_k of the experts by their logits, and what each counts. */
static void route(const struct tsr_model *m, const double *logit, uint32_t *chosen, double *share)
{
    bool taken[256] = {false};
    double all = 0, some = 0;
    for (uint32_t i = 0; i < m->experts; i++)
        all += exp(logit[i] - logit[0]);
    for (uint32_t j = 0; j < m->top_k; j++) {
        uint32_t best = m->experts;
        for (uint32_t i = 0; i < m->experts; i++)
            if (!taken[i] && (best == m->experts || logit[i] > logit[best]))
                best = i;
        taken[best] = true;
        chosen[j] = best;
        share[j] = exp(logit[best] - logit[0]) / all;
        some += share[j];
    }
    for (uint32_t j = 0; j < m->top_k; j++) /* both rules divide by what was chosen */
        if (m->router_after_topk || m->router_renorm)
            share[j] /= some;
}

/* HF's modeling_qwen2_moe: every token takes it, times the sigmoid of a logit. */
static void shared_expert(struct work *w, const double *h, double *y)
{
    const struct tsr_model *m = w->m;
    const struct mlp p = {
        m->shared_ffn,  TSR_PART_SHARED_GATE, TSR_PART_SHARED_UP, TSR_PART_SHARED_DOWN,
        TSR_PART_COUNT, TSR_PART_COUNT,       TSR_PART_COUNT,     false};
    double logit, one[WIDE];
    linear(w, TSR_PART_SHARED_SCALE, TSR_PART_COUNT, false, 0, 1, m->hidden, h, &logit);
    feed_forward(w, &p, 0, h, one);
    for (uint32_t i = 0; i < m->hidden; i++)
        y[i] += one[i] / (1 + exp(-logit));
}

static void experts(struct work *w, const double *h, double *y)
{
    const struct tsr_model *m = w->m;
    const struct mlp expert = mlp_of(m, true);
    double logit[256], share[256], one[WIDE];
    uint32_t chosen[256];
    linear(w, TSR_PART_ROUTER, TSR_PART_ROUTER_BIAS, m->router_bias, 0, m->experts, m->hidden, h,
           logit);
    route(m, logit, chosen, share);
    memset(y, 0, m->hidden * sizeof *y);
    for (uint32_t j = 0; j < m->top_k; j++) {
        feed_forward(w, &expert, chosen[j], h, one);
        for (uint32_t i = 0; i < m->hidden; i++)
            y[i] += share[j] * one[i];
    }
    if (m->shared_ffn > 0)
        shared_expert(w, h, y);
}

static void add_to_stream(struct work *w, uint32_t t, enum tsr_part post, double *y)
{
    const struct tsr_model *m = w->m;
    if (m->post_norms)
        norm(w, post, m->hidden, y, y);
    for (uint32_t i = 0; i < m->hidden; i++) {
        w->x[t][i] += y[i];
        w->x[t][i] = moved(w, w->x[t][i], fabs(w->x[t][i]));
    }
}

static void layer(struct work *w)
{
    const struct tsr_model *m = w->m;
    const struct mlp dense = mlp_of(m, false);
    double h[WIDE], y[WIDE];
    for (uint32_t t = 0; t < w->n; t++) {
        norm(w, TSR_PART_ATTN_NORM, m->hidden, w->x[t], h);
        heads(w, t, h);
    }
    for (uint32_t t = 0; t < w->n; t++) {
        attend(w, t, h);
        linear(w, TSR_PART_O, TSR_PART_O_BIAS, m->o_bias, 0, m->hidden, m->heads * m->head_dim, h,
               y);
        add_to_stream(w, t, TSR_PART_POST_ATTN_NORM, y);
        norm(w, TSR_PART_FFN_NORM, m->hidden, w->x[t], h);
        if (m->layer_kind[w->layer] & TSR_LAYER_MOE)
            experts(w, h, y);
        else
            feed_forward(w, &dense, 0, h, y);
        add_to_stream(w, t, TSR_PART_POST_FFN_NORM, y);
    }
}

void tsr_oracle_logits(const struct tsr_oracle *o, const uint32_t *tokens, uint32_t n,
                       double *logits)
{
    struct work *w = calloc(1, sizeof *w);
    const struct tsr_model *m = &o->weights->model;
    double h[WIDE];
    assert_non_null(w);
    assert_true(n <= MOST && m->hidden <= WIDE && m->ffn <= WIDE && m->experts <= 256 &&
                m->heads * m->head_dim <= WIDE);
    w->o = o;
    w->w = o->weights;
    w->m = m;
    w->n = n;
    w->random = o->seed;
    w->part = TSR_PART_COUNT;
    for (uint32_t t = 0; t < n; t++)
        for (uint32_t i = 0; i < m->hidden; i++) {
            w->x[t][i] = weight(w, TSR_PART_EMBED, 0, tokens[t], i) * m->embed_scale;
            w->x[t][i] = moved(w, w->x[t][i], fabs(w->x[t][i]));
        }
    for (w->layer = 0; w->layer < m->layers; w->layer++)
        layer(w);
    w->layer = 0;
    for (uint32_t t = 0; t < n; t++) {
        norm(w, TSR_PART_FINAL_NORM, m->hidden, w->x[t], h);
        linear(w, m->tied ? TSR_PART_EMBED : TSR_PART_LM_HEAD, TSR_PART_COUNT, false, 0, m->vocab,
               m->hidden, h, logits + (size_t)t * m->vocab);
        for (uint32_t i = 0; i < m->vocab; i++)
            logits[(size_t)t * m->vocab + i] *= m->logit_scale;
    }
    free(w);
}
