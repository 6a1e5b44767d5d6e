/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>

#include "kernels/ref.h"

/* Whether expert a ranks before expert b. */
static bool before(const float *logits, size_t a, size_t b)
{
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
}

/* The best expert that ranks after `last` (experts: no last yet). */
static size_t next_best(const float *logits, size_t experts, size_t last)
{
    size_t best = experts;
    for (size_t e = 0; e < experts; e++)
        if ((last == experts || before(logits, last, e)) &&
            (best == experts || before(logits, e, best)))
            best = e;
    return best;
}

void tsr_topk_ref(size_t rows, size_t experts, size_t top_k, enum tsr_router_ref router,
                  const float *logits, uint32_t *index, float *weight)
{
    assert(top_k <= experts);
    for (size_t r = 0; r < rows; r++, logits += experts, index += top_k, weight += top_k) {
        size_t last = experts;
        for (size_t j = 0; j < top_k; j++) {
            last = next_best(logits, experts, last);
            assert(last < experts); /* fewer than top_k numbers: a NaN */
            index[j] = (uint32_t)last;
        }
        double sum = 0;
        if (router == TSR_ROUTER_SOFTMAX_ALL) {
            for (size_t e = 0; e < experts; e++)
                sum += exp((double)logits[e] - logits[index[0]]);
        } else { /* the sum over all cancels in RENORM */
            for (size_t j = 0; j < top_k; j++)
                sum += exp((double)logits[index[j]] - logits[index[0]]);
        }
        for (size_t j = 0; j < top_k; j++)
            weight[j] = (float)(exp((double)logits[index[j]] - logits[index[0]]) / sum);
    }
}

void tsr_expert_matmul_ref(size_t rows, size_t repeat, size_t n, size_t k, const uint32_t *index,
                           const float *a, const float *b, const float *bias, float *c)
{
    assert(repeat > 0 && rows % repeat == 0);
    for (size_t r = 0; r < rows; r++)
        tsr_matmul_ref(1, n, k, a + r / repeat * k, b + index[r] * n * k, TSR_B_NK,
                       bias != NULL ? bias + index[r] * n : NULL, c + r * n);
}

void tsr_combine_ref(size_t tokens, size_t n, size_t top_k, const float *weight, const float *x,
                     const float *residual, float *y)
{
    for (size_t t = 0; t < tokens; t++) {
        for (size_t i = 0; i < n; i++) {
            double sum = residual != NULL ? residual[t * n + i] : 0.0;
            for (size_t j = 0; j < top_k; j++)
                sum += (double)weight[t * top_k + j] * x[(t * top_k + j) * n + i];
            y[t * n + i] = (float)sum;
        }
    }
}
