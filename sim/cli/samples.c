/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bits_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

float samples_value(uint32_t f32_bits)
{
    float v;
    memcpy(&v, &f32_bits, sizeof v);
    return v;
}

uint64_t samples_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Twelve uniforms less 6: mean 0, variance 1, close to normal up to 4 sigma. Integers throughout,
 * so the values are the same on every host. */
static float normal(uint64_t *s)
{
    int64_t sum = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t r = samples_random(s);
        sum += (int64_t)(r & 0xFFFFF) + (int64_t)(r >> 20 & 0xFFFFF) + (int64_t)(r >> 40 & 0xFFFFF);
    }
    return (float)(sum - 6 * (1 << 20) + 6) * 0x1p-20f;
}

enum tsr_status samples_normal(uint64_t seed, size_t rows, size_t cols, float gain, uint32_t **x,
                               struct tsr_error *err)
{
    uint32_t *v = malloc(4 * rows * cols);
    if (!v)
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    for (size_t i = 0; i < rows * cols; i++)
        v[i] = bits_of(normal(&seed) * (i % cols % SAMPLES_OUTLIER_EVERY == 7 ? gain : 1.f));
    *x = v;
    return TSR_OK;
}

double samples_snr(const struct samples_power *p)
{
    return p->noise > 0 ? 10 * log10(p->signal / p->noise) : INFINITY;
}

json_t *samples_json(double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", v);
    return isfinite(v) ? json_real(strtod(text, NULL)) : json_null();
}

const char *samples_text(double snr, char *out, size_t cap)
{
    snprintf(out, cap, isfinite(snr) ? "%.2f" : "exact", snr);
    return out;
}
