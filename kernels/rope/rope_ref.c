/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>

#include "kernels/ref.h"

static const double two_pi = 6.283185307179586;

enum { MAX_HEAD_DIM = 1024 };

/* Long waves are stretched by `factor`, short ones kept, those between blended. */
static double scale_llama3(const struct tsr_rope_config *c, double frequency)
{
    double turns = c->original_context * frequency / two_pi; /* over the original context */
    if (turns < c->low_freq_factor)
        return frequency / c->factor;
    if (turns > c->high_freq_factor)
        return frequency;
    double smooth = (turns - c->low_freq_factor) / (c->high_freq_factor - c->low_freq_factor);
    return (1 - smooth) * frequency / c->factor + smooth * frequency;
}

/* Pair number at which a wave makes `turns` turns over the original context. */
static double yarn_pair(const struct tsr_rope_config *c, size_t head_dim, double turns)
{
    return (double)head_dim * log(c->original_context / (turns * two_pi)) / (2 * log(c->theta));
}

static double scale_yarn(const struct tsr_rope_config *c, size_t head_dim, size_t pair,
                         double frequency)
{
    double low = yarn_pair(c, head_dim, c->beta_fast), high = yarn_pair(c, head_dim, c->beta_slow);
    if (c->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, (double)head_dim - 1);
    if (low == high)
        high += 0.001; /* as HF: the ramp becomes a step */
    double ramp = fmin(fmax(((double)pair - low) / (high - low), 0), 1);
    return frequency / c->factor * ramp + frequency * (1 - ramp);
}

void tsr_rope_frequencies_ref(const struct tsr_rope_config *config, size_t head_dim,
                              double *frequency)
{
    assert(head_dim % 2 == 0);
    for (size_t i = 0; i < head_dim / 2; i++) {
        double f = pow(config->theta, -2.0 * (double)i / (double)head_dim);
        switch (config->scaling) {
        case TSR_ROPE_NONE: break;
        case TSR_ROPE_LLAMA3: f = scale_llama3(config, f); break;
        case TSR_ROPE_YARN: f = scale_yarn(config, head_dim, i, f); break;
        }
        frequency[i] = f;
    }
}

void tsr_rope_table_ref(const struct tsr_rope_config *config, size_t head_dim, size_t tokens,
                        const uint32_t *position, float *cosine, float *sine)
{
    double frequency[MAX_HEAD_DIM / 2];
    assert(head_dim <= MAX_HEAD_DIM);
    tsr_rope_frequencies_ref(config, head_dim, frequency);
    for (size_t t = 0; t < tokens; t++) {
        for (size_t i = 0; i < head_dim / 2; i++) {
            double angle = position[t] * frequency[i];
            *cosine++ = (float)(cos(angle) * config->attention_factor);
            *sine++ = (float)(sin(angle) * config->attention_factor);
        }
    }
}

void tsr_rope_ref(size_t tokens, size_t heads, size_t head_dim, enum tsr_pairing_ref pairing,
                  const float *cosine, const float *sine, const float *x, float *y)
{
    size_t half = head_dim / 2;
    assert(head_dim % 2 == 0);
    for (size_t t = 0; t < tokens; t++, cosine += half, sine += half) {
        for (size_t h = 0; h < heads; h++, x += head_dim, y += head_dim) {
            for (size_t i = 0; i < half; i++) {
                size_t ia = pairing == TSR_PAIRS_HALF ? i : 2 * i;
                size_t ib = pairing == TSR_PAIRS_HALF ? i + half : 2 * i + 1;
                double a = x[ia], b = x[ib];
                y[ia] = (float)(a * cosine[i] - b * sine[i]);
                y[ib] = (float)(b * cosine[i] + a * sine[i]);
            }
        }
    }
}
