/* SPDX-License-Identifier: Apache-2.0 */
/* A chip on the bench: assemble a text, run it, and ask what happened when. */
#ifndef TESTS_SUPPORT_SIM_RIG_H
#define TESTS_SUPPORT_SIM_RIG_H

#include "tessera/sim.h"

struct sim_retired {
    uint32_t tile, pc;
    enum tsr_queue q;
    uint64_t start, end;
};

struct sim_rig {
    struct tsr_isa *isa;
    struct tsr_chip chip;
    struct tsr_sim *sim;
    struct tsr_program program;
    struct tsr_run_options opt; /* of the next run; `retired` is set by the rig */
    enum tsr_status status;     /* of the last run, with its figures */
    struct tsr_stats stats;
    struct tsr_fault fault;
    struct tsr_error err;
    struct sim_retired *log;
    size_t n_log, log_cap;
    bool loaded;
};

/* A chip by name, without a program; limit 10^6 cycles, shadow clocks on. */
void sim_open(struct sim_rig *r, const char *chip);
void sim_close(struct sim_rig *r);
/* Empties HBM and CSRAM, and follows changes of r->chip. */
void sim_fresh(struct sim_rig *r);
/* Assembles; an error fails the test. */
void sim_load(struct sim_rig *r, const char *text);
/* The same with printf's arguments. */
void sim_loadf(struct sim_rig *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Runs the loaded program. Demands that every unit's reasons add up to tiles x cycles. */
enum tsr_status sim_run(struct sim_rig *r, enum tsr_mode mode);
/* Load and run in full mode; a fault fails the test. */
void sim_do(struct sim_rig *r, const char *text);
/* Load and run in full mode, which must end in this fault; a negative place or cycle is free. */
void sim_want_fault(struct sim_rig *r, const char *text, enum tsr_fault_kind kind, int tile,
                    enum tsr_queue q, int pc, int64_t cycle);

/* The n-th instruction (from 0) that retired from a queue of a tile; fails where there is none. */
const struct sim_retired *sim_nth(const struct sim_rig *r, uint32_t tile, enum tsr_queue q,
                                  size_t n);
/* The first that retired from word pc of the TCP program in a queue other than the TCP's, and the
 * first of the TCP itself. */
const struct sim_retired *sim_unit(const struct sim_rig *r, uint32_t tile, uint32_t pc);
const struct sim_retired *sim_tcp(const struct sim_rig *r, uint32_t tile, uint32_t pc);

void sim_put(struct sim_rig *r, uint64_t address, const void *data, uint64_t bytes);
void sim_get(const struct sim_rig *r, uint64_t address, void *data, uint64_t bytes);

/* The rule of the TSRAM ports, stated anew: the first cycle >= t in which `requester` owns the bank
 * of `line`, found by trying. */
uint64_t sim_grant(uint64_t t, unsigned requester, uint64_t line);
enum {
    SIM_TTU_A,
    SIM_TTU_B,
    SIM_READ0,
    SIM_READ1,
    SIM_WRITE,
    SIM_DMA_READ,
    SIM_DMA_WRITE,
    SIM_ACC
};

/* A port with its kept line, line by line. */
struct sim_port {
    unsigned requester;
    bool kept;
    uint64_t line, next;
};
/* The cycle in which the line is granted (or was, if it is the one just touched). */
uint64_t sim_read(struct sim_port *p, uint64_t t, uint64_t line);
/* The cycle in which the port takes data for the line. */
uint64_t sim_write(struct sim_port *p, uint64_t t, uint64_t line);
/* Writes what is kept; the cycle after that grant. */
uint64_t sim_flush(struct sim_port *p, uint64_t t);

#endif
