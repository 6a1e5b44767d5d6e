/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/npu/attention_backward.h"
#include "sim/cli/attention.h"
#include "sim/cli/figures.h"
#include "sim/cli/samples.h"
#include "tessera/sim.h"

enum {
    MAX_SIZE = 1 << 20
};

struct bench {
    struct cli_attention a;
    uint32_t *pages, *lengths;
    struct tsr_stats stats;
    double macs;
    uint64_t part_cycles[TSR_GRADIENTS];
    const char *phase;
    bool decode, backward;
};

/* A cache whose pages lie anywhere: all orders alike likely. */
static enum tsr_status shuffle_pages(struct bench *b, uint64_t *seed, struct tsr_error *err)
{
    struct tsr_npu_attention *op = &b->a.op;
    op->page_row = (op->kv_len + op->page_tokens - 1) / op->page_tokens;
    uint64_t n = op->batch * op->page_row;
    if (n > UINT64_C(1) << 28)
        return tsr_error_set(err, TSR_BAD_INPUT, "%" PRIu64 " pages, at most 2^28 are taken", n);
    b->pages = malloc(n * sizeof *b->pages);
    if (!b->pages)
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t j = samples_random(seed) % (i + 1);
        b->pages[i] = b->pages[j];
        b->pages[j] = (uint32_t)i;
    }
    op->pages = b->pages;
    return TSR_OK;
}

/* Sequences of `least` to seq keys, all lengths alike likely; prefill: as many queries. */
static enum tsr_status draw_lengths(struct bench *b, uint64_t least, uint64_t *seed,
                                    struct tsr_error *err)
{
    struct tsr_npu_attention *op = &b->a.op;
    if (least > op->kv_len)
        return tsr_error_set(err, TSR_BAD_INPUT, "--min-seq %" PRIu64 ": at most --seq %" PRIu64,
                             least, op->kv_len);
    b->lengths = malloc(op->batch * sizeof *b->lengths);
    if (!b->lengths)
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    for (uint64_t i = 0; i < op->batch; i++)
        b->lengths[i] = (uint32_t)(least + samples_random(seed) % (op->kv_len - least + 1));
    op->kv_lens = b->lengths;
    op->q_lens = b->decode ? NULL : b->lengths;
    return TSR_OK;
}

static enum tsr_status read_options(struct cli *c, struct bench *b, struct tsr_error *err)
{
    struct tsr_npu_attention *op = &b->a.op;
    uint64_t seed = 0, least = 0;
    const struct {
        const char *name;
        uint64_t absent, *to;
    } sizes[] = {
        {"heads", 0, &op->heads},      {"kv-heads", 0, &op->kv_heads}, {"dim", 0, &op->head_dim},
        {"seq", 0, &op->kv_len},       {"batch", 1, &op->batch},       {"value-dim", 0, &op->v_dim},
        {"page", 0, &op->page_tokens}, {"splits", 0, &op->splits},     {"min-seq", 0, &least}};
    enum tsr_status st = cli_attention_options(c, &b->a, err);
    for (size_t i = 0; st == TSR_OK && i < sizeof sizes / sizeof *sizes; i++)
        st = cli_u64(c, sizes[i].name, 1, MAX_SIZE, sizes[i].absent, sizes[i].to, err);
    if (st == TSR_OK)
        st = cli_real(c, "softcap", 0x1p-20, 1000000, 0, &op->softcap, err);
    b->phase = cli_text(c, "phase");
    b->decode = strcmp(b->phase, "decode") == 0;
    b->backward = strcmp(b->phase, "backward") == 0;
    op->q_len = b->decode ? 1 : op->kv_len;
    op->values_in_keys = cli_has(c, "latent");
    if (st == TSR_OK)
        st = cli_u64(c, "seed", 0, UINT64_MAX, 1, &seed, err);
    if (st == TSR_OK && op->page_tokens)
        st = shuffle_pages(b, &seed, err);
    if (st == TSR_OK && least)
        st = draw_lengths(b, least, &seed, err);
    return st;
}

