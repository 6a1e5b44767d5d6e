/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator: what a chip reaches (cycles and utilisations, simulated) and what the simulation
 * of it costs on this host (time, events a second). The operations are those the spine is judged
 * by. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/shim.h"
#include "kernels/npu/npu.h"
#include "tessera/sim.h"

struct gemm {
    const char *chip;
    uint64_t m, n, k;
    enum tsr_dtype format, out;
    enum tsr_mode mode;
};

static const struct gemm gemms[] = {
    {"maia100", 4096, 4096, 4096, TSR_BF16, TSR_BF16, TSR_MODE_TIMING},
    {"maia100", 4096, 4096, 4096, TSR_I8, TSR_I32, TSR_MODE_TIMING},
    {"maia100", 2048, 22016, 4096, TSR_BF16, TSR_BF16, TSR_MODE_TIMING},
    {"maia100", 512, 4096, 4096, TSR_BF16, TSR_BF16, TSR_MODE_TIMING},
    {"maia100", 1, 8192, 8192, TSR_BF16, TSR_BF16, TSR_MODE_TIMING},
    {"maia100", 1, 8192, 8192, TSR_I8, TSR_I32, TSR_MODE_TIMING},
    {"maia100", 16, 4096, 4096, TSR_BF16, TSR_BF16, TSR_MODE_TIMING},
    {"maia100", 512, 512, 1024, TSR_BF16, TSR_F32, TSR_MODE_FUNCTIONAL},
    {"maia100", 512, 512, 1024, TSR_I8, TSR_I32, TSR_MODE_FUNCTIONAL},
    {"micro", 64, 64, 256, TSR_BF16, TSR_F32, TSR_MODE_FULL},
};
enum {
    GEMMS = sizeof gemms / sizeof gemms[0]
};

static void must(enum tsr_status st, const struct tsr_error *err)
{
    if (st) {
        fprintf(stderr, "%s\n", err->message);
        abort();
    }
}

static void figures(struct tsr_bench *b, const struct gemm *g, const struct tsr_chip *chip,
                    const struct tsr_stats *s)
{
    const struct tsr_ttu_config *t = &chip->tile.ttu;
    double macs = (double)g->m * (double)g->n * (double)g->k;
    tsr_bench_rate(b, "MAC/s", macs);
    if (g->mode == TSR_MODE_FUNCTIONAL)
        return;
    double lanes = g->format == TSR_I8 ? t->r9 : t->r16;
    double peak = (double)tsr_chip_tiles(chip) * t->dim * t->dim * lanes;
    double pins = (double)chip->hbm.stacks * chip->hbm.channels * chip->hbm.channel_bits / 4 *
                  chip->hbm.clock_num / chip->hbm.clock_den;
    double cycles = (double)s->cycles;
    tsr_bench_rate(b, "events/s", (double)s->events);
    tsr_bench_value(b, "cycles", cycles);
    tsr_bench_value(b, "ttu_utilisation", macs / peak / cycles);
    tsr_bench_value(b, "hbm_utilisation",
                    (double)(s->hbm_read_bytes + s->hbm_write_bytes) / pins / cycles);
}

static void run(struct tsr_bench *b, const void *arg)
{
    const struct gemm *g = arg;
    struct tsr_error err = {0};
    struct tsr_isa *isa;
    struct tsr_chip chip;
    struct tsr_sim *sim;
    struct tsr_program program = {0};
    struct tsr_stats stats = {0};
    struct tsr_run_options options = {.mode = g->mode};
    struct tsr_npu_matmul op = {.m = g->m,
                                .n = g->n,
                                .k = g->k,
                                .a_format = g->format,
                                .b_format = g->format,
                                .c_format = g->out,
                                .a = TSR_HBM(0)};
    op.b = op.a + ((g->m * g->k * 2 + 1023) & ~(uint64_t)1023);
    op.c = op.b + ((g->n * g->k * 2 + 1023) & ~(uint64_t)1023);
    must(tsr_isa_load(NULL, 0, &isa, &err), &err);
    must(tsr_chip_load(g->chip, &chip, &err), &err);
    must(tsr_sim_create(&chip, isa, &sim, &err), &err);
    must(tsr_npu_matmul(isa, &chip, &op, &program, &err), &err);
    if (g->mode != TSR_MODE_TIMING) {
        uint8_t *noise = malloc(g->n * g->k * 2 + g->m * g->k * 2 + 2048);
        uint32_t x = 1;
        for (uint64_t i = 0; noise && i < op.c - op.a; i++, x = x * 1664525 + 1013904223)
            noise[i] = (i & 1) && g->format == TSR_BF16 ? 0x3F : (uint8_t)(x >> 24);
        must(tsr_sim_write(sim, op.a, noise, op.c - op.a, &err), &err);
        free(noise);
    }
    while (tsr_bench_next(b))
        must(tsr_sim_run(sim, &program, &options, &stats, NULL, &err), &err);
    figures(b, g, &chip, &stats);
    tsr_program_free(&program);
    tsr_sim_destroy(sim);
    tsr_isa_free(isa);
}

void tsr_bench_register(void)
{
    static const char *const modes[] = {"full", "timing", "functional"};
    for (int i = 0; i < GEMMS; i++) {
        const struct gemm *g = &gemms[i];
        char name[96];
        snprintf(name, sizeof name, "matmul/%s/npu-%s-%s/%llux%llux%llu",
                 g->format == TSR_I8 ? "i8" : "bf16", g->chip, modes[g->mode],
                 (unsigned long long)g->m, (unsigned long long)g->n, (unsigned long long)g->k);
        tsr_bench_add(name, run, g);
    }
}
