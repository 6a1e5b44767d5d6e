/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that add operations to a graph share. */
#ifndef TESSERA_GRAPH_BUILD_H
#define TESSERA_GRAPH_BUILD_H

#include "sim/project/model_priv.h"

struct graph_builder {
    const struct tsr_model *m;
    struct tsr_graph *g;
    uint64_t tokens;      /* rows of the residual stream */
    uint64_t each;        /* of them, of each sequence */
    uint64_t plain;       /* bytes of an element outside the matrices */
    uint32_t layers;      /* repeat of the operations that are added now */
    uint8_t kinds;        /* which layers these are */
};

/* An operation of the layers at hand, m the tokens, all else 0. */
struct tsr_graph_op *graph_add(struct graph_builder *b, enum tsr_op_kind kind, const char *name);

/* C[tokens,n] = A[tokens,k] x B[n,k]^T, B in the graph's weight format. */
struct tsr_graph_op *graph_add_matmul(struct graph_builder *b, const char *name, uint64_t n,
                                      uint64_t k, uint32_t flags);

/* Sum over queries at positions 0..x-1 of the keys they see. x < 2^32: no overflow. */
uint64_t graph_visible_pairs(uint64_t x, uint64_t window);

/* All stored weights are read. */
static inline void graph_read_all(struct tsr_graph_op *op)
{
    op->weight_read_bytes = op->weight_bytes;
}

/* Latent attention of each layer, between its norm and o (graph_mla.c). */
void graph_add_latent(struct graph_builder *b);

#endif
