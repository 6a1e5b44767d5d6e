/* SPDX-License-Identifier: Apache-2.0 */
/* Every NPU kernel with its inputs, its plain reference and its bound: what `tessera check` runs.
 *
 * A kernel is one file suite_<kernel>.c and one row of the table in kernels.c. Its run function
 * goes through its cases; a case is suite_begin, make and place inputs, emit the program,
 * suite_execute, read back, compare. suite_execute runs the program three times: FULL with the race
 * check, TIMING with the control data of the full run (same cycles and statistics), FUNCTIONAL
 * (same bytes), and looks at the bytes around and inside of every tensor that must not change. */
#ifndef SIM_SUITE_SUITE_H
#define SIM_SUITE_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/chip.h"
#include "tessera/isa.h"
#include "tessera/sim.h"
#include "tessera/status.h"

struct suite_shape {
    uint64_t m, n, k;
};

/* Of one case, given to the report function when the case is over. */
struct suite_result {
    const char *kernel, *label; /* "matmul", "bf16 3x5x7 bias" */
    const char *format;         /* of the case, may be null; with the shape it repeats it */
    struct suite_shape shape;
    const char *message; /* null: it holds; else the first thing that does not */
    bool fault;          /* the simulated machine stopped */
    bool refused; /* of `all` in a shape or format of the caller: the kernel does not take it;
                     the message says why, and the case counts nowhere */
    uint64_t programs, instructions, cycles, mismatches;
};

struct suite {
    /* Set by the caller of suite_run. */
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;
    const struct tsr_format *format; /* null: the kernel's own list */
    struct suite_shape shape; /* m = 0: the kernel's own; each kernel's doc says what m n k are */
    uint64_t seed;
    bool thorough; /* the kernel's long list of shapes, where it has one */
    void (*report)(void *self, const struct suite_result *r); /* may be null */
    void *report_self;
    /* Looks at the full runs; `ran` is called after each that ended well. Both may be null. */
    const struct tsr_observer *observer;
    void (*ran)(void *self, const struct tsr_program *p, const struct tsr_stats *stats);
    void *ran_self;
    /* Sums over all cases. */
    uint64_t cases, failed_cases, refused, programs, instructions, cycles, mismatches;
    /* The running case; sim/suite/suite.c alone touches it. */
    const char *kernel;
    struct suite_case *now;
};

struct suite_kernel {
    const char *name; /* as in `tessera check NAME` */
    const char *doc;  /* one line; says what --shape MxNxK means */
    /* Errors: what the kernel under test returns for what it cannot serve; TSR_FAULT ends this
     * kernel's cases only. A wrong value is no error: suite_compare counts it. */
    enum tsr_status (*run)(struct suite *s, struct tsr_error *err);
};

/* All kernels, ended by a row whose name is null. */
extern const struct suite_kernel suite_kernels[];

/* Runs the kernel of that name, or all for "all". Returns TSR_OK, TSR_MISMATCH when a case failed,
 * TSR_FAULT when one stopped with a fault (err has the first such message); TSR_USAGE no such
 * kernel (the message lists them); else what the kernel returned. */
enum tsr_status suite_run(struct suite *s, const char *name, struct tsr_error *err);

/* ---- for the kernels' files ----------------------------------------------------------------- */

/* The shapes to run: the user's one, or the kernel's own. Returns how many; *out is borrowed. */
size_t suite_shapes(struct suite *s, const struct suite_shape *own, size_t n_own,
                    const struct suite_shape **out);
/* Whether this format is to be run: the user named none, or this one. */
bool suite_wants(const struct suite *s, enum tsr_dtype format);
/* The row of a format by code. */
const struct tsr_format *suite_format(const struct suite *s, enum tsr_dtype format);

/* Starts a case with empty memories and the random state that seed, kernel and these arguments
 * give, so that a case repeats alone; ends the one before. `variant` ("bias", "" for none) is
 * copied. format may be null. Errors: as tsr_sim_create. */
enum tsr_status suite_begin(struct suite *s, const struct tsr_format *format, uint64_t m,
                            uint64_t n, uint64_t k, const char *variant, struct tsr_error *err);

/* Ends the case, if there is one, and reports it; suite_run does so after each kernel. */
void suite_end(struct suite *s);

/* Zeroed memory that lives until the case ends; null (and err set) when out of memory. */
void *suite_alloc(struct suite *s, size_t bytes, struct tsr_error *err);

uint64_t suite_random(struct suite *s);
uint64_t suite_random_below(struct suite *s, uint64_t n); /* uniform in [0, n), n > 0 */

