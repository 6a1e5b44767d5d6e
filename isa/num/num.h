/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's arithmetic to the bit: the one definition that simulator, RTL and kernels share.
 * Values travel as bit patterns (f32 or int32 in uint32_t). isa/num/README.md gives the rules,
 * isa/MACHINE.md those of the tensor unit.
 * All functions are pure: no global state, safe from any thread, the same bits on every host. */
#ifndef ISA_NUM_NUM_H
#define ISA_NUM_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/dtype.h"
#include "tessera/status.h"

#define TSR_NUM_NAN UINT32_C(0x7FC00000) /* the only NaN that arithmetic returns */
#define TSR_NUM_INF UINT32_C(0x7F800000)

/* ---- codecs of single elements -------------------------------------------------------------- */

enum tsr_round {
    TSR_ROUND_EVEN, /* nearest, ties to even */
    TSR_ROUND_AWAY, /* nearest, ties away from zero */
    TSR_ROUND_ZERO, /* toward zero */
};

/* Whether this file's codecs take the format: INT rows, and floats (ebits > 0) whose values f32
 * holds exactly. Of a block family's row they code the element without its scale. */
bool tsr_num_has_codec(const struct tsr_format *f);

/* The code, in the low f->bits bits, of an f32.
 * Numerics: one rounding; subnormals kept; -0 keeps its sign in floats.
 *   Overflow: f32, f16, bf16 to infinity (toward zero: to the largest finite), as IEEE 754 says;
 *   floats of 8 bits or fewer and integers to the largest finite of that sign, infinities as well.
 *   NaN: the format's positive quiet NaN (f16 0x7E00, bf16 0x7FC0, e5m2 0x7E, e4m3 0x7F); formats
 *   without one give their largest finite; integers 0.
 * Source: IEEE 754-2019; OFP8 (OCP) v1.0 saturating conversion. */
uint32_t tsr_num_encode(const struct tsr_format *f, uint32_t f32_bits, enum tsr_round round);

/* The f32 of a code. Exact for all formats but i32, which rounds to nearest even. Any NaN gives
 * TSR_NUM_NAN. Bits of `code` above f->bits are ignored. */
uint32_t tsr_num_decode_f32(const struct tsr_format *f, uint32_t code);

/* The value of a code: exact for every format that has a codec, i32 among them; infinities as such,
 * any NaN as f64's quiet one. Bits of `code` above f->bits are ignored. */
double tsr_num_value(const struct tsr_format *f, uint32_t code);

/* The same for n elements, packed in memory little-endian without gaps, the lowest bit first
 * (4 bits: the even element in the low nibble). Bits left over in the last byte are written as 0.
 * Shapes: n elements here, (n * f->bits + 7) / 8 bytes there. No overlap. */
void tsr_num_encode_array(const struct tsr_format *f, void *codes, const uint32_t *f32_bits,
                          size_t n, enum tsr_round round);
void tsr_num_decode_array(const struct tsr_format *f, uint32_t *f32_bits, const void *codes,
                          size_t n);

/* ---- the tensor unit ------------------------------------------------------------------------ */

enum tsr_num_kind {
    TSR_NUM_INTEGER, /* int32 accumulators, sums modulo 2^32 */
    TSR_NUM_EXACT,   /* a group's sum is exact in units of the least product */
    TSR_NUM_WIDE,    /* products aligned to the largest of the group, toward zero */
};

/* How two formats multiply; made by tsr_num_plan, read-only afterwards. */
struct tsr_num_plan {
    const struct tsr_format *a, *b; /* borrowed */
    enum tsr_num_kind kind;
    uint32_t r;        /* products per step, 1..64 */
    uint32_t group;    /* products under one pair of scales: min(block of a, block of b, r) */
    uint32_t groups;   /* in a step: r / group */
    int32_t unit;      /* EXACT: a group's sum counts 2^unit, scales left out */
    uint32_t g;        /* WIDE: bits kept below the largest product's lowest */
    uint32_t sum_bits; /* a step's sum is below 2^sum_bits in units of its least bit */
    bool narrow;       /* EXACT: sums of a group fit 31 bits and sign */
    bool scaled;       /* an operand brings block scales */
    bool significands; /* scales are more than powers of two */
};

