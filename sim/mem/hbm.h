/* SPDX-License-Identifier: Apache-2.0 */
/* HBM: channels, bank pairs, rows, refresh and a scheduler, one event per request.
 * Policy, formulas and figures: sim/mem/README.md. The slow oracle: tests/support/hbm_oracle.h.
 *
 * Units: a "cycle" is a chip cycle, a "clock" an HBM clock (clock_num / clock_den per cycle).
 * Use: for each request that reaches its channel's controller call tsr_hbm_arrive and, if it names
 * a cycle, put a decision event there; at a decision event call tsr_hbm_next once and put the next
 * decision event where it says. All arrivals of a cycle come before the decisions of that cycle;
 * arrivals of one cycle on one channel come in an order that the caller fixes. Channels are
 * independent of each other. The same calls give the same answers on any host. */
#ifndef TESSERA_SIM_MEM_HBM_H
#define TESSERA_SIM_MEM_HBM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/chip.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TSR_HBM_NEVER UINT64_MAX

/* Bounds of the policy that no chip file states. */
enum {
    TSR_HBM_PATIENCE = 32,       /* times the oldest waiting read (or write) may be passed over */
    TSR_HBM_WRITE_PATIENCE = 64, /* reads served while a write waits, before a drain starts */
    TSR_HBM_OPEN_CLOCKS = 128,   /* an unused row is closed this long after its last column */
};

/* Where an address lies. `channel` counts over all stacks (stack = channel / config.channels);
 * `pair` is the bank pair: its two banks, in different bank groups, hold the even and the odd
 * bursts of a segment; `row` and `column` (the segment within the row) are compact numbers. */
struct tsr_hbm_place {
    uint32_t channel, pair, row, column;
};

/* Proves a configuration usable: sizes powers of two that fit together, the masks' rows one for
 * each channel and bank-pair bit and together of full rank over GF(2) (then address -> place is
 * one to one), timings consistent with the formulas of hbm.c (each message names the key).
 * Errors: TSR_BAD_INPUT with one message "hbm.KEY: what, what is allowed". */
enum tsr_status tsr_hbm_check(const struct tsr_hbm_config *config, struct tsr_error *err);

/* The place of byte `address` (< config->bytes). Slow and free of state, for planners and tests;
 * the configuration must have passed tsr_hbm_check. */
struct tsr_hbm_place tsr_hbm_map(const struct tsr_hbm_config *config, uint64_t address);

/* The address mapping as tables, made once from a configuration that passed tsr_hbm_check. */
struct tsr_hbm_tables {
    uint16_t hash[5][256]; /* per byte of the segment number: channel << pair_bits | pair */
    uint64_t row_mask;     /* segment bits that make up the row */
    uint8_t segment_shift, pair_bits;
};

void tsr_hbm_tables_init(struct tsr_hbm_tables *tables, const struct tsr_hbm_config *config);

/* channel << pair_bits | pair of a segment number (address >> segment_shift). */
static inline uint32_t tsr_hbm_hash(const struct tsr_hbm_tables *t, uint64_t segment)
{
    return t->hash[0][segment & 255] ^ t->hash[1][segment >> 8 & 255] ^
           t->hash[2][segment >> 16 & 255] ^ t->hash[3][segment >> 24 & 255] ^
           t->hash[4][segment >> 32 & 255];
}

/* Channel of byte `address`, counted over all stacks. */
static inline uint32_t tsr_hbm_channel(const struct tsr_hbm_tables *t, uint64_t address)
{
    return tsr_hbm_hash(t, address >> t->segment_shift) >> t->pair_bits;
}

struct tsr_hbm_request {
    uint64_t address; /* byte address in the HBM */
    uint32_t bytes;   /* 1 .. segment_bytes, within one aligned segment; whole bursts are moved */
    uint32_t id;      /* the caller's, returned untouched */
    bool write;
};

/* A request that has been scheduled: everything about it is settled. */
struct tsr_hbm_done {
    uint64_t cycle; /* read: its last byte has left the controller; write: it is acknowledged.
                     * ceil(end of its last beat in cycles) + controller_cycles */
    uint32_t id, bytes;
    bool write;
};

struct tsr_hbm_stats {
    uint64_t reads, writes, read_bytes, write_bytes; /* requests and bytes asked for */
    uint64_t busy_clocks;     /* clocks in which data pins move bursts */
    uint64_t row_hits, row_misses, row_conflicts; /* per bank touched: row open; none; another */
    uint64_t refresh_stalls;  /* requests that had to let a refresh pass */
    uint64_t turnarounds;     /* changes from reads to writes or back */
    uint32_t queue_max;       /* most requests waiting at once */
    uint64_t last_clock;      /* end of the last beat scheduled */
};

struct tsr_hbm;

/* Bytes of memory for a model that holds up to `capacity` waiting requests over all channels. */
size_t tsr_hbm_bytes(const struct tsr_hbm_config *config, uint32_t capacity);

/* Makes a model in `memory` (tsr_hbm_bytes of it, aligned to 64 bytes, the caller's); nothing else
 * is allocated, now or later. `config` must have passed tsr_hbm_check; it is copied. */
struct tsr_hbm *tsr_hbm_init(void *memory, const struct tsr_hbm_config *config, uint32_t capacity);

/* The model's own mapping tables. */
const struct tsr_hbm_tables *tsr_hbm_tables(const struct tsr_hbm *hbm);

/* A request reaches the controller of `channel` (= tsr_hbm_channel of its address) in `cycle`.
 * Cycles must not fall per channel, nor lie before a decision already made there.
 * Returns the cycle (>= `cycle`) at which tsr_hbm_next must be called for the channel, or
 * TSR_HBM_NEVER when such a call is already due.
 * The caller keeps within `capacity`, the segment, and config.bytes (asserted). */
uint64_t tsr_hbm_arrive(struct tsr_hbm *hbm, uint32_t channel, uint64_t cycle,
                        const struct tsr_hbm_request *request);

/* Decision of `channel` at `cycle`, which arrive or next had named. Chooses one waiting request,
 * fills `done` and returns the cycle (> `cycle`) of the next decision, or TSR_HBM_NEVER when no
 * request waits any more. done->cycle > `cycle`. */
uint64_t tsr_hbm_next(struct tsr_hbm *hbm, uint32_t channel, uint64_t cycle,
                      struct tsr_hbm_done *done);

/* Requests that wait, unscheduled, on a channel. */
uint32_t tsr_hbm_waiting(const struct tsr_hbm *hbm, uint32_t channel);

/* Counters of one channel, and of all (sums; queue_max and last_clock: the largest). */
struct tsr_hbm_stats tsr_hbm_channel_stats(const struct tsr_hbm *hbm, uint32_t channel);
struct tsr_hbm_stats tsr_hbm_stats(const struct tsr_hbm *hbm);

#ifdef __cplusplus
}
#endif
#endif