enum suite_values {
    SUITE_UNIT,     /* uniform in [-1, 1) (integers: in their whole range) */
    SUITE_EXTREMES, /* the same mixed with zeros, ones, least subnormals, the largest values whose
                       products in the format cannot overflow an f32 sum; always finite */
    SUITE_SMALL,    /* multiples of 1/2 within +-2 (integers: -2..2): sums of products are exact */
};
/* n values of the format (already rounded to it, exactly representable). */
void suite_fill(struct suite *s, const struct tsr_format *f, enum suite_values kind, float *x,
                size_t n);

enum suite_use {
    SUITE_IN,    /* must be unchanged after each program */
    SUITE_OUT,   /* starts as noise */
    SUITE_INOUT, /* starts as given */
};
/* Puts n values in HBM, rounded to the format, dense, at a multiple of 1024 bytes with noise
 * before and behind it; *address gets the tensor's address. x may be null for SUITE_OUT. */
enum tsr_status suite_place(struct suite *s, enum suite_use use, const struct tsr_format *f,
                            const float *x, size_t n, uint64_t *address, struct tsr_error *err);
/* The same with the bytes as they are: index lists, int32, tensors with row strides. */
enum tsr_status suite_place_bytes(struct suite *s, enum suite_use use, const void *data,
                                  size_t bytes, uint64_t *address, struct tsr_error *err);

/* The three runs. Frees the program, also on failure. A disagreement of the runs, a touched guard
 * or input counts as a mismatch of the case. Several programs of one case see each other's results.
 * Errors: TSR_FAULT and what tsr_sim_run returns. */
enum tsr_status suite_execute(struct suite *s, struct tsr_program *program, struct tsr_error *err);
/* Of the last suite_execute (full run). */
const struct tsr_stats *suite_stats(const struct suite *s);

/* What the full run left at an address: n decoded values, or bytes. */
enum tsr_status suite_read(struct suite *s, const struct tsr_format *f, uint64_t address, float *x,
                           size_t n, struct tsr_error *err);
enum tsr_status suite_read_bytes(struct suite *s, uint64_t address, void *data, size_t bytes,
                                 struct tsr_error *err);

/* |got - want| <= bound for each element; bound null: equal (0 equals -0; NaN equals NaN;
 * infinities equal only themselves). The first miss goes into the case's message. True: all hold.
 */
bool suite_compare(struct suite *s, const char *what, const float *got, const float *want,
                   const double *bound, size_t n);
/* Equal bits: int32 results, indices. */
bool suite_compare_words(struct suite *s, const char *what, const uint32_t *got,
                         const uint32_t *want, size_t n);
/* Counts a mismatch that no comparison above can state. */
void suite_fail(struct suite *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Half the distance between neighbouring values of a float format at |x|: the error of rounding a
 * result of that size (f32: 24 bits, bf16: 8, f16: 11), subnormals included. */
double suite_half_ulp(const struct tsr_format *f, double x);

/* One per file suite_<kernel>.c. */
enum tsr_status suite_matmul(struct suite *s, struct tsr_error *err);
enum tsr_status suite_matmul_quantize(struct suite *s, struct tsr_error *err);
enum tsr_status suite_residual(struct suite *s, struct tsr_error *err);
enum tsr_status suite_quantize(struct suite *s, struct tsr_error *err);
enum tsr_status suite_quantize_fused(struct suite *s, struct tsr_error *err);
enum tsr_status suite_requantize(struct suite *s, struct tsr_error *err);
enum tsr_status suite_dequantize(struct suite *s, struct tsr_error *err);
enum tsr_status suite_cast(struct suite *s, struct tsr_error *err);
enum tsr_status suite_activation(struct suite *s, struct tsr_error *err);
enum tsr_status suite_moe_expert(struct suite *s, struct tsr_error *err);
enum tsr_status suite_moe_combine(struct suite *s, struct tsr_error *err);
enum tsr_status suite_moe_dispatch(struct suite *s, struct tsr_error *err);
enum tsr_status suite_moe_router(struct suite *s, struct tsr_error *err);
enum tsr_status suite_embedding(struct suite *s, struct tsr_error *err);
enum tsr_status suite_kv_append(struct suite *s, struct tsr_error *err);
enum tsr_status suite_rope(struct suite *s, struct tsr_error *err);
enum tsr_status suite_softmax(struct suite *s, struct tsr_error *err);
enum tsr_status suite_rmsnorm(struct suite *s, struct tsr_error *err);
enum tsr_status suite_attention(struct suite *s, struct tsr_error *err);
enum tsr_status suite_attention_backward(struct suite *s, struct tsr_error *err);
enum tsr_status suite_attention_features(struct suite *s, struct tsr_error *err); /* of it */

#endif
