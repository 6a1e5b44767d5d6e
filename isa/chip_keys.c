/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a chip file with their bounds, and the rules among them. */
#include "isa/chip.h"

#include <inttypes.h>

#include "isa/num/num.h"

#define KEY(type, field, lo, hi) \
    {#field, offsetof(struct type, field), sizeof((struct type *)0)->field, lo, hi, 0, 0, false}
#define LIST(type, field, n, hi, len, given) \
    {#field, offsetof(struct type, field), sizeof *((struct type *)0)->field, 0, hi, n, \
     offsetof(struct type, len), given}
#define END {NULL, 0, 0, 0, 0, 0, 0, false}

enum { KIB = 1 << 10, MIB = 1 << 20, CYCLES = 1 << 16 };
#define GIB (INT64_C(1) << 30)

static const struct tsr_chip_key chip_keys[] = {
    KEY(tsr_chip, clock_hz, 1000000, 10000000000),
    KEY(tsr_chip, tiles_per_cluster, 1, TSR_MAX_TILES),
    KEY(tsr_chip, launch_cycles, 0, 1 << 20),
    END,
};
static const struct tsr_chip_key tile_keys[] = {
    KEY(tsr_tile_config, tsram_bytes, 4 * KIB, GIB),
    KEY(tsr_tile_config, line_bytes, 4, 4 * TSR_NUM_MAX_LANES),
    KEY(tsr_tile_config, port_bytes, 1, 4096),
    /* Labels of tile.yaml have 16 bits. */
    KEY(tsr_tile_config, program_words, 16, 65536),
    KEY(tsr_tile_config, control_bytes, 64, 64 * KIB),
    KEY(tsr_tile_config, queue_depth, 1, 16),
    KEY(tsr_tile_config, semaphores, 1, 64),
    KEY(tsr_tile_config, semaphore_max, 1, 65535),
    END,
};
static const struct tsr_chip_key ttu_keys[] = {
    KEY(tsr_ttu_config, dim, 1, 64),
    KEY(tsr_ttu_config, r16, 1, 64),
    KEY(tsr_ttu_config, r9, 1, 64),
    KEY(tsr_ttu_config, r6, 1, 64),
    KEY(tsr_ttu_config, acc_banks, 1, 16),
    KEY(tsr_ttu_config, acc_latency_cycles, 1, 64),
    KEY(tsr_ttu_config, pipe_cycles, 1, 64),
    END,
};
/* Register counts are those of the encoding. */
static const struct tsr_chip_key tvp_keys[] = {
    KEY(tsr_tvp_config, lanes, 1, TSR_NUM_MAX_LANES),
    KEY(tsr_tvp_config, vregs, 32, 32),
    KEY(tsr_tvp_config, aregs, 16, 16),
    KEY(tsr_tvp_config, routine_words, 16, 65536),
    END,
};
static const struct tsr_chip_key tdma_keys[] = {
    KEY(tsr_tdma_config, channels, 4, 4),
    KEY(tsr_tdma_config, window_bytes, 64, 16 * MIB),
    KEY(tsr_tdma_config, max_request_bytes, 32, 64 * KIB),
    END,
};
/* The cluster's field of an address has eight bits. */
static const struct tsr_chip_key mesh_keys[] = {
    KEY(tsr_mesh_config, x, 1, 256),
    KEY(tsr_mesh_config, y, 1, 256),
    KEY(tsr_mesh_config, link_bytes, 1, 65536),
    KEY(tsr_mesh_config, hop_cycles, 1, CYCLES),
    KEY(tsr_mesh_config, request_cycles, 0, CYCLES),
    KEY(tsr_mesh_config, request_hop_cycles, 0, CYCLES),
    END,
};
static const struct tsr_chip_key hbm_keys[] = {
    KEY(tsr_hbm_config, bytes, MIB, 1024 * GIB),
    KEY(tsr_hbm_config, stacks, 1, TSR_MAX_STACKS),
    KEY(tsr_hbm_config, channels, 1, 64),
    KEY(tsr_hbm_config, channel_bits, 8, 1024),
    LIST(tsr_hbm_config, stack_x, TSR_MAX_STACKS, 255, stacks, true),
    LIST(tsr_hbm_config, stack_y, TSR_MAX_STACKS, 255, stacks, true),
    KEY(tsr_hbm_config, clock_num, 1, 1024),
    KEY(tsr_hbm_config, clock_den, 1, 1024),
    KEY(tsr_hbm_config, segment_bytes, 32, 65536),
    KEY(tsr_hbm_config, burst_clocks, 1, 16),
    KEY(tsr_hbm_config, bank_groups, 1, 64),
    KEY(tsr_hbm_config, banks_per_group, 1, 64),
    KEY(tsr_hbm_config, row_bytes, 32, 1 << 20),
    KEY(tsr_hbm_config, t_rcd, 1, CYCLES),
    KEY(tsr_hbm_config, t_rp, 1, CYCLES),
    KEY(tsr_hbm_config, t_ras, 1, CYCLES),
    KEY(tsr_hbm_config, t_rc, 1, CYCLES),
    KEY(tsr_hbm_config, t_rrd, 1, CYCLES),
    KEY(tsr_hbm_config, t_faw, 1, CYCLES),
    KEY(tsr_hbm_config, t_ccd_s, 1, CYCLES),
    KEY(tsr_hbm_config, t_ccd_l, 1, CYCLES),
    KEY(tsr_hbm_config, t_rtp, 1, CYCLES),
    KEY(tsr_hbm_config, t_wr, 1, CYCLES),
    KEY(tsr_hbm_config, t_wtr, 1, CYCLES),
    KEY(tsr_hbm_config, t_rtw, 1, CYCLES),
    KEY(tsr_hbm_config, t_cl, 1, CYCLES),
    KEY(tsr_hbm_config, t_cwl, 1, CYCLES),
    KEY(tsr_hbm_config, t_refi, 0, CYCLES),
    KEY(tsr_hbm_config, t_rfc_pb, 0, CYCLES),
    KEY(tsr_hbm_config, write_drain, 1, CYCLES),
    KEY(tsr_hbm_config, lookahead, 1, CYCLES),
    KEY(tsr_hbm_config, controller_cycles, 1, CYCLES),
    LIST(tsr_hbm_config, channel_mask, TSR_MAX_MASKS, INT64_MAX, channel_masks, false),
    LIST(tsr_hbm_config, bank_mask, TSR_MAX_MASKS, INT64_MAX, bank_masks, false),
    END,
};
/* The offset's field of a CSRAM address has 32 bits. */
static const struct tsr_chip_key csram_keys[] = {
    KEY(tsr_csram_config, bytes, KIB, 4 * GIB),
    KEY(tsr_csram_config, latency_cycles, 1, CYCLES),
    END,
};

const struct tsr_chip_section tsr_chip_sections[] = {
    {"", 0, chip_keys, {"name", "tile", "mesh", "hbm", "csram", "assumed", NULL}},
    {"tile", offsetof(struct tsr_chip, tile), tile_keys, {"ttu", "tvp", "tdma", NULL}},
    {"tile.ttu", offsetof(struct tsr_chip, tile.ttu), ttu_keys, {NULL}},
    {"tile.tvp", offsetof(struct tsr_chip, tile.tvp), tvp_keys, {NULL}},
    {"tile.tdma", offsetof(struct tsr_chip, tile.tdma), tdma_keys, {NULL}},
    {"mesh", offsetof(struct tsr_chip, mesh), mesh_keys, {NULL}},
    {"hbm", offsetof(struct tsr_chip, hbm), hbm_keys, {NULL}},
    {"csram", offsetof(struct tsr_chip, csram), csram_keys, {NULL}},
    {NULL, 0, NULL, {NULL}},
};

static bool is_power(uint64_t v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

/* Sets the error at the value of `path`. */
#define REFUSE(path, ...) return tsr_doc_bad(doc, tsr_chip_path(doc, path), path, err, __VA_ARGS__)

static enum tsr_status check_tile(const struct tsr_doc *doc, const struct tsr_tile_config *t,
                                  struct tsr_error *err)
{
    const struct tsr_ttu_config *ttu = &t->ttu;
    if (!is_power(ttu->dim))
        REFUSE("tile.ttu.dim", "%u, a power of two is wanted", ttu->dim);
    if (!is_power(ttu->acc_banks))
        REFUSE("tile.ttu.acc_banks", "%u, a power of two is wanted", ttu->acc_banks);
    if (ttu->r9 < ttu->r16)
        REFUSE("tile.ttu.r9", "%u, at least r16 (%u) is wanted", ttu->r9, ttu->r16);
    if (ttu->r6 < ttu->r9)
        REFUSE("tile.ttu.r6", "%u, at least r9 (%u) is wanted", ttu->r6, ttu->r9);
    if (!is_power(t->tvp.lanes) || 4 * ttu->dim % t->tvp.lanes != 0)
        REFUSE("tile.tvp.lanes", "%u, a power of two that divides 4 * ttu.dim = %u is wanted",
               t->tvp.lanes, 4 * ttu->dim);
    if (t->line_bytes != 4 * t->tvp.lanes)
        REFUSE("tile.line_bytes", "%u, 4 * tvp.lanes = %u is wanted", t->line_bytes,
               4 * t->tvp.lanes);
    if (t->tsram_bytes % (16 * t->line_bytes) != 0)
        REFUSE("tile.tsram_bytes", "%" PRIu64 ", a multiple of 16 lines (%u) is wanted",
               t->tsram_bytes, 16 * t->line_bytes);
    if (!is_power(t->port_bytes))
        REFUSE("tile.port_bytes", "%u, a power of two is wanted", t->port_bytes);
    if (t->control_bytes % 8 != 0)
        REFUSE("tile.control_bytes", "%u, a multiple of 8 is wanted", t->control_bytes);
    if (!is_power(t->tdma.max_request_bytes))
        REFUSE("tile.tdma.max_request_bytes", "%u, a power of two is wanted",
               t->tdma.max_request_bytes);
    if (t->tdma.window_bytes < t->tdma.max_request_bytes)
        REFUSE("tile.tdma.window_bytes", "%u, at least max_request_bytes (%u) is wanted",
               t->tdma.window_bytes, t->tdma.max_request_bytes);
    return TSR_OK;
}

static enum tsr_status check_places(const struct tsr_doc *doc, const struct tsr_chip *chip,
                                    struct tsr_error *err)
{
    const struct tsr_mesh_config *m = &chip->mesh;
    if ((uint64_t)m->x * m->y > 256)
        REFUSE("mesh.x", "%u x %u clusters, at most 256 are allowed", m->x, m->y);
    if ((uint64_t)m->x * m->y * chip->tiles_per_cluster > TSR_MAX_TILES)
        REFUSE("tiles_per_cluster", "%u in each of %u clusters, at most %d tiles are allowed",
               chip->tiles_per_cluster, m->x * m->y, TSR_MAX_TILES);
    for (uint32_t i = 0; i < chip->hbm.stacks; i++) {
        if (chip->hbm.stack_x[i] >= m->x)
            REFUSE("hbm.stack_x", "%u, the mesh has %u columns", chip->hbm.stack_x[i], m->x);
        if (chip->hbm.stack_y[i] >= m->y)
            REFUSE("hbm.stack_y", "%u, the mesh has %u rows", chip->hbm.stack_y[i], m->y);
    }
    return TSR_OK;
}

/* Rank over GF(2): full rank means that channel, bank and the bits left over determine the segment,
 * so that no two segments share a place. Gauss elimination on copies. */
static uint32_t rank(const uint64_t *a, uint32_t n_a, const uint64_t *b, uint32_t n_b)
{
    uint64_t row[2 * TSR_MAX_MASKS];
    uint32_t n = 0, r = 0;
    for (uint32_t i = 0; i < n_a; i++)
        row[n++] = a[i];
    for (uint32_t i = 0; i < n_b; i++)
        row[n++] = b[i];
    for (int bit = 63; bit >= 0; bit--) {
        uint32_t pivot = r;
        while (pivot < n && !(row[pivot] >> bit & 1))
            pivot++;
        if (pivot == n)
            continue;
        uint64_t v = row[pivot];
        row[pivot] = row[r];
        row[r++] = v;
        for (uint32_t i = r; i < n; i++)
            row[i] ^= row[i] >> bit & 1 ? v : 0;
    }
    return r;
}

static enum tsr_status check_masks(const struct tsr_doc *doc, const struct tsr_hbm_config *h,
                                   struct tsr_error *err)
{
    if (UINT64_C(1) << h->channel_masks != (uint64_t)h->stacks * h->channels)
        REFUSE("hbm.channel_mask", "%u masks for %u x %u pseudo-channels, one per bit of their "
               "number is wanted", h->channel_masks, h->stacks, h->channels);
    if (rank(h->channel_mask, h->channel_masks, h->bank_mask, h->bank_masks) !=
        h->channel_masks + h->bank_masks)
        REFUSE("hbm.bank_mask", "with channel_mask the masks are not independent: a mask is the "
               "exclusive or of others, or 0");
    return TSR_OK;
}

enum tsr_status tsr_chip_check(const struct tsr_doc *doc, const struct tsr_chip *chip,
                               struct tsr_error *err)
{
    enum tsr_status st = check_tile(doc, &chip->tile, err);
    if (st == TSR_OK)
        st = check_places(doc, chip, err);
    if (st == TSR_OK)
        st = check_masks(doc, &chip->hbm, err);
    return st;
}
