/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets share: the head of each one's state, and the walk over the graph. */
#ifndef SIM_INFER_SESSION_H
#define SIM_INFER_SESSION_H

#include "sim/infer/infer.h"

/* A target: three functions over a state that begins with struct infer. */
struct infer_driver {
    bool (*takes)(const struct tsr_format *f); /* weights */
    bool (*takes_cache)(const struct tsr_format *f);
    enum tsr_status (*create)(const struct infer_options *o, struct infer **out,
                              struct tsr_error *err);
    /* n tokens at s->position: checked, in range. */
    enum tsr_status (*step)(struct infer *s, const uint32_t *tokens, uint32_t n, bool all,
                            float *logits, struct tsr_error *err);
    void (*destroy)(struct infer *s);
    void (*restart)(struct infer *s);                         /* may be null */
    const struct infer_cost *(*cost)(const struct infer *s);  /* may be null */
    struct infer_verified (*verified)(const struct infer *s); /* may be null */
};

struct infer {
    const struct infer_driver *driver;
    struct infer_options options;
    uint32_t position; /* tokens in the cache */
};

extern const struct infer_driver infer_ref_driver, infer_sve_driver, infer_npu_driver;

/* Calls `run` for every operation in the order in which a token meets them: before the layers,
 * layer after layer those of its kind, behind them. layer: 0 outside. Ends at the first error. */
enum tsr_status infer_walk(const struct tsr_graph *g, const struct tsr_model *model,
                           enum tsr_status (*run)(void *self, uint32_t op, uint32_t layer,
                                                  struct tsr_error *err),
                           void *self, struct tsr_error *err);

#endif