/* Query and key pairs that the mask leaves, for each the elements of a key and of a value; of
 * gradients for Q K^T, dQ and dK, and for dO V^T and dV. */
static double needed_macs(const struct bench *b)
{
    const struct tsr_npu_attention *op = &b->a.op;
    double pairs = 0;
    for (uint64_t n = 0; n < (b->lengths ? op->batch : 1); n++) {
        const uint64_t keys = b->lengths ? b->lengths[n] : op->kv_len,
                       queries = op->q_lens ? op->q_lens[n] : op->q_len;
        for (uint64_t i = 0; i < queries; i++) {
            uint64_t own = keys - queries + i + 1, end = op->causal ? own : keys;
            pairs += (double)(op->window && own > op->window ? end - (own - op->window) : end);
        }
    }
    if (!b->lengths)
        pairs *= (double)op->batch;
    uint64_t v_dim = op->v_dim ? op->v_dim : op->head_dim;
    uint64_t forward = op->head_dim + v_dim, backward = 3 * op->head_dim + 2 * v_dim;
    return pairs * (double)(op->heads * (b->backward ? backward : forward));
}

/* The program's statistics join those of the bench; frees it. */
static enum tsr_status run_program(struct bench *b, struct tsr_sim *sim,
                                   struct tsr_program *program, struct tsr_error *err)
{
    struct tsr_run_options o = {.mode = TSR_MODE_TIMING};
    struct tsr_stats now, *sum = &b->stats;
    enum tsr_status st = tsr_sim_run(sim, program, &o, &now, NULL, err);
    tsr_program_free(program);
    if (st != TSR_OK)
        return st;
    if (sum->cycles == 0) {
        *sum = now;
        return TSR_OK;
    }
    sum->cycles += now.cycles;
    sum->macs += now.macs;
    sum->ttu_cycles += now.ttu_cycles;
    sum->hbm_read_bytes += now.hbm_read_bytes;
    sum->hbm_write_bytes += now.hbm_write_bytes;
    for (int q = 0; q < TSR_QUEUES; q++)
        for (int w = 0; w < TSR_WAITS; w++)
            sum->unit[q][w] += now.unit[q][w];
    return TSR_OK;
}

/* Behind the forward pass's tensors: what the gradients read and write beside them. */
static enum tsr_status place_gradients(struct bench *b, struct tsr_npu_attention_backward *g,
                                       struct tsr_error *err)
{
    const struct tsr_npu_attention *a = &b->a.op;
    const uint64_t v_dim = a->v_dim ? a->v_dim : a->head_dim, rows = a->batch * a->heads * a->q_len,
                   keys = a->batch * a->kv_heads * a->kv_len;
    *g = (struct tsr_npu_attention_backward){.batch = a->batch,
                                             .heads = a->heads,
                                             .kv_heads = a->kv_heads,
                                             .head_dim = a->head_dim,
                                             .v_dim = v_dim,
                                             .q_len = a->q_len,
                                             .kv_len = a->kv_len,
                                             .q_lens = a->q_lens,
                                             .kv_lens = a->kv_lens,
                                             .causal = a->causal,
                                             .window = a->window,
                                             .scale = a->scale,
                                             .softcap = a->softcap,
                                             .format = a->format,
                                             .q = a->q,
                                             .k = a->k,
                                             .v = a->v,
                                             .o = a->o};
    const struct {
        uint64_t *to, bytes;
    } places[] = {{&g->d_o.address, 2 * rows * v_dim},
                  {&g->d_q.address, 4 * rows * a->head_dim},
                  {&g->d_k.address, 4 * keys * a->head_dim},
                  {&g->d_v.address, 4 * keys * v_dim},
                  {&g->lse, 4 * rows},
                  {&g->delta, 4 * rows}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        *places[i].to = TSR_HBM(b->a.end);
        b->a.end += (places[i].bytes + 1023) / 1024 * 1024;
    }
    if (a->pages)
        return tsr_error_set(err, TSR_BAD_INPUT, "--page: gradients: K and V lie in no pages");
    if (a->kv_format != a->format || a->values_in_keys)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "gradients: K and V are apart and in the queries' format");
    if (b->a.end > b->a.chip.hbm.bytes)
        return tsr_error_set(
            err, TSR_BAD_INPUT, "the tensors take %.2f GiB, the HBM of %s has %.2f",
            (double)b->a.end / 0x1p30, b->a.chip.name, (double)b->a.chip.hbm.bytes / 0x1p30);
    return TSR_OK;
}

