/* SPDX-License-Identifier: Apache-2.0 */
/* Loops of one instruction in as many independent chains as there are registers. Instructions above
 * the build's level are written as assembly and run where the processor has them. */
#include "bench/peak.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "tessera/cpu.h"

enum {
    CHAINS = 16,
    TRIES = 20,
    PEAKS = TSR_PEAK_BYTES + 1
};

typedef void loop_fn(uint64_t rounds, const void *l1);

/* A loop of CHAINS times `per_round` of work, and the features it takes; `scales`: per 128 bits of
 * an SVE vector. */
struct loop {
    enum tsr_bench_peak kind;
    uint32_t features;
    double work;
    int scales;
    loop_fn *run;
};

#if defined(__aarch64__)
/* `body` takes the register's number as \r. */
#define LOOP(name, extension, body)                                                                \
    static void name(uint64_t rounds, const void *l1)                                              \
    {                                                                                              \
        __asm__ volatile(extension "movi v30.4s, #0\n movi v31.4s, #0\n"                           \
                                   "1:\n .irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n" body     \
                                   "\n .endr\n subs %0, %0, #1\n b.ne 1b"                          \
                         : "+r"(rounds)                                                            \
                         : "r"(l1)                                                                 \
                         : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8",   \
                           "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v30", "v31");          \
    }
#define SVE ".arch armv8.2-a+sve+bf16+i8mm\n ptrue p0.b\n"
LOOP(fmla_neon, "", "fmla v\\r\\().4s, v30.4s, v31.4s")
LOOP(fmla_sve, SVE, "fmla z\\r\\().s, p0/m, z30.s, z31.s")
LOOP(bfmmla_sve, SVE, "bfmmla z\\r\\().s, z30.h, z31.h")
LOOP(mla_neon, "", "mla v\\r\\().16b, v30.16b, v31.16b")
LOOP(sdot_neon, ".arch armv8.2-a+dotprod\n", "sdot v\\r\\().4s, v30.16b, v31.16b")
LOOP(sdot_sve, SVE, "sdot z\\r\\().s, z30.b, z31.b")
LOOP(smmla_sve, SVE, "smmla z\\r\\().s, z30.b, z31.b")
LOOP(load_neon, "", "ldr q\\r, [%1]")
LOOP(load_sve, SVE, "ld1b { z\\r\\().b }, p0/z, [%1]")
static const struct loop loops[] = {
    {TSR_PEAK_F32, TSR_CPU_NEON, 4, 0, fmla_neon},
    {TSR_PEAK_F32, TSR_CPU_SVE, 4, 1, fmla_sve},
    {TSR_PEAK_BF16, TSR_CPU_NEON, 4, 0, fmla_neon},
    {TSR_PEAK_BF16, TSR_CPU_SVE, 4, 1, fmla_sve},
    {TSR_PEAK_BF16, TSR_CPU_SVE_BF16, 16, 1, bfmmla_sve},
    {TSR_PEAK_I8, TSR_CPU_NEON, 16, 0, mla_neon},
    {TSR_PEAK_I8, TSR_CPU_DOTPROD, 16, 0, sdot_neon},
    {TSR_PEAK_I8, TSR_CPU_SVE, 16, 1, sdot_sve},
    {TSR_PEAK_I8, TSR_CPU_SVE_I8MM, 32, 1, smmla_sve},
    /* A store besides every load. */
    {TSR_PEAK_BYTES, TSR_CPU_NEON, 32, 0, load_neon},
    {TSR_PEAK_BYTES, TSR_CPU_SVE, 32, 1, load_sve},
};
enum {
    LOOPS = sizeof loops / sizeof loops[0]
};
#elif defined(__x86_64__)
/* The build's level is SSE2: products and sums apart. */
#define LOOP(name, body)                                                                           \
    static void name(uint64_t rounds, const void *l1)                                              \
    {                                                                                              \
        __asm__ volatile("pxor %%xmm14, %%xmm14\n pxor %%xmm15, %%xmm15\n"                         \
                         "1:\n .irp r, 0,1,2,3,4,5,6,7,0,1,2,3,4,5,6,7\n" body                     \
                         "\n .endr\n dec %0\n jnz 1b"                                              \
                         : "+r"(rounds)                                                            \
                         : "r"(l1)                                                                 \
                         : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", \
                           "xmm7", "xmm14", "xmm15");                                              \
    }
LOOP(mul_f32, "movaps %%xmm14, %%xmm\\r\n mulps %%xmm15, %%xmm\\r")
LOOP(mul_i16, "movdqa %%xmm14, %%xmm\\r\n pmaddwd %%xmm15, %%xmm\\r")
LOOP(load, "movups (%1), %%xmm\\r")
static const struct loop loops[] = {
    {TSR_PEAK_F32, 0, 4, 0, mul_f32},
    {TSR_PEAK_BF16, 0, 4, 0, mul_f32},
    {TSR_PEAK_I8, 0, 8, 0, mul_i16},
    {TSR_PEAK_BYTES, 0, 32, 0, load}, /* a store besides every load */
};
enum {
    LOOPS = sizeof loops / sizeof loops[0]
};
#else
static const struct loop *const loops = NULL;
enum {
    LOOPS = 0
};
#endif

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Work a second of the loop's best try, each of about a millisecond. */
static double rate(const struct loop *l)
{
    static const unsigned char l1[256];
    const double vectors = l->scales ? tsr_cpu_vector_bits() / 128.0 : 1;
    const uint64_t rounds = 100000;
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        const double start = seconds();
        l->run(rounds, l1);
        const double took = seconds() - start;
        const double r = (double)rounds * CHAINS * l->work * vectors / took;
        best = took > 0 && r > best ? r : best;
    }
    return best;
}

double tsr_bench_peak(enum tsr_bench_peak kind)
{
    static double best[PEAKS];
    for (int i = 0; i < LOOPS; i++)
        if (loops[i].kind == kind && (loops[i].features & ~tsr_cpu_features()) == 0) {
            const double r = rate(&loops[i]);
            best[kind] = r > best[kind] ? r : best[kind];
        }
    return LOOPS > 0 ? best[kind] : (double)INFINITY;
}
