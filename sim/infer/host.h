/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a target on the host's processor. Buffers hold `chunk` rows. */
#ifndef SIM_INFER_HOST_H
#define SIM_INFER_HOST_H

#include "sim/infer/params.h"
#include "sim/infer/round.h"
#include "sim/infer/session.h"
#include "tessera/kernels.h"

enum {
    HOST_CHUNK = 32 /* tokens of a prompt that go through the layers together */
};

struct host;

/* A product C[m,n] = A[m,k] W^T of an operation's matrix; what differs between targets. */
struct host_product {
    const struct tsr_graph_op *op;
    uint32_t op_index, layer, expert;
    uint64_t m, n, k;
    const float *a; /* dense */
    float *c;       /* dense */
};
struct host_products {
    enum tsr_status (*create)(struct host *h, struct tsr_error *err); /* may be null */
    enum tsr_status (*run)(struct host *h, const struct host_product *p, struct tsr_error *err);
    void (*destroy)(struct host *h);
};
extern const struct host_products host_ref_products, host_sve_products;

struct host {
    struct infer base;
    struct infer_options o;
    const struct tsr_model *model;
    struct tsr_graph graph;
    struct infer_rounding weights, activations, kv;
    const struct host_products *products;
    void *packed; /* of host_products */
    struct tsr_pool *pool;
    struct tsr_parallel threads;
    /* Rows of the tokens in work. */
    float *stream, *normed, *cast, *wide, *unfused, *branch, *sums;
    float *router_logits, *router_weights, *cosine, *sine, *logits;
    uint32_t *experts;
    const float *at; /* rows that the next product reads */
    /* [layer][kv_head][position][head_dim] */
    float *k_cache, *v_cache;
    size_t scratch_floats; /* of a thread */
    float *scratch;        /* [threads][scratch_floats] */
    /* The running step. */
    const uint32_t *tokens;
    uint32_t n, position, layer;
    bool all;
    float *out; /* logits of the caller, or null */
    struct infer_verified verified;
    uint64_t launched;                           /* operations, for option verify */
    void (*meddle)(struct host *h, uint32_t op); /* tests: spoils what an operation left; null */
};

/* Runs one operation: self is the host; as infer_walk calls it. */
enum tsr_status host_run(void *self, uint32_t op, uint32_t layer, struct tsr_error *err);

/* In what the matrix of a product of the layer in work is packed; f32 where it is not. */
enum tsr_dtype host_packed_format(const struct host *h, const struct tsr_graph_op *op,
                                  uint32_t expert);

/* Calls task(arg, i) for i below count on the host's threads. */
void host_parallel(const struct host *h, size_t count, void (*task)(void *arg, size_t i),
                   void *arg);
/* Where the share i of `count` of n begins. */
static inline uint64_t host_share(uint64_t n, size_t i, size_t count)
{
    return n * i / count;
}

/* From token to token in wide, where q k v lie side by side. */
static inline size_t host_qkv_stride(const struct tsr_model *m)
{
    return (m->heads + 2 * (size_t)m->kv_heads) * m->head_dim;
}

/* A row of k_cache or v_cache, of the layer in work; the next positions follow. */
static inline float *host_cache_row(const struct host *h, float *cache, size_t head,
                                    size_t position)
{
    const size_t heads = (size_t)h->layer * h->model->kv_heads + head;
    return cache + (heads * h->o.positions + position) * h->model->head_dim;
}

/* Attention of the tokens in work, from wide to normed. */
enum tsr_status host_attention(struct host *h, const struct tsr_graph_op *op,
                               struct tsr_error *err);
/* RoPE with norms of heads, and k and v into the cache. */
enum tsr_status host_rope(struct host *h, const struct tsr_graph_op *op, struct tsr_error *err);
enum tsr_status host_kv_append(struct host *h, const struct tsr_graph_op *op,
                               struct tsr_error *err);
/* A row of a vector parameter into `out`, or false where there is none. */
enum tsr_status host_vector(struct host *h, const struct tsr_graph_op *op, enum infer_what what,
                            uint32_t expert, float *out, bool *there, struct tsr_error *err);

#endif