/* Fills `plan` for mma of format a by format b with r products per step. The rule knows families,
 * not names: a new row of a known family multiplies with all others.
 * Errors: TSR_USAGE a format that the tensor unit does not take, or a pair it does not (a plain
 * integer with anything but a plain integer), r outside 1..64, or an r whose steps cut the blocks
 * unevenly (group divides both blocks and r: any power of two does); outputs untouched. */
enum tsr_status tsr_num_plan(const struct tsr_format *a, const struct tsr_format *b, uint32_t r,
                             struct tsr_num_plan *plan, struct tsr_error *err);

/* Where the elements of one operand lie: `rows` (m of A or n of B) times k.
 * K-contiguous: element (row, k) is element k of the run that starts at codes + row * stride_bytes.
 * K-strided: it is element `row` of the run at codes + k * stride_bytes (formats without scales,
 * whole bytes).
 * A run is packed as quant.h's plane of elements; of smx the last block is whole in memory, of
 * others only the bytes that k elements reach are read.
 * Block scales of a row: the run at scales + row * scale_stride_bytes, packed as quant.h's plane of
 * scales, ceil(k / block) of them, the block of k = 0 first. Rows of the two may interleave. */
struct tsr_num_operand {
    const void *codes;
    ptrdiff_t stride_bytes;
    bool k_strided;
    const void *scales; /* null for formats without */
    ptrdiff_t scale_stride_bytes;
};

enum tsr_num_side {
    TSR_NUM_A,
    TSR_NUM_B
};

/* An operand taken apart for the inner loop. The arrays lie in the caller's memory. Layouts:
 * A: [rows][k_padded]; B: [ceil(rows/16)][k_padded][16]; scales likewise, groups instead of
 * k_padded. Padding holds zeros. */
struct tsr_num_panel {
    enum tsr_num_side side;
    uint32_t rows, k;     /* as given */
    uint32_t k_padded;    /* k rounded up to a multiple of r */
    uint32_t groups;      /* k_padded / group */
    int32_t *value;       /* INTEGER, EXACT: element in units of its format's least magnitude */
    int16_t *exponent;    /* WIDE: of the magnitude's lowest bit; zeros: TSR_NUM_ZERO_EXPONENT */
    int16_t *magnitude;   /* WIDE */
    int16_t *sign;        /* WIDE: 0 or -1 */
    int16_t *scale;       /* scaled plans: the scale's signed significand, */
    int16_t *scale_power; /* its exponent. Elements under a scale of zero are zeros */
    uint8_t *mark;        /* EXACT, read if any_special: see isa/num/mma_steps.h; value is 0 */
    uint8_t *special;     /* [rows] whether the row holds a NaN or an infinity */
    bool any_special;
};

enum {
    TSR_NUM_ZERO_EXPONENT = -8192, /* sums of two stay within int16 and below all others */
    TSR_NUM_INF_EXPONENT = 8001,   /* kept for rows marked special; magnitude 0 */
    TSR_NUM_NAN_EXPONENT = 8002,
};

/* Bytes of memory (64-byte aligned) that tsr_num_unpack needs. */
size_t tsr_num_panel_bytes(const struct tsr_num_plan *plan, enum tsr_num_side side, uint32_t rows,
                           uint32_t k);

/* Takes an operand apart; k may end inside a block. Ownership: `panel` points into `memory`, which
 * the caller keeps; a panel may serve any number of tsr_num_mma calls with plans of the same two
 * formats and r. */
void tsr_num_unpack(const struct tsr_num_plan *plan, enum tsr_num_side side,
                    const struct tsr_num_operand *src, uint32_t rows, uint32_t k, void *memory,
                    struct tsr_num_panel *panel);

/* C[m,n] = (overwrite ? 0 : C) + A[m,k] x B[k,n], m = a->rows, n = b->rows.
 * Shapes: c[i * c_stride + j], f32 bits or int32; a and b of equal k.
 * Numerics: steps of r products in order of k, one chain; a K tail is padded with zeros. Within a
 *   step, a group's sum D (exact, or cut as isa/MACHINE.md says for WIDE pairs) times its
 *   two scales is exact; of several groups each is cut toward zero 16 bits below the largest's
 *   unit. Their sum is added to C with one rounding to nearest even. Splitting k at multiples of r
 *   and of the blocks into several calls gives the same bits.
 *   An exact zero is +0; a nonzero that rounds to zero keeps its sign; subnormals are kept;
 *   overflow gives infinity. NaN (of an element, or a scale that is NaN or infinite), Inf * 0,
 *   Inf - Inf give TSR_NUM_NAN.
 * Aliasing: c overlaps neither panel. */
