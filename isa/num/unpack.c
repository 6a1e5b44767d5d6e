/* SPDX-License-Identifier: Apache-2.0 */
/* Operands of the tensor unit taken apart: runs of codes in memory into the arrays that the inner
 * loops read. Works on pieces of a run, so that all but the last move is vectorised. */
#include "isa/num/unpack.h"

#include <assert.h>
#include <string.h>

static size_t round_up(size_t x, size_t to)
{
    return (x + to - 1) / to * to;
}

/* Rows that the arrays hold: B has whole blocks of columns. */
static size_t held_rows(enum tsr_num_side side, uint32_t rows)
{
    return side == TSR_NUM_B ? round_up(rows, NUM_BLOCK) : rows;
}

/* Bytes of the panel's arrays, one after the other, each rounded up to whole lines. */
struct sizes {
    size_t element, mark, scale; /* of one array each */
    size_t elements;             /* arrays of elements: value, or exponent, magnitude and sign */
};

static struct sizes sizes_of(const struct tsr_num_plan *plan, enum tsr_num_side side, uint32_t rows,
                             uint32_t k)
{
    bool wide = plan->kind == TSR_NUM_WIDE;
    size_t held = held_rows(side, rows), k_padded = round_up(k, plan->r), elems = held * k_padded;
    struct sizes s = {.elements = wide ? 3 : 1};
    s.element = round_up(elems * (wide ? sizeof(int16_t) : sizeof(int32_t)), 64);
    s.mark = plan->kind == TSR_NUM_EXACT ? round_up(elems, 64) : 0;
    s.scale = plan->scaled ? round_up(held * (k_padded / plan->group) * sizeof(int16_t), 64) : 0;
    return s;
}

size_t tsr_num_panel_bytes(const struct tsr_num_plan *plan, enum tsr_num_side side, uint32_t rows,
                           uint32_t k)
{
    struct sizes s = sizes_of(plan, side, rows, k);
    return s.elements * s.element + s.mark + 2 * s.scale + round_up(rows, 64);
}

