/* SPDX-License-Identifier: Apache-2.0 */
/* From a model to a number: plan, run and compose one phase of a model on one chip.
 *
 * A step is one program: an operation of the graph, or a part of one, or several that a kernel
 * fuses. Every distinct step is simulated once, in timing mode, with all tiles contending; the
 * phase's time is the sum over the steps of cycles x repeat, each with its own launch and without
 * overlap. */
#ifndef SIM_PROJECT_PROJECT_H
#define SIM_PROJECT_PROJECT_H

#include <jansson.h>

#include "tessera/isa.h"
#include "tessera/model.h"
#include "tessera/sim.h"

enum {
    PROJECT_MAX_STEPS = 160,
    PROJECT_TOP = 5,
    PROJECT_MAX_THREADS = 256
};

struct project_options {
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;
    enum tsr_phase phase;
    uint64_t batch, seq;                                 /* as struct tsr_graph_options */
    const struct tsr_format *weights, *activations, *kv; /* none null */
    uint64_t
        positions;    /* as there; 0 but for runs with values: one sequence that grows */
    uint64_t block;   /* as there: prefill of a sequence that grows, block by block */
    bool all_logits;  /* as there */
    bool every_layer; /* each layer's program runs, not one for all: what composing layers costs */
    uint64_t seed;    /* of the routing of tokens to experts */
    uint32_t threads; /* host threads at most; the result does not depend on it */
    double price_per_hour; /* of the chip; 0: no cost is stated */
};

/* One step with what its run showed. */
struct project_step_result {
    char name[48];         /* "qkv", "ffn_act" */
    const char *kernel;    /* "matmul" */
    char shape[96];        /* "m 2048 n 12288 k 4096" */
    uint32_t repeat;       /* instances in the phase */
    int32_t same_as;       /* the step whose run stands for this one (same shape); -1: its own */
    uint64_t macs;         /* that the result of one instance needs */
    double macs_per_cycle; /* of the chip, at the width of the step's operands; 0: no tensor work */
    struct tsr_stats stats; /* of one instance, the first */
    uint64_t all_cycles;    /* of all instances, where every layer ran; else 0 */
};

/* Estimate in joules over the phase; constants and sources in energy.c, all assumed. */
struct project_energy {
    double mac, tsram, csram, mesh, hbm, total;
};

struct project_result {
    struct project_options options;  /* borrowed pointers: must outlive the result */
    const struct tsr_format *stored; /* weights as they lie in HBM: repacked where need be */
    char model[64], chip[32];
    struct tsr_fit fit;
    struct tsr_params params;
    uint32_t n_steps;
    struct project_step_result step[PROJECT_MAX_STEPS];
    uint32_t top[PROJECT_TOP], n_top; /* steps that cost most, the costliest first */
    uint64_t cycles, macs, hbm_bytes; /* of the phase */
    uint32_t simulated;               /* programs run */
    uint64_t launches;
    double latency_s, tokens_per_s, ttu_utilisation, ttu_busy, hbm_utilisation;
    struct project_energy energy;
    double joules_per_token, cost_per_million_tokens; /* the latter 0 without a price */
    char composed[16][200];
    uint32_t n_composed;
    char assumption[24][200];
    uint32_t n_assumptions;
};

/* Plans, simulates and composes. Errors: as tsr_model_fit (a model that does not fit:
 * TSR_BAD_INPUT, with sizes); TSR_BAD_INPUT an operation that no kernel serves on this chip or in
 * these formats; TSR_FAULT a program that stopped; TSR_INTERNAL out of memory. *out untouched on
 * failure. Ownership: free() the result. Threads: any number of calls at once. Deterministic: the
 * same result on any number of threads. */
enum tsr_status project_run(const struct tsr_model *model, const struct project_options *options,
                            struct project_result **out, struct tsr_error *err);

/* Whether the model's cache may be kept in the format; null: that of any model. */
bool project_takes_cache(const struct tsr_model *m, const struct tsr_format *f);

/* The result as a JSON object (schema 1), without the host's times; null: out of memory. */
json_t *project_json(const struct project_result *r);

/* Peak multiply-accumulates per cycle of the chip for operands of a width class; 0: none. */
double project_peak(const struct tsr_chip *chip, const struct tsr_format *a,
                    const struct tsr_format *b);
/* Bytes a second of all HBM pins. */
double project_hbm_rate(const struct tsr_chip *chip);

/* Cycles of all instances of a step. */
uint64_t project_step_cycles(const struct project_step_result *s);
/* The command line that repeats the result (overlays left out). */
void project_command(const struct project_result *r, char *out, size_t cap);
/* What the step waits for most: the longest reason, but for having nothing to do, of the TTU if it
 * has work queued half of the time; else of the unit among TTU, TVP and DMA that has most often. */
enum tsr_wait project_step_wait(const struct project_step_result *s, enum tsr_queue *unit,
                                double *share);

#endif
