/* SPDX-License-Identifier: Apache-2.0 */
/* Which tile stands where in the grid, and what it is told at the launch. */
#include <string.h>

#include "kernels/npu/matmul_emit.h"

/* The cluster at place i of the grid's clusters. In a square mesh the bits of i go to y and x by
 * turns: of the grid's rows and columns, a column of the mesh then holds as few as can be. Packets
 * travel along x first, so that what the clusters of a column need all comes over a few links. */
static uint32_t cluster_at(const struct tsr_mesh_config *m, uint32_t i)
{
    uint32_t x = 0, y = 0;
    if (m->x != m->y || (m->x & (m->x - 1)))
        return i;
    for (uint32_t bit = 0; 1u << bit < m->x; bit++) {
        x |= (i >> 2 * bit & 1) << bit;
        y |= (i >> (2 * bit + 1) & 1) << bit;
    }
    return y * m->x + x;
}

static uint32_t tile_id(const struct matmul_emit *e, uint32_t y, uint32_t x)
{
    const struct matmul_plan *p = &e->p;
    uint32_t per = e->chip->tiles_per_cluster;
    if (p->iy * p->ix != per)
        return y * p->gx + x;
    uint32_t cy = y / p->iy, cx = x / p->ix, oy = p->gy / p->iy, cluster = cy * p->ox + cx;
    if (p->gy * p->gx == tsr_chip_tiles(e->chip))
        cluster = cluster_at(&e->chip->mesh, oy > p->ox ? cx * oy + cy : cluster);
    return cluster * per + y % p->iy * p->ix + x % p->ix;
}

static void tile_arguments(const struct matmul_emit *e, uint32_t y, uint32_t x, int64_t *r)
{
    const struct matmul_plan *p = &e->p;
    const struct tsr_npu_matmul *op = e->op;
    uint32_t id = tile_id(e, y, x), d = e->chip->tile.ttu.dim;
    uint64_t row, rows, col, cols;
    matmul_split(op->m, p->row_unit, y, p->gy, &row, &rows);
    struct matmul_columns c = matmul_columns(p, x);
    col = c.first, cols = c.computed;
    uint32_t a_sender = tile_id(e, y, y % p->gx), b_sender = tile_id(e, (x + p->gy / 2) % p->gy, x);
    uint64_t a_mask = 0, b_mask = 0;
    for (uint32_t i = 0; i < p->gx; i++)
        a_mask |= (uint64_t)1 << tile_id(e, y, i);
    for (uint32_t i = 0; i < p->gy; i++)
        b_mask |= (uint64_t)1 << tile_id(e, i, x);
    r[X_A] = (int64_t)(op->a + row * p->a.row_bytes);
    r[X_ROWS] = (int64_t)rows;
    r[X_BH] = (int64_t)matmul_block(rows, p->nrb, d);
    r[X_B] = (int64_t)(op->b + col * p->b.row_bytes);
    r[X_COLS] = (int64_t)cols;
    r[X_BW] = (int64_t)(p->c.blocked ? p->bn : matmul_block(cols, p->ncb, d));
    r[ARG_C] = (int64_t)(op->c + row * e->c_stride + col * p->ec);
    if (p->c.blocked) {
        r[ARG_C] =
            (int64_t)(op->c + tsr_npu_slab_offset(&p->c, row, col / p->span * p->span / p->c.ks));
        r[ARG_PHASE] = (int64_t)(col % p->span);
        r[ARG_WRITTEN] = (int64_t)c.written;
    }
    r[ARG_A_MASK] = (int64_t)a_mask;
    r[ARG_B_MASK] = (int64_t)b_mask;
    uint32_t a_next = x + 1 < p->gx ? tile_id(e, y, x + 1) : a_sender;
    uint32_t b_next = y + 1 < p->gy ? tile_id(e, y + 1, x) : b_sender;
    r[ARG_A_NEXT] = (int64_t)((uint64_t)1 << a_next);
    r[ARG_B_NEXT] = (int64_t)((uint64_t)1 << b_next);
    r[ARG_ROLES] = (x == 0 ? FIRST_A : 0) | (x + 1 == p->gx ? LAST_A : 0) | (y == 0 ? FIRST_B : 0) |
                   (y + 1 == p->gy ? LAST_B : 0);
    r[ARG_A_LOADS] = a_sender == id ? (int64_t)matmul_total_a(p) : 0;
    r[ARG_B_LOADS] = b_sender == id ? (int64_t)matmul_total_b(p) : 0;
    r[ARG_BIAS] = (int64_t)(op->bias + 4 * col);
    r[ARG_RESIDUAL] = (int64_t)(op->residual + row * e->r_stride + col * p->ec);
}

void matmul_arguments(const struct matmul_emit *e, int64_t (*args)[TSR_LAUNCH_REGS])
{
    for (uint32_t y = 0; y < e->p.gy; y++)
        for (uint32_t x = 0; x < e->p.gx; x++) {
            int64_t r[TSR_LAUNCH_REGS + 1] = {0}; /* r[1] is x1 */
            tile_arguments(e, y, x, r);
            memcpy(args[tile_id(e, y, x)], r + 1, sizeof *args);
        }
}
