/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of sim/project that build a tsr_model. */
#ifndef TESSERA_MODEL_PRIV_H
#define TESSERA_MODEL_PRIV_H

#include "tessera/model.h"

/* What distinguishes one architecture from another, beyond the numbers of config.json.
 * A new model family made of known blocks is one row in arch.c. */
struct tsr_arch_row {
    const char *name;  /* model_type */
    const char *alias; /* a second spelling, or null */
    bool moe;
    bool mla; /* latent attention, and the keys of its family for experts */
    bool shared_gate;
    bool qkv_bias;      /* biases that the family always has; `attention_bias` may add both */
    bool attention_bias; /* reads the key `attention_bias` (q k v and o) and `mlp_bias` */
    bool router_bias, expert_bias;
    bool qk_norm, sinks, post_norms;
    bool router_after_topk, router_renorm;
    bool window_opt_in; /* sliding_window counts only with use_sliding_window */
    bool alternating;   /* without layer_types: even layers slide */
    enum tsr_activation activation; /* replaces hidden_act unless SILU */
    double attn_softcap;
};

const struct tsr_arch_row *tsr_arch_row(enum tsr_arch arch);

/* Sets what the architecture implies: biases, norms, router rule, activation, attn_scale. Before
 * it, head_dim must be set. */
void tsr_arch_apply(struct tsr_model *m);

/* Of a token in a layer's cache: rows, and the elements of each. */
static inline uint64_t tsr_cache_rows(const struct tsr_model *m)
{
    return m->kv_rank != 0 ? 1 : 2 * (uint64_t)m->kv_heads;
}

static inline uint64_t tsr_cache_dim(const struct tsr_model *m)
{
    return m->kv_rank != 0 ? (uint64_t)m->kv_rank + m->rope_dim : m->head_dim;
}

/* Elements of attention's result for a token. */
static inline uint64_t tsr_attention_width(const struct tsr_model *m)
{
    return (uint64_t)m->heads * (m->kv_rank != 0 ? m->v_dim : m->head_dim);
}

/* TSR_OK if the total is at most the chip's HBM, else TSR_BAD_INPUT with the sizes. */
enum tsr_status tsr_fit_check(const struct tsr_model *m, const struct tsr_chip *chip,
                              const struct tsr_fit *fit, struct tsr_error *err);

/* Returns the preset of that name (case matters), or false. */
bool tsr_preset_find(const char *name, struct tsr_model *out);

/* Largest sum of parameters that a model may have: beyond any machine, and every product of it
 * with a batch of tokens still fits 64 bits or is caught. */
#define TSR_MAX_PARAMS ((uint64_t)1 << 56)

/* Saturating arithmetic: UINT64_MAX means "too large". */
static inline uint64_t tsr_sat_mul(uint64_t a, uint64_t b)
{
    uint64_t r;
    return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}

static inline uint64_t tsr_sat_add(uint64_t a, uint64_t b)
{
    uint64_t r;
    return __builtin_add_overflow(a, b, &r) ? UINT64_MAX : r;
}

static inline uint64_t tsr_sat_mul3(uint64_t a, uint64_t b, uint64_t c)
{
    return tsr_sat_mul(tsr_sat_mul(a, b), c);
}

#endif
