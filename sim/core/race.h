/* SPDX-License-Identifier: Apache-2.0 */
/* Shadow clocks: happens-before over queues and semaphores, checked at every access.
 *
 * Every queue of every tile is a thread with a vector clock. An instruction starts after what its
 * queue did before, after the TCP's state when it was queued, and after the posts it consumed.
 * Descriptors of one DMA channel overlap, so each counts as a thread of its own: what an earlier
 * one wrote is known to a later one only through a semaphore. Two accesses to the same four bytes
 * of a memory (the same D x D accumulator tile), one of them a write, neither before the other: a
 * race. Of HBM and CSRAM the last three readers of a word are remembered. */
#ifndef TESSERA_SIM_CORE_RACE_H
#define TESSERA_SIM_CORE_RACE_H

#include "sim/core/machine.h"

struct race *race_new(const struct tsr_sim *s);
void race_free(struct race *r);

/* All do nothing in a run without shadow clocks. */
void race_queued(struct tsr_sim *s, struct tile *t, struct unit_insn *in);
void race_start(struct tsr_sim *s, struct tile *t, enum tsr_queue q, struct unit_insn *in);
void race_end(struct tsr_sim *s, struct unit_insn *in);
void race_consumed(struct tsr_sim *s, struct tile *t, enum tsr_queue q, struct unit_insn *in,
                   uint32_t sem, uint32_t n);
void race_posted(struct tsr_sim *s, struct tile *from, enum tsr_queue q, const struct unit_insn *in,
                 struct tile *to, uint32_t sem);

void race_read(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
               uint64_t address, uint64_t bytes);
void race_write(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
                uint64_t address, uint64_t bytes);
/* Control memory, by a channel's instruction or (in null) by the TCP. */
void race_control(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
                  uint64_t address, uint64_t bytes, bool write);
/* len bytes from src (TSRAM: of `from`) to dst (TSRAM: of `to`), by a channel of `from`. */
void race_transfer(struct tsr_sim *s, struct tile *from, struct tile *to, enum tsr_queue q,
                   const struct unit_insn *in, uint64_t src, uint64_t dst, uint64_t len);
void race_acc(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
              int64_t c, uint32_t across, uint32_t m, uint32_t n, bool write);
void race_acc_line(struct tsr_sim *s, struct tile *t, const struct unit_insn *in, uint64_t line);

#endif
