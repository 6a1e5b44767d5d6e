/* SPDX-License-Identifier: Apache-2.0 */
/* Operands of the tensor unit taken apart: runs of codes in memory into the arrays that the inner
 * loops read. Works on pieces of a run, so that all but the last move is vectorised. */
#include "isa/num/mma_steps.h"

#include <assert.h>
#include <string.h>

enum {
    PIECE = 64 /* elements of a run taken at a time */
};

struct piece {
    uint16_t code[PIECE];
    int16_t exponent[PIECE], magnitude[PIECE], sign[PIECE];
    int32_t value[PIECE];
    uint8_t special[PIECE]; /* NaN or infinity */
    bool any_special;
};

static size_t round_up(size_t x, size_t to)
{
    return (x + to - 1) / to * to;
}

/* Rows that the arrays hold: B has whole blocks of columns. */
static size_t held_rows(enum tsr_num_side side, uint32_t rows)
{
    return side == TSR_NUM_B ? round_up(rows, NUM_BLOCK) : rows;
}

size_t tsr_num_panel_bytes(const struct tsr_num_plan *plan, enum tsr_num_side side, uint32_t rows,
                           uint32_t k)
{
    size_t elems = held_rows(side, rows) * round_up(k, plan->r);
    size_t one = plan->kind == TSR_NUM_WIDE ? sizeof(int16_t) : sizeof(int32_t);
    size_t arrays = plan->kind == TSR_NUM_WIDE ? 3 : 1;
    return arrays * round_up(elems * one, 64) + round_up(rows, 64);
}

/* n <= PIECE codes from element `from` of a run: whole bytes, or packed, the lowest bit first. */
static void fetch(uint16_t *restrict code, const uint8_t *run, size_t from, uint32_t n,
                  uint32_t bits)
{
    if (bits == 16) {
        memcpy(code, run + 2 * from, 2 * n);
    } else if (bits == 8) {
        for (uint32_t i = 0; i < n; i++)
            code[i] = run[from + i];
    } else {
        for (uint32_t i = 0; i < n; i++) {
            size_t at = (from + i) * bits, byte = at / 8;
            uint32_t c = run[byte];
            if (at % 8 + bits > 8)
                c |= (uint32_t)run[byte + 1] << 8;
            if (at % 8 + bits > 16)
                c |= (uint32_t)run[byte + 2] << 16;
            code[i] = (uint16_t)(c >> at % 8 & ((UINT32_C(1) << bits) - 1));
        }
    }
}

/* Sign, magnitude and exponent of each code; a special's magnitude is 0. Always whole pieces:
 * codes beyond the run's end are whatever was there. */
static void split_floats(const struct tsr_format *f, struct piece *p)
{
    uint32_t mbits = f->mbits, all = (UINT32_C(1) << (f->ebits + mbits)) - 1;
    uint32_t hidden = UINT32_C(1) << mbits, inf = all & ~(hidden - 1);
    /* The first special code, and the one infinity: beyond `all` where there is none. */
    uint32_t first = f->specials == TSR_SPECIALS_IEEE ? inf
                     : f->specials == TSR_SPECIALS_FN ? all
                                                      : all + 1;
    uint32_t infinity = f->specials == TSR_SPECIALS_IEEE ? inf : all + 1;
    int32_t low = num_lowest_exponent(f);
    uint32_t any = 0;
    for (int i = 0; i < PIECE; i++) {
        uint32_t mag = p->code[i] & all, field = mag >> mbits;
        bool special = mag >= first;
        int32_t m = (int32_t)((mag & (hidden - 1)) | (field > 0 ? hidden : 0));
        int32_t e = low + (int32_t)field - (field > 0);
        e = mag == 0 ? TSR_NUM_ZERO_EXPONENT : e;
        e = special ? (mag == infinity ? TSR_NUM_INF_EXPONENT : TSR_NUM_NAN_EXPONENT) : e;
        p->exponent[i] = (int16_t)e;
        p->magnitude[i] = (int16_t)(special ? 0 : m);
        p->sign[i] = (int16_t)((p->code[i] & (all + 1)) != 0 ? -1 : 0);
        p->special[i] = special;
        any |= special;
    }
    p->any_special = any != 0;
}

/* Each code as an integer in units of the format's least; a NaN as 0. */
static void fix_values(const struct tsr_format *f, struct piece *p)
{
    if (f->family == TSR_FAMILY_INT) {
        uint32_t up = 32 - f->bits;
        for (int i = 0; i < PIECE; i++)
            p->value[i] = (int32_t)((uint32_t)p->code[i] << up) >> up;
        p->any_special = false;
        return;
    }
    int low = num_lowest_exponent(f);
    split_floats(f, p);
    for (int i = 0; i < PIECE; i++) {
        int shift = (p->exponent[i] - low) & 31; /* zeros and specials have magnitude 0 */
        int32_t v = (int32_t)p->magnitude[i] << shift;
        p->value[i] = (v ^ p->sign[i]) - p->sign[i];
    }
}

