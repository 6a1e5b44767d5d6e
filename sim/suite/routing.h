/* SPDX-License-Identifier: Apache-2.0 */
/* A random routing of tokens to experts and what follows from it, for the kernels behind the
 * router. */
#ifndef SIM_SUITE_ROUTING_H
#define SIM_SUITE_ROUTING_H

#include "sim/suite/suite.h"

struct suite_routing {
    size_t tokens, experts, top_k, slots, parts;
    uint32_t *ids;    /* [slots], slot = token * top_k + choice: distinct experts per token */
    uint32_t *counts; /* [parts][experts] as the router leaves them */
    uint32_t *total;  /* [experts] */
    uint32_t *place;  /* [slots] row in the order of experts */
    uint32_t *expert; /* [slots] expert of the row at a place */
    uint64_t ids_at, counts_at; /* in HBM, as inputs */
};

/* Uneven: low experts are chosen more often, the last one by nobody where there is a choice. */
enum tsr_status suite_route(struct suite *s, size_t tokens, size_t experts, size_t top_k,
                            struct suite_routing *r, struct tsr_error *err);

#endif