void num_split_floats(const struct tsr_format *f, struct num_piece *p)
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
    for (int i = 0; i < NUM_PIECE; i++) {
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

/* Each code of a format that is no float as an integer in units of the format's least. */
static void integer_values(const struct tsr_format *f, struct num_piece *p)
{
    enum num_coding coding = num_coding(f);
    uint32_t up = 32 - f->bits;
    p->any_special = false;
    for (int i = 0; coding == NUM_CODED_TWOS && i < NUM_PIECE; i++)
        p->value[i] = (int32_t)((uint32_t)p->code[i] << up) >> up;
    for (int i = 0; coding == NUM_CODED_OFFSET && i < NUM_PIECE; i++)
        p->value[i] = p->code[i] - f->bias;
    for (int i = 0; coding == NUM_CODED_PAIRS && i < NUM_PIECE; i++) {
        int32_t sign = -(p->code[i] / NUM_SMX_SIGN);
        p->value[i] = ((p->code[i] & (NUM_SMX_SIGN - 1)) ^ sign) - sign;
    }
}

/* For panels of values: each code as such an integer; a special as 0. */
static void fix_values(const struct tsr_format *f, struct num_piece *p)
{
    if (num_coding(f) != NUM_CODED_FLOAT) {
        integer_values(f, p);
        return;
    }
    int low = num_lowest_exponent(f);
    num_split_floats(f, p);
    for (int i = 0; i < NUM_PIECE; i++) {
        int shift = (p->exponent[i] - low) & 31; /* zeros and specials have magnitude 0 */
        int32_t v = (int32_t)p->magnitude[i] << shift;
        p->value[i] = (v ^ p->sign[i]) - p->sign[i];
    }
}

/* For panels of exponents and magnitudes. */
static void split_values(const struct tsr_format *f, struct num_piece *p)
{
    if (num_coding(f) == NUM_CODED_FLOAT) {
        num_split_floats(f, p);
        return;
    }
    int low = num_lowest_exponent(f);
    integer_values(f, p);
    for (int i = 0; i < NUM_PIECE; i++) {
        int32_t v = p->value[i], sign = v < 0 ? -1 : 0;
        p->sign[i] = (int16_t)sign;
        p->magnitude[i] = (int16_t)((v ^ sign) - sign);
        p->exponent[i] = (int16_t)(v == 0 ? TSR_NUM_ZERO_EXPONENT : low);
    }
}

static void lay_out(const struct tsr_num_plan *plan, struct tsr_num_panel *p, void *memory)
{
    struct sizes s = sizes_of(plan, p->side, p->rows, p->k);
    char *at = memory;
    assert((uintptr_t)memory % 64 == 0);
    if (plan->kind == TSR_NUM_WIDE) {
        p->exponent = (int16_t *)(void *)at;
        p->magnitude = (int16_t *)(void *)(at + s.element);
        p->sign = (int16_t *)(void *)(at + 2 * s.element);
    } else {
        p->value = (int32_t *)(void *)at;
    }
    at += s.elements * s.element;
    if (plan->kind == TSR_NUM_EXACT)
        p->mark = (uint8_t *)at;
    at += s.mark;
    if (plan->scaled) {
        p->scale = (int16_t *)(void *)at;
        p->scale_power = (int16_t *)(void *)(at + s.scale);
    }
    p->special = (uint8_t *)(at + 2 * s.scale);
    memset(p->special, 0, p->rows);
}

void num_mark_row(struct tsr_num_panel *p, uint32_t row)
{
    if (!p->any_special && p->mark != NULL)
        memset(p->mark, NUM_FINITE, held_rows(p->side, p->rows) * p->k_padded);
    p->any_special = true;
    p->special[row] = 1;
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
static void store(struct tsr_num_panel *p, const struct num_piece *from, uint32_t first, uint32_t n,
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

/* Notes that element i of a piece is no number. */
static void mark(struct tsr_num_panel *p, const struct num_piece *from, uint32_t i, uint32_t row,
                 uint32_t k)
{
    num_mark_row(p, row);
    if (p->mark == NULL)
        return;
    bool nan = from->exponent[i] == TSR_NUM_NAN_EXPONENT;
    enum num_mark inf = from->sign[i] != 0 ? NUM_MINUS_INF : NUM_PLUS_INF;
    p->mark[num_panel_at(p, row, k)] = (uint8_t)(nan ? NUM_NAN : inf);
}

/* n elements of a piece: along k from (row, k) on, or along the rows. */
static void place(struct tsr_num_panel *p, const struct num_piece *from, uint32_t n, uint32_t row,
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
    for (uint32_t i = 0; from->any_special && i < n; i++)
        if (from->special[i] != 0)
            mark(p, from, i, along_rows ? row + i : row, along_rows ? k : k + i);
}

/* Scales of one, for the rows and groups from these on. */
static void fill_scales(struct tsr_num_panel *p, size_t row, size_t group)
{
    for (; group < p->groups; group++) {
        p->scale[num_scale_at(p, row, group)] = 1;
        p->scale_power[num_scale_at(p, row, group)] = 0;
    }
}

/* The scales of all rows, after the elements; of a format without any, and of padding, one. */
static void place_scales(const struct tsr_num_plan *plan, const struct tsr_format *f,
                         const struct tsr_num_operand *src, struct tsr_num_panel *p)
{
    bool none = num_scaling(f) == NUM_UNSCALED;
    size_t held = held_rows(p->side, p->rows), filled = none ? 0 : round_up(p->k, f->block);
    const uint8_t *scales = src->scales;
    assert(none || (scales != NULL && !src->k_strided));
    for (uint32_t row = 0; row < held; row++) {
        fill_scales(p, row, row < p->rows ? filled / plan->group : 0);
        if (!none && row < p->rows)
            num_unpack_scales(plan, f, scales + (ptrdiff_t)row * src->scale_stride_bytes, row, p);
    }
}

void tsr_num_unpack(const struct tsr_num_plan *plan, enum tsr_num_side side,
                    const struct tsr_num_operand *src, uint32_t rows, uint32_t k, void *memory,
                    struct tsr_num_panel *panel)
{
    const struct tsr_format *f = side == TSR_NUM_A ? plan->a : plan->b;
    struct tsr_num_panel p = {.side = side, .rows = rows, .k = k};
    struct num_piece piece = {.code = {0}};
    uint32_t runs = src->k_strided ? k : rows, length = src->k_strided ? rows : k;
    p.k_padded = (uint32_t)round_up(k, plan->r);
    p.groups = p.k_padded / plan->group;
    lay_out(plan, &p, memory);
    for (uint32_t i = 0; i < runs; i++) {
        const uint8_t *run = (const uint8_t *)src->codes + (ptrdiff_t)i * src->stride_bytes;
        for (uint32_t j = 0; j < length; j += NUM_PIECE) {
            uint32_t n = length - j < NUM_PIECE ? length - j : NUM_PIECE;
            num_fetch(f, piece.code, run, j, n);
            if (p.value != NULL)
                fix_values(f, &piece);
            else
                split_values(f, &piece);
            place(&p, &piece, n, src->k_strided ? j : i, src->k_strided ? i : j, src->k_strided);
        }
    }
    pad(&p);
    if (plan->scaled)
        place_scales(plan, f, src, &p);
    *panel = p;
}
