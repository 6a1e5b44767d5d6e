/* SPDX-License-Identifier: Apache-2.0 */
/* A chip: isa/chips/NAME.yaml in memory. Every figure of the machine that is not an instruction. */
#ifndef TESSERA_CHIP_H
#define TESSERA_CHIP_H

#include <stdint.h>

#include "tessera/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TSR_MAX_STACKS = 16,
    TSR_MAX_TILES = 256,
    TSR_MAX_MASKS = 24
};

struct tsr_ttu_config {
    uint32_t dim;         /* D: the array is D x R x D */
    uint32_t r16, r9, r6; /* reduction lanes per step for 16-bit, 8/9-bit and <= 6-bit operands */
    uint32_t acc_banks;   /* accumulator banks of (4D x 4D) 32-bit values */
    uint32_t acc_latency_cycles; /* least distance of two steps on one accumulator tile */
    uint32_t pipe_cycles;        /* from the last step's issue to its result in the accumulators */
};

struct tsr_tvp_config {
    uint32_t lanes; /* 32-bit lanes */
    uint32_t vregs; /* vector registers */
    uint32_t aregs; /* address registers */
    uint32_t routine_words;
};

struct tsr_tdma_config {
    uint32_t channels;
    uint32_t window_bytes; /* requests in flight per tile, all channels */
    uint32_t max_request_bytes;
};

struct tsr_tile_config {
    uint64_t tsram_bytes;
    uint32_t line_bytes;                   /* width of a TSRAM bank = 4 * tvp.lanes; 16 banks */
    uint32_t port_bytes;                   /* per cycle between tile and cluster, each way */
    uint32_t program_words, control_bytes; /* TCP program memory (128-bit words), control memory */
    uint32_t queue_depth;                  /* instructions per unit queue */
    uint32_t semaphores, semaphore_max;
    struct tsr_ttu_config ttu;
    struct tsr_tvp_config tvp;
    struct tsr_tdma_config tdma;
};

struct tsr_mesh_config {
    uint32_t x, y;           /* clusters */
    uint32_t link_bytes;     /* per cycle and direction */
    uint32_t hop_cycles;     /* head latency of one router and link */
    uint32_t request_cycles; /* control plane: fixed part of a request's way */
    uint32_t request_hop_cycles;
};

/* HBM timings in HBM clocks (two beats each). See sim/mem/README.md for the policy. */
struct tsr_hbm_config {
    uint64_t bytes;
    uint32_t stacks, channels; /* channels per stack (pseudo-channels) */
    uint32_t channel_bits;     /* data pins of one pseudo-channel */
    uint32_t stack_x[TSR_MAX_STACKS], stack_y[TSR_MAX_STACKS]; /* cluster where each attaches */
    uint32_t clock_num, clock_den; /* HBM clocks per chip cycle = num / den, e.g. 5 / 4 */
    uint32_t segment_bytes, burst_clocks;
    uint32_t bank_groups, banks_per_group, row_bytes;
    uint32_t t_rcd, t_rp, t_ras, t_rc, t_rrd, t_faw, t_ccd_s, t_ccd_l, t_rtp, t_wr, t_wtr, t_rtw;
    uint32_t t_cl, t_cwl; /* read and write latency */
    uint32_t t_refi,
        t_rfc_pb; /* per-bank refresh: one bank pair every t_refi (0: none), busy t_rfc_pb */
    uint32_t write_drain;       /* queued write segments that start a drain */
    uint32_t lookahead;         /* queued reads the scheduler may choose from */
    uint32_t controller_cycles; /* fixed latency of controller and PHY, chip cycles, both ways */
    uint32_t channel_masks;     /* used rows of channel_mask */
    uint64_t channel_mask[TSR_MAX_MASKS]; /* bit i of the channel = parity(segment & mask[i]) */
    uint32_t bank_masks;
    uint64_t bank_mask[TSR_MAX_MASKS];
};

struct tsr_csram_config {
    uint64_t bytes; /* per cluster */
    uint32_t latency_cycles;
};

struct tsr_chip {
    char name[32];
    char file[256]; /* where it came from, for messages */
    uint64_t clock_hz;
    uint32_t tiles_per_cluster;
    uint32_t launch_cycles; /* from the host's doorbell to the first TCP instruction */
    struct tsr_tile_config tile;
    struct tsr_mesh_config mesh;
    struct tsr_hbm_config hbm;
    struct tsr_csram_config csram;
    char assumed[24][64]; /* keys whose values no public source states */
    uint32_t n_assumed;
};

static inline uint32_t tsr_chip_clusters(const struct tsr_chip *c)
{
    return c->mesh.x * c->mesh.y;
}

static inline uint32_t tsr_chip_tiles(const struct tsr_chip *c)
{
    return tsr_chip_clusters(c) * c->tiles_per_cluster;
}

/* Loads a chip by built-in name ("maia100") or path of a file that ends in .yaml.
 * Errors: TSR_USAGE unknown name (the message lists the names), TSR_BAD_INPUT malformed file. */
enum tsr_status tsr_chip_load(const char *name_or_file, struct tsr_chip *out,
                              struct tsr_error *err);

/* Names of the built-in chips, ended by a null pointer. */
const char *const *tsr_chip_names(void);

#ifdef __cplusplus
}
#endif
#endif
