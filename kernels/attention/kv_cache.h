/* SPDX-License-Identifier: Apache-2.0 */
/* How keys and values lie in a page. Private to kernels/attention.
 *
 * A page is planes, each padded to 64 bytes: codes of K, codes of V, scales of K, scales of V.
 * A plane of codes is [head][tile of 8 tokens][8 * width elements]; within a tile:
 *   f32: K [dim][8 tokens], V [value_dim / 8][8 tokens][8]: both are read as runs of 8 floats that
 *     stand against vectors of queries.
 *   others: K [dim / 4][8 tokens][4], V [value_dim / 2][2 halves of tokens][2][4 tokens in the
 * order 0 2 1 3]: 128-bit segments for BFMMLA. The order is that in which BFCVT and BFCVTNT put
 *     weights computed as [query][2 keys].
 * Neither depends on the vector length. Scales: i8 float [head][token / group]; mxf8e4m3 byte
 * [head][token][width / 32]. Tokens of a tile beyond the last are zeros. */
#ifndef KERNELS_ATTENTION_KV_CACHE_H
#define KERNELS_ATTENTION_KV_CACHE_H

#include "kernels/attention/attention.h"

/* One of K and V in a page. */
struct tsr_kv_plane {
    size_t width;                   /* dim or value_dim */
    size_t codes, scales;           /* bytes from the page's begin */
    size_t head_codes, head_scales; /* bytes from head to head */
    size_t tile_codes;              /* bytes of a tile */
    size_t token_scales;            /* mx: bytes of a token's; else 0 */
};

struct tsr_kv_layout {
    uint8_t code_bytes;
    struct tsr_kv_plane k, v;
    size_t page_bytes;
};

/* Errors: tsr_kv_page_bytes'. */
enum tsr_status tsr_kv_layout(const struct tsr_kv *kv, struct tsr_kv_layout *out,
                              struct tsr_error *err);

/* Place of element d of token t (of 8) in a tile. */
size_t tsr_kv_place(enum tsr_dtype format, bool is_v, size_t t, size_t d);

/* The page of a token, and the token's number in it. */
static inline uint8_t *tsr_kv_page(const struct tsr_kv *kv, const struct tsr_kv_layout *l,
                                   size_t sequence, size_t token, size_t *in_page)
{
    const size_t page = kv->table[sequence * kv->table_stride + token / kv->page_tokens];
    *in_page = token % kv->page_tokens;
    return (uint8_t *)kv->pages + page * l->page_bytes;
}

/* Row of one plane as floats; `page` as tsr_kv_page gives it. */
void tsr_kv_plane_row(const struct tsr_kv *kv, const struct tsr_kv_layout *l, bool is_v,
                      const uint8_t *page, size_t token, size_t head, float *row);

#endif
