/* SPDX-License-Identifier: Apache-2.0 */
/* One program, three runs, and whether they agree. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/suite/case.h"

/* Every queue has exactly one reason in every cycle of every tile. */
static void check_waits(struct suite *s, const struct tsr_stats *st)
{
    uint64_t want = st->cycles * tsr_chip_tiles(s->chip);
    for (int q = 0; q < TSR_QUEUES; q++) {
        uint64_t sum = 0;
        for (int w = 0; w < TSR_WAITS; w++)
            sum += st->unit[q][w];
        if (sum != want)
            suite_fail(
                s, "%s: busy and waiting cycles add up to %" PRIu64 ", tiles x cycles = %" PRIu64,
                tsr_queue_name[q], sum, want);
    }
}

static void check_timing(struct suite *s, const struct tsr_stats *full,
                         const struct tsr_stats *timing)
{
    if (full->cycles != timing->cycles) {
        suite_fail(s, "timing run: %" PRIu64 " cycles, full run %" PRIu64, timing->cycles,
                   full->cycles);
        return;
    }
    /* The structure is made of uint64_t only: no padding. */
    const uint64_t *a = (const uint64_t *)full, *b = (const uint64_t *)timing;
    for (size_t i = 0; i < sizeof *full / sizeof *a; i++)
        if (a[i] != b[i]) {
            suite_fail(s,
                       "timing run: statistic %zu of struct tsr_stats is %" PRIu64
                       ", in the full run %" PRIu64,
                       i, b[i], a[i]);
            return;
        }
}

/* What may not change has not, in the full run; the functional run left the same bytes. */
static enum tsr_status check_region(struct suite *s, const struct suite_region *r, uint8_t *full,
                                    uint8_t *functional, struct tsr_error *err)
{
    struct suite_case *c = s->now;
    enum tsr_status st = tsr_sim_read(c->sim[SUITE_FULL], r->address, full, r->total, err);
    if (st == TSR_OK)
        st = tsr_sim_read(c->sim[SUITE_FUNCTIONAL], r->address, functional, r->total, err);
    if (st != TSR_OK)
        return st;
    for (size_t i = r->use == SUITE_IN ? 0 : r->bytes; i < r->total; i++)
        if (full[i] != r->image[i]) {
            suite_fail(s, "%s at HBM 0x%" PRIx64 ", byte %zu of %zu was written",
                       i < r->bytes ? "input" : "memory behind the tensor", r->address, i,
                       r->bytes);
            break;
        }
    if (memcmp(full, functional, r->total) == 0)
        return TSR_OK;
    size_t i = 0;
    while (full[i] == functional[i])
        i++;
    suite_fail(s,
               "functional run: byte %zu of the tensor at HBM 0x%" PRIx64
               " is 0x%02x, in the full run 0x%02x",
               i, r->address, functional[i], full[i]);
    return TSR_OK;
}

static enum tsr_status check_memory(struct suite *s, struct tsr_error *err)
{
    struct suite_case *c = s->now;
    enum tsr_status st = TSR_OK;
    for (uint32_t i = 0; i < c->n_regions && st == TSR_OK; i++) {
        const struct suite_region *r = &c->region[i];
        uint8_t *full = malloc(r->total), *functional = malloc(r->total);
        st = full && functional ? check_region(s, r, full, functional, err)
                                : tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", s->kernel);
        free(full);
        free(functional);
    }
    return st;
}

static enum tsr_status three_runs(struct suite *s, const struct tsr_program *p,
                                  struct tsr_trace *trace, struct tsr_error *err)
{
    struct suite_case *c = s->now;
    struct tsr_run_options full = {
        .mode = TSR_MODE_FULL, .check_races = true, .record = trace, .observer = s->observer};
    struct tsr_run_options timing = {.mode = TSR_MODE_TIMING, .replay = trace};
    struct tsr_run_options functional = {.mode = TSR_MODE_FUNCTIONAL};
    struct tsr_stats t = {0};
    enum tsr_status st = tsr_sim_run(c->sim[SUITE_FULL], p, &full, &c->stats, NULL, err);
    if (st != TSR_OK)
        return st;
    if (s->ran)
        s->ran(s->ran_self, p, &c->stats);
    c->programs++;
    c->cycles += c->stats.cycles;
    for (int q = 0; q < TSR_QUEUES; q++)
        c->instructions += c->stats.instructions[q];
    check_waits(s, &c->stats);
    st = tsr_sim_run(c->sim[SUITE_TIMING], p, &timing, &t, NULL, err);
    if (st != TSR_OK)
        return st;
    check_timing(s, &c->stats, &t);
    st = tsr_sim_run(c->sim[SUITE_FUNCTIONAL], p, &functional, &t, NULL, err);
    return st == TSR_OK ? check_memory(s, err) : st;
}

enum tsr_status suite_execute(struct suite *s, struct tsr_program *program, struct tsr_error *err)
{
    struct tsr_trace *trace = tsr_trace_new();
    enum tsr_status st = trace ? three_runs(s, program, trace, err)
                               : tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", s->kernel);
    tsr_trace_free(trace);
    tsr_program_free(program);
    return st;
}

const struct tsr_stats *suite_stats(const struct suite *s)
{
    return &s->now->stats;
}
