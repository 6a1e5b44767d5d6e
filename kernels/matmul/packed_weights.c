/* SPDX-License-Identifier: Apache-2.0 */
/* Packing of the weights: once, in portable C, for every kernel. */
#include <assert.h>
#include <string.h>

#include "kernels/matmul/packed.h"
#include "kernels/matmul/packed_header.h"

enum {
    CHUNK = 256
}; /* k at a time: a multiple of every cell and block */

/* Codes of elements at..at + count of a row as the source has it. */
static void codes_of(enum tsr_dtype format, const uint8_t *row, size_t at, size_t count,
                     uint32_t *codes)
{
    for (size_t i = 0; i < count; i++) {
        const size_t p = at + i, block = p / TSR_GROUP, j = p % TSR_GROUP;
        switch (format) {
        case TSR_F32:
            memcpy(&codes[i], row + 4 * p, 4);
            break;
        case TSR_F16:
        case TSR_BF16: {
            uint16_t h;
            memcpy(&h, row + 2 * p, 2);
            codes[i] = h;
            break;
        }
        case TSR_I4:
        case TSR_MXF4:
            codes[i] = row[p / 2] >> 4 * (p % 2) & 15;
            break;
        case TSR_Q8_0: /* f16, 32 codes */
            codes[i] = row[block * 34 + 2 + j];
            break;
        case TSR_Q4_0: /* f16, 16 bytes: low nibbles first; code + 8 there, two's complement here */
            codes[i] = (row[block * 18 + 2 + j % 16] >> 4 * (j / 16) & 15) ^ 8;
            break;
        case TSR_Q4_K: { /* 16 bytes of scales; two groups share 32 bytes */
            const size_t group = p % TSR_SUPER / TSR_GROUP;
            const uint8_t *super = row + p / TSR_SUPER * 144;
            codes[i] = super[16 + group / 2 * 32 + j] >> 4 * (group % 2) & 15;
            break;
        }
        default: /* i8, mxf8 */
            codes[i] = row[p];
        }
    }
}

/* One cell from cell_k codes. */
static void put_cell(const struct tsr_weights_layout *l, const uint32_t *codes, size_t half,
                     uint8_t *cell)
{
    switch (l->format) {
    case TSR_F32:
        memcpy(cell, codes, 4);
        break;
    case TSR_F16:
    case TSR_BF16:
        for (int i = 0; i < l->cell_k; i++) {
            uint16_t h = (uint16_t)codes[i];
            memcpy(cell + 2 * i, &h, 2);
        }
        break;
    case TSR_I4: /* the low nibble's column first; its codes are kept + 8, not negative */
        for (int i = 0; i < 8; i++)
            cell[i] |= (uint8_t)(half == 0 ? codes[i] ^ 8 : codes[i] << 4);
        break;
    case TSR_Q4_0:
    case TSR_Q4_K: /* byte i: k = i low, 8 + i high */
        for (int i = 0; i < 8; i++)
            cell[i] = (uint8_t)(codes[i] | codes[8 + i] << 4);
        break;
    case TSR_MXF4: /* 16-bit lane i: nibble t is k = 4 t + i */
        for (int i = 0; i < 8; i++)
            cell[i] = (uint8_t)(codes[i % 2 * 8 + i / 2] | codes[i % 2 * 8 + 4 + i / 2] << 4);
        break;
    case TSR_MXF8E4M3:
    case TSR_MXF8E5M2: /* 16-bit lane i: byte t is k = 4 t + i */
        for (int i = 0; i < 8; i++)
            cell[i] = (uint8_t)codes[i % 2 * 4 + i / 2];
        break;
    default:
        for (int i = 0; i < 8; i++)
            cell[i] = (uint8_t)codes[i];
    }
}

/* The elements of column c of a panel. */
static void pack_elements(const struct tsr_weights_layout *l, size_t columns, size_t k,
                          size_t padded, size_t c, const uint8_t *row, uint8_t *plane)
{
    const size_t lines = l->lines > 1 ? columns / l->lines : columns;
    uint8_t *to = plane + c % lines * l->cell_bytes;
    for (size_t at = 0; at < padded; at += CHUNK) {
        uint32_t codes[CHUNK] = {0};
        if (at < k)
            codes_of(l->format, row, at, tsr_least(CHUNK, k - at), codes);
        const size_t count = tsr_least(CHUNK, padded - at);
        for (size_t i = 0; i < count; i += l->cell_k, to += lines * l->cell_bytes)
            put_cell(l, codes + i, c / lines, to);
    }
}

/* A super-block's 16 bytes, each kind for all columns together: d, dmin (f16), 12 bytes. */
static void pack_super(const uint8_t *from, size_t columns, size_t c, uint8_t *to)
{
    memcpy(to + 2 * c, from, 2);
    memcpy(to + 2 * columns + 2 * c, from + 2, 2);
    for (size_t i = 0; i < 12; i++)
        to[(4 + i) * columns + c] = from[4 + i];
}

