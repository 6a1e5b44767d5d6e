/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sim_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/isa_random.h"

void sim_open(struct sim_rig *r, const char *chip)
{
    memset(r, 0, sizeof *r);
    r->isa = tsr_test_isa();
    if (tsr_chip_load(chip, &r->chip, &r->err) != TSR_OK)
        fail_msg("%s", r->err.message);
    r->opt.limit_cycles = 1000000;
    r->opt.check_races = true;
    sim_fresh(r);
}

static void unload(struct sim_rig *r)
{
    if (r->loaded)
        tsr_program_free(&r->program);
    r->loaded = false;
}

void sim_close(struct sim_rig *r)
{
    unload(r);
    tsr_sim_destroy(r->sim);
    tsr_isa_free(r->isa);
    free(r->log);
    memset(r, 0, sizeof *r);
}

void sim_fresh(struct sim_rig *r)
{
    tsr_sim_destroy(r->sim);
    r->sim = NULL;
    memset(&r->err, 0, sizeof r->err);
    if (tsr_sim_create(&r->chip, r->isa, &r->sim, &r->err) != TSR_OK)
        fail_msg("%s", r->err.message);
}

void sim_load(struct sim_rig *r, const char *text)
{
    unload(r);
    memset(&r->err, 0, sizeof r->err);
    if (tsr_assemble(r->isa, "test.s", text, strlen(text), &r->program, &r->err) != TSR_OK)
        fail_msg("%s\n%s", r->err.message, text);
    r->loaded = true;
}

void sim_loadf(struct sim_rig *r, const char *format, ...)
{
    static char text[1 << 16];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    assert_true(n > 0 && (size_t)n < sizeof text);
    sim_load(r, text);
}

static void retired(void *self, uint32_t tile, enum tsr_queue q, uint32_t pc, uint64_t start,
                    uint64_t end)
{
    struct sim_rig *r = self;
    if (r->n_log == r->log_cap) {
        r->log_cap = r->log_cap ? 2 * r->log_cap : 1024;
        r->log = realloc(r->log, r->log_cap * sizeof *r->log);
        assert_non_null(r->log);
    }
    r->log[r->n_log++] =
        (struct sim_retired){.tile = tile, .q = q, .pc = pc, .start = start, .end = end};
}

static void check_books(const struct sim_rig *r)
{
    uint64_t want = r->stats.cycles * tsr_chip_tiles(&r->chip);
    for (int q = 0; q < TSR_QUEUES; q++) {
        uint64_t sum = 0;
        for (int w = 0; w < TSR_WAITS; w++)
            sum += r->stats.unit[q][w];
        if (sum != want)
            fail_msg("%s: the reasons add up to %llu, not %llu", tsr_queue_name[q],
                     (unsigned long long)sum, (unsigned long long)want);
    }
}

enum tsr_status sim_run(struct sim_rig *r, enum tsr_mode mode)
{
    r->opt.mode = mode;
    r->opt.retired = retired;
    r->opt.retired_self = r;
    r->n_log = 0;
    memset(&r->err, 0, sizeof r->err);
    memset(&r->fault, 0, sizeof r->fault);
    memset(&r->stats, 0, sizeof r->stats);
    r->status = tsr_sim_run(r->sim, &r->program, &r->opt, &r->stats, &r->fault, &r->err);
    assert_int_equal(r->status == TSR_FAULT, r->fault.kind != TSR_FAULT_NONE);
    if (r->status != TSR_BAD_INPUT)
        check_books(r);
    return r->status;
}

void sim_do(struct sim_rig *r, const char *text)
{
    sim_load(r, text);
    if (sim_run(r, TSR_MODE_FULL) != TSR_OK)
        fail_msg("%s\n%s", r->err.message, text);
}

void sim_want_fault(struct sim_rig *r, const char *text, enum tsr_fault_kind kind, int tile,
                    enum tsr_queue q, int pc, int64_t cycle)
{
    sim_load(r, text);
    sim_run(r, TSR_MODE_FULL);
    const struct tsr_fault *f = &r->fault;
    if (f->kind != kind || (tile >= 0 && f->tile != (uint32_t)tile) || f->queue != q ||
        (pc >= 0 && f->pc != (uint32_t)pc) || (cycle >= 0 && f->cycle != (uint64_t)cycle))
        fail_msg("%s tile %d %s word %d cycle %lld was wanted, \"%s\" came of\n%s",
                 tsr_fault_name[kind], tile, tsr_queue_name[q], pc, (long long)cycle,
                 r->err.message, text);
}

const struct sim_retired *sim_nth(const struct sim_rig *r, uint32_t tile, enum tsr_queue q,
                                  size_t n)
{
    size_t seen = 0;
    for (size_t i = 0; i < r->n_log; i++)
        if (r->log[i].tile == tile && r->log[i].q == q && seen++ == n)
            return &r->log[i];
    fail_msg("tile %u %s retired %zu instructions, the %zu-th was asked for", tile,
             tsr_queue_name[q], seen, n);
    return NULL;
}

static const struct sim_retired *first(const struct sim_rig *r, uint32_t tile, uint32_t pc,
                                       bool tcp)
{
    for (size_t i = 0; i < r->n_log; i++)
        if (r->log[i].tile == tile && r->log[i].pc == pc && (r->log[i].q == TSR_Q_TCP) == tcp)
            return &r->log[i];
    fail_msg("tile %u: word %u did not retire", tile, pc);
    return NULL;
}

const struct sim_retired *sim_unit(const struct sim_rig *r, uint32_t tile, uint32_t pc)
{
    return first(r, tile, pc, false);
}

const struct sim_retired *sim_tcp(const struct sim_rig *r, uint32_t tile, uint32_t pc)
{
    return first(r, tile, pc, true);
}

void sim_put(struct sim_rig *r, uint64_t address, const void *data, uint64_t bytes)
{
    if (tsr_sim_write(r->sim, address, data, bytes, &r->err) != TSR_OK)
        fail_msg("%s", r->err.message);
}

void sim_get(const struct sim_rig *r, uint64_t address, void *data, uint64_t bytes)
{
    struct tsr_error err = {0};
    if (tsr_sim_read(r->sim, address, data, bytes, &err) != TSR_OK)
        fail_msg("%s", err.message);
}

uint64_t sim_grant(uint64_t t, unsigned requester, uint64_t line)
{
    for (;; t++)
        if ((line % 16 + 16 * 8 - t % 8) % 8 == requester)
            return t;
}

static uint64_t next_grant(struct sim_port *p, uint64_t t, uint64_t line)
{
    uint64_t g = sim_grant(t > p->next ? t : p->next, p->requester, line);
    p->next = g + 1;
    return g;
}

uint64_t sim_read(struct sim_port *p, uint64_t t, uint64_t line)
{
    if (p->kept && p->line == line)
        return t;
    p->kept = true;
    p->line = line;
    return next_grant(p, t, line);
}

uint64_t sim_write(struct sim_port *p, uint64_t t, uint64_t line)
{
    if (p->kept && p->line == line)
        return t;
    if (p->kept)
        t = next_grant(p, t, p->line);
    p->kept = true;
    p->line = line;
    return t;
}

uint64_t sim_flush(struct sim_port *p, uint64_t t)
{
    if (!p->kept)
        return t;
    p->kept = false;
    return next_grant(p, t, p->line) + 1;
}
