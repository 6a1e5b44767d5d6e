/* SPDX-License-Identifier: Apache-2.0 */
/* Copies from HBM to HBM through the tiles' movers; no data touch the TSRAM. */
#include "kernels/npu/ops.h"
#include "kernels/npu/stream.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)
typedef unsigned long long ull;

enum {
    DIMS = 3
};

/* The dimension that is divided among the tiles: the longest, of equals the outermost. */
static uint32_t widest(const struct tsr_npu_kv_append *op)
{
    uint32_t at = 0;
    for (uint32_t i = 1; i < DIMS; i++)
        if (op->n[i] > op->n[at])
            at = i;
    return at;
}

enum tsr_status tsr_npu_kv_append(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                  const struct tsr_npu_kv_append *op, struct tsr_program *out,
                                  struct tsr_error *err)
{
    const uint64_t most = (uint64_t)1 << 24; /* of a DMA dimension */
    uint32_t along = widest(op);
    for (uint32_t i = 0; i < DIMS; i++)
        if (!op->n[i] || op->n[i] > most)
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "kv_append: dimension %u of %llu, from 1 to "
                                 "2^24",
                                 i, (ull)op->n[i]);
    if (!op->bytes || op->bytes > most)
        return tsr_error_set(err, TSR_BAD_INPUT, "kv_append: runs of %llu bytes, from 1 to 2^24",
                             (ull)op->bytes);
    uint32_t tiles = npu_tiles(chip);
    tiles = op->n[along] < tiles ? (uint32_t)op->n[along] : tiles;
    int64_t args[NPU_MAX_TILES][TSR_LAUNCH_REGS] = {{0}};
    for (uint32_t i = 0; i < tiles; i++) {
        uint64_t first = op->n[along] * i / tiles, count = op->n[along] * (i + 1) / tiles - first;
        args[i][0] = (int64_t)(op->src + first * op->src_stride[along]);
        args[i][1] = (int64_t)(op->dst + first * op->dst_stride[along]);
        for (uint32_t d = 0; d < DIMS; d++)
            args[i][2 + d] = (int64_t)(d == along ? count : op->n[d]);
    }
    struct tsr_text text = {0}, *t = &text;
    L("  li x10, %llu", (ull)op->bytes);
    for (uint32_t d = 0; d < DIMS; d++) {
        L("  li x%u, %llu", 11 + d, (ull)op->src_stride[d]);
        L("  li x%u, %llu", 14 + d, (ull)op->dst_stride[d]);
    }
    L("  copy ch=0, dst=x2, src=x1, len=x10, n1=x3, ss1=x11, ds1=x14, n2=x4, ss2=x12, ds2=x15, "
      "n3=x5, ss3=x13, ds3=x16");
    L("  halt");
    return tsr_text_program(t, isa, "kv_append", tiles, (const int64_t(*)[TSR_LAUNCH_REGS])args,
                            out, err);
}
