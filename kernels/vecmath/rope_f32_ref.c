/* SPDX-License-Identifier: Apache-2.0 */
/* RoPE of one token. Contract: tessera/vecmath.h. */
#include <math.h>

#include "kernels/vecmath/vecmath.h"

tsr_rope_f32_fn tsr_rope_f32_ref;

void tsr_rope_f32_ref(enum tsr_rope_pairs pairs, size_t heads, size_t head_dim, const float *cosine,
                      const float *sine, const float *x, float *y)
{
    const size_t half = head_dim / 2;
    for (size_t h = 0; h < heads; h++, x += head_dim, y += head_dim) {
        for (size_t i = 0; i < half; i++) {
            size_t ia = pairs == TSR_ROPE_HALVES ? i : 2 * i;
            size_t ib = pairs == TSR_ROPE_HALVES ? i + half : 2 * i + 1;
            float a = x[ia], b = x[ib];
            y[ia] = fmaf(a, cosine[i], -(b * sine[i]));
            y[ib] = fmaf(b, cosine[i], a * sine[i]);
        }
    }
}