/* All programs of it, one after another. */
static enum tsr_status simulate_gradients(struct bench *b, struct tsr_sim *sim,
                                          struct tsr_error *err)
{
    struct tsr_npu_attention_backward g;
    enum tsr_status st = place_gradients(b, &g, err);
    for (int part = 0; part < TSR_GRADIENTS && st == TSR_OK; part++) {
        struct tsr_program program = {0};
        st = tsr_npu_attention_backward(b->a.isa, &b->a.chip, &g, (enum tsr_npu_gradient)part,
                                        &program, err);
        const uint64_t before = b->stats.cycles;
        if (st == TSR_OK)
            st = run_program(b, sim, &program, err);
        b->part_cycles[part] = b->stats.cycles - before;
    }
    return st;
}

static enum tsr_status simulate(struct bench *b, struct tsr_error *err)
{
    struct tsr_program program = {0};
    struct tsr_sim *sim = NULL;
    enum tsr_status st = tsr_sim_create(&b->a.chip, b->a.isa, &sim, err);
    if (st == TSR_OK && b->backward) {
        st = simulate_gradients(b, sim, err);
    } else if (st == TSR_OK) {
        st = tsr_npu_attention(b->a.isa, &b->a.chip, &b->a.op, &program, err);
        if (st == TSR_OK)
            st = run_program(b, sim, &program, err);
    }
    tsr_sim_destroy(sim);
    return st;
}

static const char *const part_name[TSR_GRADIENTS] = {"delta", "dq", "dk", "dv"};

static double tvp_utilisation(const struct bench *b)
{
    return (double)b->stats.unit[TSR_Q_TVP][TSR_WAIT_BUSY] /
           ((double)tsr_chip_tiles(&b->a.chip) * (double)b->stats.cycles);
}

static enum tsr_status print_json(const struct bench *b, struct tsr_error *err)
{
    const struct tsr_stats *st = &b->stats;
    json_t *o = json_object(), *waits = json_object();
    json_object_set_new(o, "chip", json_string(b->a.chip.name));
    json_object_set_new(o, "format", json_string(b->a.format->name));
    json_object_set_new(o, "cycles", json_integer((json_int_t)st->cycles));
    json_object_set_new(o, "ttu_utilisation",
                        json_real(figures_ttu_utilisation(&b->a.chip, b->a.format, b->macs, st)));
    json_object_set_new(o, "ttu_busy", json_real(figures_ttu_busy(&b->a.chip, st)));
    json_object_set_new(o, "tvp_utilisation", json_real(tvp_utilisation(b)));
    json_object_set_new(o, "hbm_utilisation", json_real(figures_hbm_utilisation(&b->a.chip, st)));
    json_object_set_new(o, "hbm_bytes",
                        json_integer((json_int_t)(st->hbm_read_bytes + st->hbm_write_bytes)));
    if (b->backward) {
        json_t *parts = json_object();
        for (int i = 0; i < TSR_GRADIENTS; i++)
            json_object_set_new(parts, part_name[i], json_integer((json_int_t)b->part_cycles[i]));
        json_object_set_new(o, "part_cycles", parts);
    }
    json_object_set_new(waits, "ttu", figures_waits(st, TSR_Q_TTU));
    json_object_set_new(waits, "tvp", figures_waits(st, TSR_Q_TVP));
    json_object_set_new(o, "waits", waits);
    return cli_print_result(o, err);
}

static void print_waits(const struct bench *b, const char *unit, enum tsr_queue q)
{
    double all = (double)b->stats.cycles * tsr_chip_tiles(&b->a.chip);
    printf("%s wait for:", unit);
    for (int w = TSR_WAIT_BUSY + 1; w < TSR_WAITS; w++)
        printf(" %s %.2f %%", tsr_wait_name[w], 100.0 * (double)b->stats.unit[q][w] / all);
    printf("\n");
}

