/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of kernels/attention share. Contracts: tessera/attention.h. */
#ifndef KERNELS_ATTENTION_ATTENTION_H
#define KERNELS_ATTENTION_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/variants.h"
#include "tessera/attention.h"

/* ---- the reference, over keys and values wherever they lie */

/* Row of K (or null) and V (or null) of one token and key head, as floats. */
typedef void tsr_kv_row_fn(const void *from, size_t sequence, size_t token, size_t head, float *k,
                           float *v);

struct tsr_attention_source {
    const struct tsr_attention *what;
    tsr_kv_row_fn *row;
    const void *from;
};

/* Where query `i` of a sequence stands in the arrays of all of them. */
struct tsr_attention_query {
    size_t sequence, i, head;
    size_t keys;         /* of the sequence */
    ptrdiff_t position;  /* among the keys */
    const uint8_t *mask; /* its row; or null */
};

struct tsr_attention_query tsr_attention_query(const struct tsr_attention *p, size_t sequence,
                                               size_t i, size_t head);

static inline bool tsr_attention_sees(const struct tsr_attention *p,
                                      const struct tsr_attention_query *at, size_t j)
{
    const ptrdiff_t key = (ptrdiff_t)j;
    if (at->mask != NULL && at->mask[j] == 0)
        return false;
    if (p->prefix != NULL && j < p->prefix[at->sequence])
        return true;
    return (!p->causal || key <= at->position) &&
           (p->window == 0 || key > at->position - (ptrdiff_t)p->window);
}

/* The logit from s = q . k, not scaled yet. */
double tsr_attention_logit(const struct tsr_attention *p, const struct tsr_attention_query *at,
                           size_t j, double dot);

/* One row of o, and its lse. */
void tsr_attention_row(const struct tsr_attention_source *s, const struct tsr_attention_query *at,
                       const float *q, float *o, float *lse);

/* ---- fused kernels ------------------------------------------------------------------------------
 * Rows of Q are the queries of a sequence under the heads that share a key head: row i * group + g.
 * A block of rows lies across vectors, so that maxima, sums and rescaling go lane by lane and a row
 * has the same bits in whatever block, lane and vector length it comes:
 *   operand f32:  a lane a row; a vector of scores is of one key.
 *   operand bf16: a 128-bit segment is 2 rows x 2 keys, as BFMMLA leaves them; 2 keys a vector.
 * Scores (f32) are [key or pair][vectors][lanes]; weights the same in f32, in bf16 [4
 * keys][vectors] [lanes], a segment 2 rows x 4 keys in the order 0 2 1 3; sums O are [value, or 2
 * of them][vectors] [lanes]. K and V come in tiles of 8 keys (kv_cache.h) wherever they lie: a list
 * of pointers. */
enum {
    TSR_FLASH_KEYS = 256, /* of a block, from a multiple of it on */
    TSR_FLASH_TILES = TSR_FLASH_KEYS / TSR_KV_TILE,
};

/* log2 units: weights are 2^(score c - max). Arrays of lanes: `vectors` vectors of 4 bytes. */
struct tsr_flash {
    size_t vectors, dim, value_dim;
    size_t tiles;               /* 1 to TSR_FLASH_TILES */
    int32_t key;                /* the first one's number */
    const void *const *k_tiles; /* tiles + 1 of them: the last again */
    const void *const *v_tiles;
    const void *q;      /* bf16: [dim / 4][vectors][lanes]; f32: [dim][vectors][lanes] */
    float *scores;      /* room for tiles + 1 */
    void *weights;      /* may be scores in f32 */
    float *o;           /* sums so far */
    bool fresh;         /* o is not there yet */
    float *max, *sum;   /* of lanes; max: -FLT_MAX where no key was seen */
    float c;            /* scale log2(e), positive */
    float masked;       /* score of a hidden key: finite times c */
    float cap;          /* soft cap times log2(e); 0: none */
    bool biased;        /* slope (key - position) is added to the logits */
    bool partial;       /* a row sees key j if first <= j < end or j < prefix; else it sees all */
    const float *slope; /* times log2(e) */
    const float *position; /* of the queries */
    const int32_t *first, *end, *prefix;
    /* Hides keys by the caller's mask; null: none. */
    void (*hide)(const struct tsr_flash *f, void *arg);
    void *arg;
};

struct tsr_attention_kernel {
    enum tsr_dtype operand;
    uint8_t row_lanes;     /* lanes of a row in a segment: 2 in bf16, 1 in f32 */
    uint8_t choices[4];    /* numbers of vectors that block takes, rising, ended by 0 */
    size_t (*lanes)(void); /* of a vector */
    void (*block)(const struct tsr_flash *f); /* one block of rows by one block of keys */
    /* Row `row` of Q, of the operand, into a block; a row of O times a factor out of one. dim and
     * value_dim are multiples of 8; lanes: of all vectors of the block. */
    void (*pack)(const void *q, size_t dim, size_t row, size_t lanes, void *to);
    void (*unpack)(const float *o, size_t value_dim, size_t row, size_t lanes, float factor,
                   float *to);
    void (*unpack_bf16)(const float *o, size_t value_dim, size_t row, size_t lanes, float factor,
                        uint16_t *to); /* or null */
};

/* Lane of a row within its block, the first of row_lanes. */
static inline size_t tsr_flash_lane(const struct tsr_attention_kernel *kernel, size_t row)
{
    return row * kernel->row_lanes;
}

#endif
