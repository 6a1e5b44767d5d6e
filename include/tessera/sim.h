/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated chip. */
#ifndef TESSERA_SIM_H
#define TESSERA_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/chip.h"
#include "tessera/isa.h"
#include "tessera/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Address spaces: bits 63..56 of an address (isa/MACHINE.md). */
#define TSR_SPACE_SHIFT 56
#define TSR_SPACE_TSRAM 0u
#define TSR_SPACE_CSRAM 1u
#define TSR_SPACE_HBM 2u
#define TSR_HBM(offset) (((uint64_t)TSR_SPACE_HBM << TSR_SPACE_SHIFT) + (uint64_t)(offset))
#define TSR_CSRAM(cluster, offset)                                                                 \
    (((uint64_t)TSR_SPACE_CSRAM << TSR_SPACE_SHIFT) + ((uint64_t)(cluster) << 32) +                \
     (uint64_t)(offset))

enum tsr_mode {
    TSR_MODE_FULL,       /* values and cycles */
    TSR_MODE_TIMING,     /* cycles; tensor data are not touched */
    TSR_MODE_FUNCTIONAL, /* values */
};

/* Why a unit did nothing in a cycle; WAIT_BUSY is the opposite. */
enum tsr_wait {
    TSR_WAIT_BUSY,
    TSR_WAIT_SEMAPHORE,
    TSR_WAIT_QUEUE_FULL,
    TSR_WAIT_OPERAND_PORT,
    TSR_WAIT_HBM,
    TSR_WAIT_MESH,
    TSR_WAIT_DRAINED,
    TSR_WAITS
};
extern const char *const tsr_wait_name[TSR_WAITS];
extern const char *const tsr_queue_name[TSR_QUEUES];

enum tsr_fault_kind {
    TSR_FAULT_NONE,
    TSR_FAULT_ADDRESS,
    TSR_FAULT_OPERAND_LINE,
    TSR_FAULT_SHAPE,
    TSR_FAULT_ACC_CONFLICT,
    TSR_FAULT_SEMAPHORE_OVERFLOW,
    TSR_FAULT_SEMAPHORE_CONSUMER,
    TSR_FAULT_ILLEGAL,
    TSR_FAULT_LOOP_DEPTH,
    TSR_FAULT_CONTROL_ADDRESS,
    TSR_FAULT_PROGRAM_END,
    TSR_FAULT_RACE,
    TSR_FAULT_DEADLOCK,
    TSR_FAULT_LIMIT,
    TSR_FAULT_KINDS
};
extern const char *const tsr_fault_name[TSR_FAULT_KINDS];

struct tsr_fault {
    enum tsr_fault_kind kind;
    uint64_t cycle;
    uint32_t tile;
    enum tsr_queue queue;
    uint32_t pc;     /* word of the TCP program (for routines: of the TVP stream) */
    char text[1024]; /* one line; of a deadlock, who waits for what */
};

/* Sums over tiles. For every queue the reasons add up to tiles * cycles. */
struct tsr_stats {
    uint64_t cycles; /* launch to the last effect */
    uint64_t unit[TSR_QUEUES][TSR_WAITS];
    uint64_t instructions[TSR_QUEUES];        /* vector instructions for TSR_Q_TVP */
    uint64_t macs;                            /* of the issued mma blocks, padding left out */
    uint64_t ttu_cycles;                      /* cycles a TTU computed */
    uint64_t hbm_read_bytes, hbm_write_bytes; /* at the pins, whole bursts */
    uint64_t mesh_bytes;                      /* bytes times links */
    uint64_t tile_in_bytes, tile_out_bytes, csram_bytes;
    uint64_t tsram_read_bytes, tsram_write_bytes;
    uint64_t hbm_row_hits, hbm_row_misses;
    uint64_t mesh_backlog_cycles; /* the longest wait of a packet for a link */
    uint64_t events;
};

/* A declared source of control data for timing-only runs: what `to_control` with this id yields.
 * `fill` writes n words for the call-th such instruction of a tile. */
struct tsr_control_source {
    uint8_t id;
    void (*fill)(void *self, uint32_t tile, uint32_t call, uint32_t *words, uint32_t n);
    void *self;
};

struct tsr_observer;
struct tsr_trace; /* what to_control read in a full or functional run */

struct tsr_run_options {
    enum tsr_mode mode;
    bool check_races;               /* shadow clocks; FULL only */
    uint64_t limit_cycles;          /* fault TSR_FAULT_LIMIT beyond; 0: 10^12 */
    const struct tsr_trace *replay; /* TIMING: control data of an earlier run */
    struct tsr_trace *record;       /* FULL, FUNCTIONAL: where to put control data; may be null */
    const struct tsr_control_source *sources;
    size_t n_sources;
    /* Called at each retired instruction of full and timing runs; may be null. */
    void (*retired)(void *self, uint32_t tile, enum tsr_queue q, uint32_t pc, uint64_t start,
                    uint64_t end);
    void *retired_self;
    const struct tsr_observer *observer; /* sim/core/observe.h: for lock-step; may be null */
};

struct tsr_sim;

/* A chip with empty memories. The chip and isa are borrowed until tsr_sim_destroy.
 * Errors: TSR_INTERNAL out of memory; TSR_BAD_INPUT an ISA row whose handler's operands are
 * missing. */
enum tsr_status tsr_sim_create(const struct tsr_chip *chip, const struct tsr_isa *isa,
                               struct tsr_sim **out, struct tsr_error *err);
void tsr_sim_destroy(struct tsr_sim *sim);

/* Host access to HBM or CSRAM. Errors: TSR_BAD_INPUT outside the memory. */
enum tsr_status tsr_sim_write(struct tsr_sim *sim, uint64_t address, const void *data,
                              uint64_t bytes, struct tsr_error *err);
enum tsr_status tsr_sim_read(const struct tsr_sim *sim, uint64_t address, void *data,
                             uint64_t bytes, struct tsr_error *err);

/* Runs a program to its end from cycle 0. HBM and CSRAM keep their contents between runs, tiles
 * start anew. Errors: TSR_FAULT (fault says which; err has the one-line message), TSR_BAD_INPUT a
 * program that does not fit the chip. `fault` may be null. */
enum tsr_status tsr_sim_run(struct tsr_sim *sim, const struct tsr_program *program,
                            const struct tsr_run_options *options, struct tsr_stats *stats,
                            struct tsr_fault *fault, struct tsr_error *err);

struct tsr_trace *tsr_trace_new(void);
void tsr_trace_free(struct tsr_trace *t);

#ifdef __cplusplus
}
#endif
#endif
