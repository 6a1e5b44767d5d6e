/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "kernels/npu/npu.h"
#include "kernels/npu/slab.h"
#include "sim/cli/cli.h"
#include "sim/cli/figures.h"
#include "tessera/sim.h"

enum {
    ALIGNMENT = 1024,
    MAX_THREADS = 1024
};
#define MAX_SIZE (UINT64_C(1) << 24)

struct bench {
    const struct tsr_isa *isa;
    struct tsr_chip chip;
    const struct tsr_format *a, *b, *wide; /* formats; the one that sets the rate */
    struct tsr_npu_matmul op;
    struct tsr_stats stats;
};

static enum tsr_status read_options(struct cli *c, struct bench *b, struct tsr_error *err)
{
    uint64_t threads;
    enum tsr_status st = cli_isa(c, &b->isa, err);
    if (st == TSR_OK)
        st = cli_chip(c, &b->chip, err);
    if (st == TSR_OK)
        st = cli_format(c, b->isa, "format", NULL, &b->a, err);
    if (st == TSR_OK)
        st = cli_format(c, b->isa, "b-format", b->a->name, &b->b, err);
    if (st == TSR_OK)
        st = cli_u64(c, "m", 1, MAX_SIZE, 0, &b->op.m, err);
    if (st == TSR_OK)
        st = cli_u64(c, "n", 1, MAX_SIZE, 0, &b->op.n, err);
    if (st == TSR_OK)
        st = cli_u64(c, "k", 1, MAX_SIZE, 0, &b->op.k, err);
    return st == TSR_OK ? cli_u64(c, "threads", 1, MAX_THREADS, 1, &threads, err) : st;
}

/* Takes room for `bytes` in HBM. */
static uint64_t place(uint64_t *at, uint64_t bytes)
{
    uint64_t address = TSR_HBM(*at);
    *at += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return address;
}

static enum tsr_status lay_out(struct bench *b, struct tsr_error *err)
{
    struct tsr_npu_matmul *op = &b->op;
    struct tsr_npu_slab x, y;
    uint64_t at = 0;
    op->a_format = (enum tsr_dtype)b->a->code;
    op->b_format = (enum tsr_dtype)b->b->code;
    op->c_format = b->a->family == TSR_FAMILY_INT ? TSR_I32 : TSR_BF16;
    b->wide = b->a->width_class > b->b->width_class ? b->a : b->b;
    enum tsr_status st =
        tsr_npu_slab_plan(b->isa, &b->chip, op->a_format, op->b_format, op->m, op->k, &x, err);
    if (st == TSR_OK)
        st = tsr_npu_slab_plan(b->isa, &b->chip, op->b_format, op->a_format, op->n, op->k, &y, err);
    if (st != TSR_OK)
        return st;
    op->a = place(&at, tsr_npu_slab_bytes(&x));
    op->b = place(&at, tsr_npu_slab_bytes(&y));
    op->c = place(&at, op->m * op->n * (b->isa->formats[op->c_format].bits / 8));
    if (at > b->chip.hbm.bytes)
        return tsr_error_set(err, TSR_BAD_INPUT, "A, B and C take %.2f GiB, the HBM of %s has %.2f",
                             (double)at / 0x1p30, b->chip.name, (double)b->chip.hbm.bytes / 0x1p30);
    return TSR_OK;
}

static enum tsr_status simulate(struct bench *b, struct tsr_error *err)
{
    struct tsr_program program = {0};
    struct tsr_sim *sim = NULL;
    struct tsr_run_options o = {.mode = TSR_MODE_TIMING};
    enum tsr_status st = tsr_npu_matmul(b->isa, &b->chip, &b->op, &program, err);
    if (st != TSR_OK)
        return st;
    st = tsr_sim_create(&b->chip, b->isa, &sim, err);
    if (st == TSR_OK)
        st = tsr_sim_run(sim, &program, &o, &b->stats, NULL, err);
    tsr_sim_destroy(sim);
    tsr_program_free(&program);
    return st;
}

