/* SPDX-License-Identifier: Apache-2.0 */
/* How an operand of a matmul lies in HBM.
 *
 * Plain formats: dense rows of k elements, row-major (i4: two a byte, the row in whole bytes).
 * Block formats (MX, mx9/6/4, nvf4, q8_0, q4_0) lie slab-major: K is cut into slabs of `ks`
 * elements; a slab is a dense matrix of rows x unit, a unit the elements of one row in the slab
 * and behind them its scales, which together fit a line of TSRAM: what one mma reads of the row.
 * The last slab is padded with zero bytes. So a block of rows is one run of bytes in each slab.
 * ks is a multiple of the pair's R and of the blocks; where a line is shorter than a block, a
 * divisor of the block, whose scale is then repeated. It depends on both operands: those of one
 * matmul have the same.
 *
 * The functions are pure; an image belongs to the caller. */
#ifndef KERNELS_NPU_SLAB_H
#define KERNELS_NPU_SLAB_H

#include "tessera/chip.h"
#include "tessera/isa.h"

struct tsr_npu_slab {
    const struct tsr_format *format; /* borrowed from the isa */
    uint64_t rows, k;
    bool blocked;        /* slab-major; else dense rows: one slab, a unit is a row */
    uint32_t ks;         /* elements of K of one mma */
    uint32_t line_bytes; /* what a row of one mma takes in TSRAM, scales included */
    uint32_t scales_at;  /* offset of the scales in a unit: the elements' bytes; plain: 0 */
    uint64_t unit_elems; /* ks; plain: k */
    uint64_t unit_bytes;
    uint64_t slabs;
};

/* The layout of an operand of `rows` rows of k, in format `own` against one in `partner`.
 * Errors: TSR_BAD_INPUT a pair that the tensor unit does not multiply, rows or k outside 1..2^32,
 *   a line too short for the pair; *out untouched. */
enum tsr_status tsr_npu_slab_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                  enum tsr_dtype own, enum tsr_dtype partner, uint64_t rows,
                                  uint64_t k, struct tsr_npu_slab *out, struct tsr_error *err);

/* Bytes of the whole operand. */
static inline uint64_t tsr_npu_slab_bytes(const struct tsr_npu_slab *s)
{
    return s->slabs * s->rows * s->unit_bytes;
}

/* Bytes from the operand's address to the unit of a row in a slab. */
static inline uint64_t tsr_npu_slab_offset(const struct tsr_npu_slab *s, uint64_t row,
                                           uint64_t slab)
{
    return (slab * s->rows + row) * s->unit_bytes;
}

/* Writes row `row` of k f32 into the image of the operand (tsr_npu_slab_bytes), padding included.
 * Numerics: block formats as tsr_num_quantize without a tensor scale, the row padded with zeros to
 *   whole blocks; plain ones as tsr_num_encode, to nearest even.
 * Errors: TSR_INTERNAL out of memory. */
enum tsr_status tsr_npu_slab_pack(const struct tsr_npu_slab *s, uint64_t row,
                                  const uint32_t *f32_bits, void *image, struct tsr_error *err);

/* Reads a row back: the exact values, as tsr_num_dequantize and tsr_num_decode_f32 give them.
 * Errors: TSR_INTERNAL out of memory. */
enum tsr_status tsr_npu_slab_unpack(const struct tsr_npu_slab *s, uint64_t row, const void *image,
                                    uint32_t *f32_bits, struct tsr_error *err);

/* The same between the image and the two planes of isa/num/quant.h (block formats): a row's
 * elements and scales of ceil(k / block) whole blocks. Bits are moved, none changed. */
void tsr_npu_slab_from_planes(const struct tsr_npu_slab *s, uint64_t row, const void *elements,
                              const void *scales, void *image);
void tsr_npu_slab_to_planes(const struct tsr_npu_slab *s, uint64_t row, const void *image,
                            void *elements, void *scales);

#endif