static void print_text(const struct bench *b)
{
    const struct tsr_stats *st = &b->stats;
    printf("%s %s %s: %" PRIu64 " cycles, %.2f us\n", b->a.chip.name, b->a.format->name, b->phase,
           st->cycles, 1e6 * (double)st->cycles / (double)b->a.chip.clock_hz);
    printf("tensor peak %.2f %% (busy %.2f %%), vector units busy %.2f %%, HBM pins %.2f %%\n",
           100.0 * figures_ttu_utilisation(&b->a.chip, b->a.format, b->macs, st),
           100.0 * figures_ttu_busy(&b->a.chip, st), 100.0 * tvp_utilisation(b),
           100.0 * figures_hbm_utilisation(&b->a.chip, st));
    for (int i = 0; i < TSR_GRADIENTS && b->backward; i++)
        printf("%s%s %" PRIu64 "%s", i ? ", " : "cycles of ", part_name[i], b->part_cycles[i],
               i + 1 == TSR_GRADIENTS ? "\n" : "");
    print_waits(b, "tensor units", TSR_Q_TTU);
    print_waits(b, "vector units", TSR_Q_TVP);
}

static enum tsr_status bench(struct cli *c, struct bench *b, struct tsr_error *err)
{
    enum tsr_status st = read_options(c, b, err);
    if (st == TSR_OK)
        st = cli_attention_place(&b->a, err);
    if (st == TSR_OK)
        st = simulate(b, err);
    if (st != TSR_OK)
        return st;
    b->macs = needed_macs(b);
    if (cli_has(c, "json"))
        return print_json(b, err);
    print_text(b);
    return TSR_OK;
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct bench b = {.macs = 0};
    enum tsr_status st = bench(c, &b, err);
    free(b.pages);
    free(b.lengths);
    return st;
}

static const struct cli_option options[] = {
    CLI_ATTENTION_OPTIONS,
    {.name = "phase",
     .argument = "PHASE",
     .words = CLI_WORDS_LIST,
     .list = "prefill decode backward",
     .required = true,
     .doc = "prefill: as many queries as keys; decode: one query a sequence; backward: the "
            "gradients of a prefill"},
    {.name = "heads", .argument = "H", .required = true, .doc = "query heads"},
    {.name = "kv-heads", .argument = "G", .required = true, .doc = "key heads, H / G share one"},
    {.name = "dim", .argument = "D", .required = true, .doc = "elements of a head"},
    {.name = "seq", .argument = "S", .required = true, .doc = "keys of a sequence"},
    {.name = "batch", .argument = "B", .doc = "sequences, 1 by default"},
    {.name = "value-dim", .argument = "D", .doc = "elements of a value, where they differ"},
    {.name = "latent", .doc = "values are the first of the keys' elements (MLA, absorbed)"},
    {.name = "softcap", .argument = "X", .doc = "logits become X tanh(logit / X)"},
    {.name = "page", .argument = "T", .doc = "keys lie in pages of T tokens, in random order"},
    {.name = "min-seq",
     .argument = "S",
     .doc = "sequences of S to --seq keys, lengths drawn; prefill: queries too"},
    {.name = "seed", .argument = "N", .doc = "of pages and lengths, 1 by default"},
    {.name = "splits",
     .argument = "N",
     .doc = "teams that share a sequence's keys in decode; as the kernel finds best by default"},
    {.name = "json", .doc = "for machines"},
    {0},
};

const struct cli_command cmd_bench_attention = {
    .name = "bench-attention",
    .doc = "time attention on a simulated chip: cycles, utilisation, what its units wait for",
    .options = options,
    .run = run,
    .notes = "A timing run: no values are computed. ttu_utilisation counts the products that the\n"
             "mask leaves / (peak x cycles); tvp_utilisation the cycles in which a vector routine\n"
             "issues; hbm_utilisation = bytes at the pins / (pin rate x time).\n",
};