static void lay_out(const struct tsr_num_plan *plan, struct tsr_num_panel *p, void *memory)
{
    size_t elems = held_rows(p->side, p->rows) * p->k_padded;
    char *at = memory;
    assert((uintptr_t)memory % 64 == 0);
    if (plan->kind == TSR_NUM_WIDE) {
        size_t bytes = round_up(elems * sizeof(int16_t), 64);
        p->exponent = (int16_t *)(void *)at;
        p->magnitude = (int16_t *)(void *)(at + bytes);
        p->sign = (int16_t *)(void *)(at + 2 * bytes);
        at += 3 * bytes;
    } else {
        p->value = (int32_t *)(void *)at;
        at += round_up(elems * sizeof(int32_t), 64);
    }
    p->special = (uint8_t *)at;
    memset(p->special, 0, p->rows);
}

/* Zeros in the K tail and in the rows that fill B's last block. */
static void pad(struct tsr_num_panel *p)
{
    size_t held = held_rows(p->side, p->rows);
    for (size_t row = 0; row < held; row++) {
        for (size_t k = row < p->rows ? p->k : 0; k < p->k_padded; k++) {
            size_t to = num_panel_at(p, row, k);
            if (p->value != NULL) {
                p->value[to] = 0;
            } else {
                p->exponent[to] = TSR_NUM_ZERO_EXPONENT;
                p->magnitude[to] = p->sign[to] = 0;
            }
        }
    }
}

/* Moves n elements of a piece to places `to`, `to + step`, ... */
static void store(struct tsr_num_panel *p, const struct piece *from, uint32_t first, uint32_t n,
                  size_t to, size_t step)
{
    if (p->value != NULL) {
        for (uint32_t i = 0; i < n; i++)
            p->value[to + i * step] = from->value[first + i];
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        p->exponent[to + i * step] = from->exponent[first + i];
    for (uint32_t i = 0; i < n; i++)
        p->magnitude[to + i * step] = from->magnitude[first + i];
    for (uint32_t i = 0; i < n; i++)
        p->sign[to + i * step] = from->sign[first + i];
}

/* n elements of a piece: along k from (row, k) on, or along the rows. */
static void place(struct tsr_num_panel *p, const struct piece *from, uint32_t n, uint32_t row,
                  uint32_t k, bool along_rows)
{
    if (!along_rows) {
        store(p, from, 0, n, num_panel_at(p, row, k), p->side == TSR_NUM_A ? 1 : NUM_BLOCK);
    } else if (p->side == TSR_NUM_A) {
        store(p, from, 0, n, num_panel_at(p, row, k), p->k_padded);
    } else {
        for (uint32_t i = 0; i < n; i += NUM_BLOCK) /* pieces start at multiples of a block */
            store(p, from, i, n - i < NUM_BLOCK ? n - i : NUM_BLOCK, num_panel_at(p, row + i, k),
                  1);
    }
    for (uint32_t i = 0; from->any_special && i < n; i++) {
        p->special[along_rows ? row + i : row] |= from->special[i];
        p->any_special |= from->special[i] != 0;
    }
}

void tsr_num_unpack(const struct tsr_num_plan *plan, enum tsr_num_side side,
                    const struct tsr_num_operand *src, uint32_t rows, uint32_t k, void *memory,
                    struct tsr_num_panel *panel)
{
    const struct tsr_format *f = side == TSR_NUM_A ? plan->a : plan->b;
    struct tsr_num_panel p = {.side = side, .rows = rows, .k = k};
    struct piece piece = {.code = {0}};
    uint32_t runs = src->k_strided ? k : rows, length = src->k_strided ? rows : k;
    p.k_padded = (uint32_t)round_up(k, plan->r);
    lay_out(plan, &p, memory);
    for (uint32_t i = 0; i < runs; i++) {
        const uint8_t *run = (const uint8_t *)src->codes + (ptrdiff_t)i * src->stride_bytes;
        for (uint32_t j = 0; j < length; j += PIECE) {
            uint32_t n = length - j < PIECE ? length - j : PIECE;
            fetch(piece.code, run, j, n, f->bits);
            if (p.value != NULL)
                fix_values(f, &piece);
            else
                split_floats(f, &piece);
            place(&p, &piece, n, src->k_strided ? j : i, src->k_strided ? i : j, src->k_strided);
        }
    }
    pad(&p);
    *panel = p;
}
