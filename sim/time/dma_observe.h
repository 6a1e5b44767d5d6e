/* SPDX-License-Identifier: Apache-2.0 */
/* What the data mover tells an observer. Nothing here changes what it does. */
#ifndef TESSERA_SIM_TIME_DMA_OBSERVE_H
#define TESSERA_SIM_TIME_DMA_OBSERVE_H

#include "sim/core/observe.h"
#include "sim/time/dma.h"

/* Request p, number i, is issued in cycle now. */
void show_request(const struct tsr_sim *s, const struct tile *t, const struct descriptor *d,
                  const struct packet *p, uint32_t i, uint64_t now);
/* A packet whose last beat is through the tile's port before cycle `end`. */
void show_in(const struct tsr_sim *s, const struct tile *t, const struct packet *p, uint32_t i,
             uint64_t end);
void show_out(const struct tsr_sim *s, const struct tile *t, const struct packet *p, uint32_t i,
              uint64_t end);
/* Its lines, as write_lines is about to write them from cycle `at` on. The bytes are those at
 * `source`: far memory, or where packet `from` has its pieces in this tile. */
void show_lines(const struct tsr_sim *s, const struct tile *t, uint64_t at, const struct packet *p,
                const struct packet *from);
void show_number(const struct tsr_sim *s, const struct tile *t, enum observed kind, uint32_t i,
                 uint64_t cycle);

/* The lines that a transpose writes from cycle `at` on. */
void show_transpose(const struct tsr_sim *s, const struct tile *t, uint64_t at,
                    const struct unit_insn *in);

#endif
