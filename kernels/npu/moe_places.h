/* SPDX-License-Identifier: Apache-2.0 */
/* Where each choice's row lies in the order of experts: what dispatch and combine both need.
 *
 * The vector unit adds up the counts of all parts, and of those before the tile's own, and makes of
 * them the first place of each expert for this tile (behind all of earlier experts, and those of
 * earlier parts); the TCP walks the tile's ids in rising slots, handing out places. Nothing but
 * counts passes between tiles, and the places do not depend on the order of execution. */
#ifndef KERNELS_NPU_MOE_PLACES_H
#define KERNELS_NPU_MOE_PLACES_H

#include "kernels/npu/stream.h"

struct npu_places {
    const char *name;
    uint64_t tokens, experts, top_k;
    uint64_t ids, counts; /* in HBM */
    uint32_t control_id;  /* of the block's ids */
    uint64_t row_bytes;   /* TSRAM that a token takes in a block, for the plan */

    /* Set by npu_places_plan. */
    uint32_t parts;
    uint64_t expert_pitch; /* bytes of a part's counts in TSRAM and control memory: whole vectors */
    uint64_t block_tokens;
    uint64_t counts_at, before_at, total_at, scan_at[2], ids_at; /* TSRAM */
    uint64_t base;                                               /* the first byte not taken */
    uint64_t control_ids; /* control memory: two lists; the first places lie at 0 */
};

/* Scalar registers: x1 part, x2 tokens of the tile, x3 its ids in HBM; x8 slot of the lists (0 or
 * 1); x9 tokens of the block. The kernel's own: x4..x7, x10..x19. Temporary: x20..x31. */
enum npu_places_sem { /* from 0; the kernel's own follow */
    PLACES_COUNTS,    /* counts are in TSRAM: TVP */
    PLACES_FIRST,     /* first places are in TSRAM: channel 2 */
    PLACES_READ,      /* ids are in TSRAM: channel 2 */
    PLACES_READY,     /* first places or ids are in control memory: TCP */
    PLACES_FREE,      /* a list may be overwritten: channel 2 */
    PLACES_SEMS,
};

/* slots blocks of the kernel's data lie in TSRAM at once. False if nothing fits. */
bool npu_places_plan(const struct tsr_chip *chip, struct npu_places *p, uint32_t slots,
                     uint64_t extra_bytes);
/* Semaphores and first places. The routines must be emitted, too. */
void npu_places_begin(struct tsr_text *t, const struct npu_places *p);
void npu_places_routines(struct tsr_text *t, const struct tsr_chip *chip,
                         const struct npu_places *p);
/* Routine `sums`: a0 counts of parts, a1 how many parts to add up into a3, a2 how many more into
 * a3 + expert_pitch with them. */
void npu_places_sums(struct tsr_text *t, const struct tsr_chip *chip, uint64_t expert_pitch);
/* Asks for the ids of the block of x20 tokens, its list in slot x21; x3 moves on. */
void npu_places_ask(struct tsr_text *t, const struct npu_places *p);
/* Waits for the ids of the block in hand (x9 tokens, slot x8) and turns them into places; leaves
 * the list's address in x22. */
void npu_places_hand_out(struct tsr_text *t, const struct npu_places *p, const char *label);
void npu_places_arguments(const struct npu_places *p, uint32_t part, int64_t *x);

#endif