void tsr_num_mma(const struct tsr_num_plan *plan, const struct tsr_num_panel *a,
                 const struct tsr_num_panel *b, uint32_t *c, size_t c_stride, bool overwrite);

/* Steps first .. first + steps - 1 of those k_padded / r, added to C: all of them in order are
 * tsr_num_mma's. */
void tsr_num_mma_steps(const struct tsr_num_plan *plan, const struct tsr_num_panel *a,
                       const struct tsr_num_panel *b, uint32_t *c, size_t c_stride, uint32_t first,
                       uint32_t steps);

/* c + t * 2^unit, rounded once to f32, nearest even; |t| < 2^60. As tsr_num_mma adds a step. */
uint32_t tsr_num_accumulate(uint32_t c, int64_t t, int32_t unit);

/* c * 2^-e for any e, nearest even into subnormals; zeros and infinities keep their sign. */
uint32_t tsr_num_scale_pow2(uint32_t c, int32_t e);

/* The scaling of C before a step: C[i,j] *= 2^-e[i] (2^-e[j] if per_column). Shapes as in mma. */
void tsr_num_scale_block(uint32_t *c, size_t c_stride, uint32_t m, uint32_t n, const int32_t *e,
                         bool per_column);

/* ---- the vector unit ------------------------------------------------------------------------ */

/* d[i] = f(a[i], b[i], c[i]) for n lanes; operands beyond the primitive's count may be null.
 * Aliasing: d may be exactly a, b or c; partial overlap is not allowed. */
typedef void tsr_num_lanes_fn(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c,
                              unsigned n);

struct tsr_num_primitive {
    char name[16];
    uint8_t operands;  /* 1..3 */
    uint16_t milliulp; /* worst error in 1/1000 ULP; 500: correctly rounded (each step); 0: exact */
    tsr_num_lanes_fn *fn;
    char doc[80];
};

/* All primitives, ended by a row whose fn is null. The place in the table is the index that
 * TSR_NODE_CALL carries. */
extern const struct tsr_num_primitive tsr_num_primitives[];

/* Index in the table, or -1. */
int tsr_num_primitive_find(const char *name);

/* One lane of primitive `index`: for constants and tests. */
uint32_t tsr_num_primitive_apply(int index, uint32_t a, uint32_t b, uint32_t c);

enum tsr_num_reduction {
    TSR_NUM_REDUCE_ADD,
    TSR_NUM_REDUCE_MAX,
    TSR_NUM_REDUCE_MIN,
    TSR_NUM_REDUCE_IADD,
    TSR_NUM_REDUCE_IMAX,
    TSR_NUM_REDUCE_IMIN,
    TSR_NUM_REDUCE_MAXMAG,
    TSR_NUM_REDUCTIONS
};

/* The reduction whose primitive has this name (add max min iadd imax imin maxmag), or -1. */
int tsr_num_reduction_find(const char *name);

enum {
    TSR_NUM_MAX_LANES = 256
};

/* Reduces the active lanes of v[0..lanes), lanes <= TSR_NUM_MAX_LANES, over a balanced tree: lanes
 * 2i and 2i+1 first, their results pairwise, and so on; an inactive lane (or a pair of them) is
 * passed over, so that a single active lane keeps its bits.
 * active: bit i % 64 of word i / 64 is lane i; null means all.
 * With no active lane: add +0, max -Inf, min +Inf, iadd 0, imax INT32_MIN, imin INT32_MAX, maxmag
 * +0. */
uint32_t tsr_num_reduce(enum tsr_num_reduction op, const uint32_t *v, const uint64_t *active,
                        unsigned lanes);

/* The same with lanes 0..count-1 active, count <= lanes. */
uint32_t tsr_num_reduce_count(enum tsr_num_reduction op, const uint32_t *v, unsigned count,
                              unsigned lanes);

/* The same for each run of `segment` lanes by itself, whose result goes to all lanes of the run in
 * d (which may be a). Lanes from count on are inactive. */
void tsr_num_reduce_segments(enum tsr_num_reduction op, uint32_t *d, const uint32_t *a,
                             unsigned segment, unsigned count, unsigned lanes);

#endif
