/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>

#include "kernels/ref.h"

enum { MAX_HEAD_DIM = 1024 };

static double logit(const struct tsr_attention_shape *s, const float *q, const float *k)
{
    double dot = 0;
    for (size_t d = 0; d < s->head_dim; d++)
        dot += (double)q[d] * k[d];
    dot *= s->scale;
    return s->softcap != 0 ? s->softcap * tanh(dot / s->softcap) : dot;
}

/* One query and head over keys [first, end). The logits are computed twice rather than stored, so
 * that nothing has to be allocated. k, v: of this head; `stride` between positions. */
static void attend(const struct tsr_attention_shape *s, size_t first, size_t end, const float *q,
                   const float *k, const float *v, size_t stride, const float *sink, float *out)
{
    double acc[MAX_HEAD_DIM] = {0};
    double max = sink != NULL ? *sink : -INFINITY;
    for (size_t t = first; t < end; t++)
        max = fmax(max, logit(s, q, k + t * stride));
    double sum = sink != NULL ? exp(*sink - max) : 0;
    for (size_t t = first; t < end; t++) {
        double p = exp(logit(s, q, k + t * stride) - max);
        sum += p;
        for (size_t d = 0; d < s->head_dim; d++)
            acc[d] += p * v[t * stride + d];
    }
    for (size_t d = 0; d < s->head_dim; d++)
        out[d] = sum == 0 ? 0.0f : (float)(acc[d] / sum);
}

void tsr_attention_ref(const struct tsr_attention_shape *s, const float *q, const float *k,
                       const float *v, const float *sinks, float *out)
{
    assert(s->head_dim <= MAX_HEAD_DIM && s->kv_heads > 0 && s->heads % s->kv_heads == 0);
    assert(!s->causal || s->q_len <= s->kv_len);
    assert(s->causal || s->window == 0);
    size_t stride = s->kv_heads * s->head_dim, group = s->heads / s->kv_heads;
    for (size_t i = 0; i < s->q_len; i++) {
        size_t end = s->causal ? s->kv_len - s->q_len + i + 1 : s->kv_len;
        size_t first = s->window != 0 && end > s->window ? end - s->window : 0;
        for (size_t h = 0; h < s->heads; h++) {
            size_t row = (i * s->heads + h) * s->head_dim, kv = h / group * s->head_dim;
            attend(s, first, end, q + row, k + kv, v + kv, stride,
                   sinks != NULL ? sinks + h : NULL, out + row);
        }
    }
}