static double macs(const struct bench *b)
{
    return (double)b->op.m * (double)b->op.n * (double)b->op.k;
}

static enum tsr_status print_json(const struct bench *b, struct tsr_error *err)
{
    json_t *o = json_object();
    json_object_set_new(o, "chip", json_string(b->chip.name));
    json_object_set_new(o, "format", json_string(b->a->name));
    json_object_set_new(o, "b_format", json_string(b->b->name));
    json_object_set_new(o, "m", json_integer((json_int_t)b->op.m));
    json_object_set_new(o, "n", json_integer((json_int_t)b->op.n));
    json_object_set_new(o, "k", json_integer((json_int_t)b->op.k));
    figures_add_matmul(o, &b->chip, b->wide, macs(b), &b->stats);
    json_object_set_new(o, "events", json_integer((json_int_t)b->stats.events));
    return cli_print_result(o, err);
}

static void print_text(const struct bench *b)
{
    const struct tsr_stats *st = &b->stats;
    double seconds = (double)st->cycles / (double)b->chip.clock_hz;
    printf("%s %s%s%s %" PRIu64 "x%" PRIu64 "x%" PRIu64 ": %" PRIu64
           " cycles, %.2f us, %.2f Tflop/s\n",
           b->chip.name, b->a->name, b->a == b->b ? "" : " x ", b->a == b->b ? "" : b->b->name,
           b->op.m, b->op.n, b->op.k, st->cycles, 1e6 * seconds, 2e-12 * macs(b) / seconds);
    printf("tensor peak %.2f %% (busy %.2f %%), HBM pins %.2f %%\n",
           100.0 * figures_ttu_utilisation(&b->chip, b->wide, macs(b), st),
           100.0 * figures_ttu_busy(&b->chip, st), 100.0 * figures_hbm_utilisation(&b->chip, st));
    printf("tensor units wait for:");
    double all = (double)st->cycles * tsr_chip_tiles(&b->chip);
    for (int w = TSR_WAIT_BUSY + 1; w < TSR_WAITS; w++)
        printf(" %s %.2f %%", tsr_wait_name[w], 100.0 * (double)st->unit[TSR_Q_TTU][w] / all);
    printf("\n");
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct bench b = {.op.epilogue = TSR_EPILOGUE_NONE};
    enum tsr_status st = read_options(c, &b, err);
    if (st == TSR_OK)
        st = lay_out(&b, err);
    if (st == TSR_OK)
        st = simulate(&b, err);
    if (st == TSR_OK && cli_has(c, "json"))
        return print_json(&b, err);
    if (st == TSR_OK)
        print_text(&b);
    return st;
}

static const struct cli_option options[] = {
    {.name = "chip",
     .argument = "CHIP",
     .words = CLI_WORDS_CHIP,
     .required = true,
     .doc = "name or file"},
    {.name = "m", .argument = "M", .required = true, .doc = "rows of A and C"},
    {.name = "n", .argument = "N", .required = true, .doc = "columns of B and C"},
    {.name = "k", .argument = "K", .required = true, .doc = "columns of A, rows of B"},
    {.name = "format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .required = true,
     .doc = "of A and B; C is bf16, int32 for integers"},
    {.name = "b-format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "of B, where it is another: any that the tensor unit multiplies by A's"},
    {.name = "threads",
     .argument = "N",
     .doc = "host threads at most; one run uses one, results never depend on it"},
    {.name = "json", .doc = "for machines"},
    {0},
};

const struct cli_command cmd_bench_gemm = {
    .name = "bench-gemm",
    .doc = "time a matmul on a simulated chip: cycles, utilisation, what it waits for",
    .options = options,
    .run = run,
    .notes = "A timing run: no values are computed. ttu_utilisation = m n k / (peak x cycles), the "
             "peak\n"
             "that of the wider of the two formats' classes (tessera formats);\n"
             "hbm_utilisation = bytes at the pins / (pin rate x time), launch to last byte.\n",
};