/* The scales of column c: `row` is the weight row's, `scales` those that lie apart. */
static void pack_scales(const struct tsr_weights_layout *l, size_t columns, size_t k, size_t c,
                        const uint8_t *row, const void *scales, size_t line, uint8_t *plane)
{
    if (l->column_scale) {
        const float one = 1.0f;
        memcpy(plane + 4 * c, scales != NULL ? (const float *)scales + line : &one, 4);
        return;
    }
    if (l->group == 0)
        return;
    const size_t groups = (k + l->group - 1u) / l->group;
    const size_t block_bytes = l->format == TSR_Q8_0 ? 34 : l->format == TSR_Q4_0 ? 18 : 144;
    for (size_t g = 0; g < groups; g++) {
        const uint8_t *from = l->group_bytes == 1 ? (const uint8_t *)scales + line * groups + g
                                                  : row + g * block_bytes;
        if (l->format == TSR_Q4_K)
            pack_super(from, columns, c, plane + g * columns * l->group_bytes);
        else
            memcpy(plane + (g * columns + c) * l->group_bytes, from, l->group_bytes);
    }
}

/* Whether the weight row `line` is plain: see struct tsr_weights_layout. */
static bool is_plain(const struct tsr_weights_layout *l, size_t k, const uint8_t *row,
                     const void *scales, size_t line)
{
    if (l->most == 0)
        return false;
    if (k == 0)
        return true;
    const size_t groups = (k + l->group - 1u) / l->group;
    const uint8_t *s = (const uint8_t *)scales + line * groups;
    bool plain = true;
    for (size_t g = 0; g < groups; g++)
        plain = plain && s[g] >= l->least && s[g] <= l->most;
    for (size_t i = 0; l->special > 0 && i < k; i++)
        plain = plain && (row[i] & 0x7F) < l->special;
    return plain;
}

static const struct tsr_matmul_kernel *kernel_for(const struct tsr_weights_layout *l)
{
    return tsr_matmul_kernel_of(tsr_variant_chosen(l->op));
}

static enum tsr_status check(enum tsr_dtype format, size_t n, size_t k, struct tsr_error *err)
{
    const struct tsr_weights_layout *l = tsr_weights_layout(format);
    if (l == NULL)
        return tsr_error_set(err, TSR_USAGE,
                             "weights: format %d has no matmul, allowed: f32 f16 bf16 i8 i4 q8_0 "
                             "q4_0 q4_k mxf4 mxf8e4m3 mxf8e5m2",
                             (int)format);
    if (k % l->whole != 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "weights: rows of %zu elements, this format's are multiples of %u", k,
                             l->whole);
    /* 4 bytes an element and as much again for padding bound every layout. */
    if (n > SIZE_MAX / 16 - 4096 || k > SIZE_MAX / 16 - 4096 ||
        (k > 0 && n + TSR_MAX_COLUMNS > SIZE_MAX / 16 / (k + TSR_SUPER)))
        return tsr_error_set(err, TSR_BAD_INPUT, "weights: %zu x %zu elements do not fit memory", n,
                             k);
    return TSR_OK;
}

static size_t panel_bytes(const struct tsr_weights_layout *l, size_t columns, size_t padded)
{
    return tsr_panel_element_bytes(l, columns, padded) + tsr_panel_scale_bytes(l, columns, padded);
}

enum tsr_status tsr_weights_bytes(enum tsr_dtype format, size_t n, size_t k, size_t *bytes,
                                  struct tsr_error *err)
{
    enum tsr_status status = check(format, n, k, err);
    if (status != TSR_OK)
        return status;
    const struct tsr_weights_layout *l = tsr_weights_layout(format);
    const size_t columns = kernel_for(l)->columns(), padded = tsr_round_up(k, l->pad);
    *bytes = TSR_HEADER_BYTES + (n + columns - 1) / columns * panel_bytes(l, columns, padded);
    return TSR_OK;
}

enum tsr_status tsr_weights_pack(enum tsr_dtype format, size_t n, size_t k, const void *w,
                                 size_t row_bytes, const void *scales, void *packed,
                                 struct tsr_error *err)
{
    enum tsr_status status = check(format, n, k, err);
    if (status != TSR_OK)
        return status;
    const struct tsr_weights_layout *l = tsr_weights_layout(format);
    assert((uintptr_t)packed % 64 == 0);
    assert(l->group_bytes != 1 || scales != NULL || n == 0 || k == 0);
    const size_t columns = kernel_for(l)->columns(), padded = tsr_round_up(k, l->pad);
    const size_t bytes = panel_bytes(l, columns, padded);
    struct tsr_packed_header h = {.format = (uint32_t)format,
                                  .columns = (uint32_t)columns,
                                  .n = n,
                                  .k = k,
                                  .padded = padded,
                                  .panel_bytes = bytes,
                                  .scales_at = tsr_panel_element_bytes(l, columns, padded),
                                  .plain = true};
    uint8_t *panel = (uint8_t *)packed + TSR_HEADER_BYTES;
    for (size_t first = 0; first < n; first += columns, panel += bytes) {
        memset(panel, 0, bytes);
        for (size_t c = 0; c < tsr_least(columns, n - first); c++) {
            const uint8_t *row = (const uint8_t *)w + (first + c) * row_bytes;
            pack_elements(l, columns, k, padded, c, row, panel);
            pack_scales(l, columns, k, c, row, scales, first + c, panel + h.scales_at);
            h.plain = h.plain && is_plain(l, k, row, scales, first + c);
        }
    }
    memset(packed, 0, TSR_HEADER_BYTES);
    memcpy(packed, &h, sizeof h);
    return TSR_OK;
}
