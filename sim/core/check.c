/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulator's arrays and the closed forms of time demand of a chip. The loader of chip
 * files refuses most of it with a place; chips may also come from a caller's own struct. */
#include <stdlib.h>

#include "isa/num/num.h"
#include "sim/core/machine.h"

struct bound {
    const char *key;
    uint64_t value, least, most;
    bool power; /* of two */
};

#define REFUSE(...) return tsr_error_set(err, TSR_BAD_INPUT, __VA_ARGS__)

static enum tsr_status check_bounds(const struct bound *b, size_t n, struct tsr_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (b[i].value < b[i].least || b[i].value > b[i].most ||
            (b[i].power && (b[i].value & (b[i].value - 1))))
            REFUSE("%s: %llu, %s%llu..%llu is allowed", b[i].key, (unsigned long long)b[i].value,
                   b[i].power ? "a power of two in " : "", (unsigned long long)b[i].least,
                   (unsigned long long)b[i].most);
    return TSR_OK;
}

static enum tsr_status check_tile(const struct tsr_tile_config *t, struct tsr_error *err)
{
    const struct bound b[] = {
        {"tile.line_bytes", t->line_bytes, 4, 4 * TSR_NUM_MAX_LANES, true},
        {"tile.tsram_bytes", t->tsram_bytes, 16 * (uint64_t)t->line_bytes, 1 << 30, false},
        {"tile.port_bytes", t->port_bytes, 1, 1 << 16, true},
        {"tile.program_words", t->program_words, 1, 1 << 16, false},
        {"tile.control_bytes", t->control_bytes, 8, 1 << 16, false},
        {"tile.queue_depth", t->queue_depth, 1, MAX_QUEUE, false},
        {"tile.semaphores", t->semaphores, 1, TSR_MAX_SEMAPHORES, false},
        {"tile.semaphore_max", t->semaphore_max, 1, 1 << 16, false},
        {"tile.ttu.dim", t->ttu.dim, 1, 64, true},
        {"tile.ttu.r16", t->ttu.r16, 1, 64, false},
        {"tile.ttu.r9", t->ttu.r9, 1, 64, false},
        {"tile.ttu.r6", t->ttu.r6, 1, 64, false},
        {"tile.ttu.acc_banks", t->ttu.acc_banks, 1, MAX_BANKS, false},
        {"tile.ttu.acc_latency_cycles", t->ttu.acc_latency_cycles, 1, 1 << 16, false},
        {"tile.ttu.pipe_cycles", t->ttu.pipe_cycles, 1, 1 << 16, false},
        {"tile.tvp.lanes", t->tvp.lanes, 1, TSR_NUM_MAX_LANES, true},
        {"tile.tvp.vregs", t->tvp.vregs, 32, 32, false},
        {"tile.tvp.aregs", t->tvp.aregs, 16, 16, false},
        {"tile.tvp.routine_words", t->tvp.routine_words, 1, 1 << 16, false},
        {"tile.tdma.channels", t->tdma.channels, CHANNELS, CHANNELS, false},
        {"tile.tdma.max_request_bytes", t->tdma.max_request_bytes, 8, 1 << 15, true},
        {"tile.tdma.window_bytes", t->tdma.window_bytes, t->tdma.max_request_bytes, 1 << 24, false},
    };
    enum tsr_status st = check_bounds(b, sizeof b / sizeof *b, err);
    if (st)
        return st;
    if (t->line_bytes != 4 * t->tvp.lanes)
        REFUSE("tile.line_bytes: %u, 4 * tvp.lanes = %u is allowed", t->line_bytes,
               4 * t->tvp.lanes);
    if (4 * t->ttu.dim % t->tvp.lanes)
        REFUSE("tile.tvp.lanes: %u, a divisor of 4 * ttu.dim = %u is allowed", t->tvp.lanes,
               4 * t->ttu.dim);
    if (t->control_bytes % 8)
        REFUSE("tile.control_bytes: %u, a multiple of 8 is allowed", t->control_bytes);
    return TSR_OK;
}

static enum tsr_status check_hbm(const struct tsr_chip *c, struct tsr_error *err)
{
    enum tsr_status st = tsr_hbm_check(&c->hbm, err);
    if (st)
        return st;
    for (uint32_t i = 0; i < c->hbm.stacks; i++)
        if (c->hbm.stack_x[i] >= c->mesh.x || c->hbm.stack_y[i] >= c->mesh.y)
            REFUSE("hbm.stack_x: stack %u at (%u,%u), a mesh of %u x %u has no such cluster", i,
                   c->hbm.stack_x[i], c->hbm.stack_y[i], c->mesh.x, c->mesh.y);
    if (c->tile.tdma.max_request_bytes > c->hbm.segment_bytes)
        REFUSE("tile.tdma.max_request_bytes: %u, at most hbm.segment_bytes (%u) is allowed",
               c->tile.tdma.max_request_bytes, c->hbm.segment_bytes);
    return TSR_OK;
}

enum tsr_status chip_check(const struct tsr_chip *c, struct tsr_error *err)
{
    const struct bound b[] = {
        {"clock_hz", c->clock_hz, 1, UINT64_MAX, false},
        {"launch_cycles", c->launch_cycles, 0, 1 << 20, false},
        {"tiles_per_cluster", c->tiles_per_cluster, 1, MAX_TILES, false},
        {"csram.bytes", c->csram.bytes, 8, (uint64_t)1 << 32, false},
        {"csram.latency_cycles", c->csram.latency_cycles, 1, 1 << 16, false},
    };
    enum tsr_status st = check_bounds(b, sizeof b / sizeof *b, err);
    if (st == TSR_OK)
        st = tsr_mesh_check(&c->mesh, err);
    if (st == TSR_OK && tsr_chip_tiles(c) > MAX_TILES)
        REFUSE("tiles_per_cluster: %u in each of %u clusters, at most %d tiles are allowed",
               c->tiles_per_cluster, tsr_chip_clusters(c), MAX_TILES);
    if (st == TSR_OK)
        st = check_tile(&c->tile, err);
    return st == TSR_OK ? check_hbm(c, err) : st;
}
