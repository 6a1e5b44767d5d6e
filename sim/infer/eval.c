/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/infer/eval.h"

#include <math.h>
#include <stdlib.h>

enum {
    CHUNK = 32 /* tokens between two looks at the logits */
};

static uint32_t largest(uint32_t n, const float *x)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

/* ln of the sum of e^x. */
static double log_sum(uint32_t n, const float *x)
{
    const double max = (double)x[largest(n, x)];
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += exp((double)x[i] - max);
    return max + log(sum);
}

static double divergence(uint32_t n, const float *reference, const float *x)
{
    const double r = log_sum(n, reference), s = log_sum(n, x);
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        double p = exp((double)reference[i] - r);
        if (p > 0)
            sum += p * (((double)reference[i] - r) - ((double)x[i] - s));
    }
    return sum;
}

struct sums {
    double loss, kl;
    uint32_t same;
};

/* Rows of logits after tokens[0..m), whose successors follow. */
static void add_rows(struct sums *s, uint32_t vocab, uint32_t m, const uint32_t *tokens,
                     const float *logits, const float *reference)
{
    for (uint32_t i = 0; i < m; i++) {
        const float *x = logits + (size_t)i * vocab;
        s->loss += log_sum(vocab, x) - (double)x[tokens[i + 1]];
        if (reference == NULL)
            continue;
        const float *r = reference + (size_t)i * vocab;
        s->kl += divergence(vocab, r, x);
        s->same += largest(vocab, x) == largest(vocab, r);
    }
}

static double shown(double x)
{
    return (double)(float)x;
}

static void finish(const struct sums *s, uint32_t n, bool reference, struct infer_quality *out)
{
    out->tokens = n;
    out->loss = shown(s->loss / n);
    out->perplexity = shown(exp(s->loss / n));
    out->top1_agreement = reference ? shown((double)s->same / n) : 1;
    out->kl = reference ? shown(s->kl / n > 0 ? s->kl / n : 0) : 0;
}

/* Logits of the reference after tokens first .. first + m - 1: where they are kept, or in `room`.
 */
static enum tsr_status compare_with(struct infer_reference *r, const uint32_t *tokens,
                                    uint32_t first, uint32_t m, uint32_t vocab, float *room,
                                    const float **out, struct tsr_error *err)
{
    *out = NULL;
    if (r == NULL)
        return TSR_OK;
    float *rows = r->kept != NULL ? r->kept + (size_t)first * vocab : room;
    *out = rows;
    return r->full ? TSR_OK : infer_step(r->session, tokens + first, m, true, rows, err);
}

enum tsr_status infer_evaluate(struct infer *s, struct infer_reference *reference,
                               const uint32_t *tokens, uint32_t n,
                               void (*progress)(void *self, uint32_t done), void *self,
                               struct infer_quality *out, struct tsr_error *err)
{
    const uint32_t vocab = infer_vocab(s);
    struct sums sums = {0, 0, 0};
    enum tsr_status st = TSR_OK;
    if (n < 2)
        return tsr_error_set(err, TSR_BAD_INPUT, "the text has %u tokens, 2 or more are wanted", n);
    float *rows = malloc(2 * (size_t)CHUNK * vocab * sizeof *rows);
    float *other = rows != NULL ? rows + (size_t)CHUNK * vocab : NULL;
    if (rows == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    infer_restart(s);
    if (reference != NULL && !reference->full)
        infer_restart(reference->session);
    for (uint32_t i = 0, m; i + 1 < n && st == TSR_OK; i += m) {
        const float *compared = NULL;
        m = n - 1 - i < CHUNK ? n - 1 - i : CHUNK;
        st = infer_step(s, tokens + i, m, true, rows, err);
        if (st == TSR_OK)
            st = compare_with(reference, tokens, i, m, vocab, other, &compared, err);
        if (st == TSR_OK)
            add_rows(&sums, vocab, m, tokens + i, rows, compared);
        if (st == TSR_OK && progress != NULL)
            progress(self, i + m);
    }
    free(rows);
    if (st != TSR_OK)
        return st;
    if (reference != NULL)
        reference->full = reference->kept != NULL;
    finish(&sums, n - 1, reference != NULL, out);
    return TSR_OK;
}

/* splitmix64: a counter and its finalizer. */
static double draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

uint32_t infer_sample(uint32_t vocab, const float *logits, double temperature, uint64_t *state)
{
    const uint32_t best = largest(vocab, logits);
    double sum = 0, part = 0;
    if (temperature <= 0)
        return best;
    for (uint32_t i = 0; i < vocab; i++)
        sum += exp(((double)logits[i] - (double)logits[best]) / temperature);
    const double at = draw(state) * sum;
    for (uint32_t i = 0; i < vocab; i++) {
        part += exp(((double)logits[i] - (double)logits[best]) / temperature);
        if (part > at)
            return i;
    }
    return best;
}
