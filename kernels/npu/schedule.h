/* SPDX-License-Identifier: Apache-2.0 */
/* Straight vector code in an order that keeps both issue slots busy.
 *
 * The vector unit issues in order, a memory and an arithmetic word a cycle: code written vector by
 * vector waits for every latency. Words are put down here in any order that computes the right
 * thing; emitting sorts them by their dependences (registers, address registers), the instruction
 * set's latencies and the TSRAM's banks, the longest path first.
 *
 * Banks: a port is granted each line one cycle in eight (isa/MACHINE.md, TSRAM ports). Accesses say
 * which line they touch, counted from any line that is a multiple of eight; where all kept
 * relative places are the same modulo eight each time the code runs, no access waits. */
#ifndef KERNELS_NPU_SCHEDULE_H
#define KERNELS_NPU_SCHEDULE_H

#include <stdbool.h>

#include "kernels/npu/text.h"

enum {
    NPU_BLOCK_WORDS = 512,
    NPU_NO_REG = 255,
    NPU_NO_LINE = -1
};

struct npu_word {
    char text[56];
    bool memory, store;
    uint8_t dst, n_dst;     /* vector registers; a load may fill several */
    uint8_t src[3], n_src0; /* a store may read several, from src[0] on */
    uint8_t address;        /* the address register that it reads and moves */
    uint16_t latency;
    int32_t line, last; /* the lines that an access touches, or NPU_NO_LINE */
};

struct npu_block {
    const struct tsr_isa *isa;
    unsigned n;
    struct npu_word word[NPU_BLOCK_WORDS];
};

void npu_block_init(struct npu_block *b, const struct tsr_isa *isa);

/* v<d> = op(v<a>, v<b>, v<c>); NPU_NO_REG for sources that the row does not have. */
void npu_block_op(struct npu_block *b, const char *op, unsigned d, unsigned a, unsigned src_b,
                  unsigned c);
/* The same of one source with an immediate: vbmax. */
void npu_block_segment(struct npu_block *b, const char *op, unsigned d, unsigned a, unsigned imm);

/* One access of `regs` registers from v<reg> on; n as in the instruction, 0: all active lanes.
 * Stores keep their order, and so do accesses by one address register. */
struct npu_access {
    const char *op, *format;
    unsigned reg, regs, areg, n;
    int64_t inc;
    int32_t line, last;
    bool store;
};
void npu_block_access(struct npu_block *b, const struct npu_access *a);

/* Accesses by one address register, as offsets from where it stands. */
struct npu_path {
    unsigned n;
    struct npu_access at[NPU_BLOCK_WORDS / 2];
    int64_t offset[NPU_BLOCK_WORDS / 2];
};

/* The next access: one register, all lanes, no lines. */
struct npu_access *npu_path_add(struct npu_path *w, int64_t offset);
/* The lines that `bytes` from the offset on touch. */
void npu_access_lines(struct npu_access *a, const struct tsr_chip *chip, int64_t offset,
                      uint32_t bytes);
/* Fills in the increments; the last one takes the register to `end`. */
void npu_path_close(struct npu_path *w, int64_t end);

/* Appends the words in their best order; the block is empty afterwards. */
void npu_block_emit(struct tsr_text *t, struct npu_block *b);

#endif
