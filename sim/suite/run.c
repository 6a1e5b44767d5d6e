/* SPDX-License-Identifier: Apache-2.0 */
/* From the table to cases: begin, end, sums. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "sim/suite/case.h"

void suite_end(struct suite *s)
{
    struct suite_case *c = s->now;
    if (!c)
        return;
    bool failed = c->mismatches > 0 || c->fault;
    struct suite_result r = {.kernel = s->kernel,
                             .label = c->label,
                             .format = c->format ? c->format->name : NULL,
                             .shape = c->shape,
                             .message = failed || c->refused ? c->message : NULL,
                             .fault = c->fault,
                             .refused = c->refused,
                             .programs = c->programs,
                             .instructions = c->instructions,
                             .cycles = c->cycles,
                             .mismatches = c->mismatches};
    s->cases += !c->refused;
    s->refused += c->refused;
    s->failed_cases += failed;
    s->programs += c->programs;
    s->instructions += c->instructions;
    s->cycles += c->cycles;
    s->mismatches += c->mismatches;
    if (s->report)
        s->report(s->report_self, &r);
    for (int i = 0; i < SUITE_SIMS; i++)
        tsr_sim_destroy(c->sim[i]);
    for (uint32_t i = 0; i < c->n_regions; i++)
        free(c->region[i].image);
    while (c->blocks) {
        struct suite_block *next = c->blocks->next;
        free(c->blocks);
        c->blocks = next;
    }
    free(c);
    s->now = NULL;
}

/* FNV-1a, so that a case's random state follows from what it is, not from what ran before. */
static uint64_t hash(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

enum tsr_status suite_begin(struct suite *s, const struct tsr_format *format, uint64_t m,
                            uint64_t n, uint64_t k, const char *variant, struct tsr_error *err)
{
    suite_end(s);
    struct suite_case *c = calloc(1, sizeof *c);
    if (!c)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", s->kernel);
    s->now = c;
    c->format = format;
    c->shape = (struct suite_shape){m, n, k};
    snprintf(c->label, sizeof c->label, "%s%s%" PRIu64 "x%" PRIu64 "x%" PRIu64 "%s%s",
             format ? format->name : "", format ? " " : "", m, n, k, *variant ? " " : "", variant);
    c->random = hash(UINT64_C(0xcbf29ce484222325) ^ s->seed, s->kernel, strlen(s->kernel));
    c->random = hash(c->random, c->label, strlen(c->label));
    /* Half way up, so that an address cut to 32 bits shows on the large chip. */
    c->hbm_next = s->chip->hbm.bytes / 2 / SUITE_LINE * SUITE_LINE;
    enum tsr_status st = TSR_OK;
    for (int i = 0; i < SUITE_SIMS && st == TSR_OK; i++)
        st = tsr_sim_create(s->chip, s->isa, &c->sim[i], err);
    uint64_t guard;
    if (st == TSR_OK) /* noise before the first tensor */
        st = suite_place_bytes(s, SUITE_OUT, NULL, 0, &guard, err);
    return st;
}

void *suite_alloc(struct suite *s, size_t bytes, struct tsr_error *err)
{
    struct suite_block *b =
        bytes < SIZE_MAX - sizeof *b ? calloc(1, sizeof *b + (bytes ? bytes : 1)) : NULL;
    if (!b) {
        tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", s->kernel);
        return NULL;
    }
    b->next = s->now->blocks;
    s->now->blocks = b;
    return b->bytes;
}

/* One kernel; an error is also the failure of the case that it came from. */
static enum tsr_status run_kernel(struct suite *s, const struct suite_kernel *k, bool may_refuse,
                                  struct tsr_error *out)
{
    struct tsr_error err = {0};
    s->kernel = k->name;
    enum tsr_status st = k->run(s, &err);
    may_refuse = may_refuse && st == TSR_BAD_INPUT;
    if (st != TSR_OK && s->now) {
        s->now->fault = st == TSR_FAULT;
        s->now->refused = may_refuse;
        s->now->mismatches += !may_refuse;
        snprintf(s->now->message, sizeof s->now->message, "%s", err.message);
    }
    char label[SUITE_LABEL] = "";
    if (s->now)
        snprintf(label, sizeof label, "%s", s->now->label);
    suite_end(s);
    if (may_refuse)
        return TSR_OK;
    if (st != TSR_OK)
        tsr_error_set(out, st, "%s %s: %s", k->name, label, err.message);
    return st;
}

static enum tsr_status unknown_kernel(const char *name, struct tsr_error *err)
{
    char list[512] = "";
    size_t at = 0;
    for (const struct suite_kernel *k = suite_kernels; k->name && at < sizeof list; k++)
        at += (size_t)snprintf(list + at, sizeof list - at, " %s", k->name);
    return tsr_error_set(err, TSR_USAGE, "kernel %s: unknown, allowed: all%s", name, list);
}

/* Whether the kernel's cases place formats that have no codec of single elements. */
static bool places_blocks(const struct suite_kernel *k)
{
    return k->run == suite_attention || k->run == suite_matmul || k->run == suite_matmul_quantize;
}

enum tsr_status suite_run(struct suite *s, const char *name, struct tsr_error *err)
{
    bool all = strcmp(name, "all") == 0, found = false;
    bool no_format = s->format && (!tsr_num_has_codec(s->format) || s->format->block > 1);
    struct tsr_error fault = {0};
    s->now = NULL;
    for (const struct suite_kernel *k = suite_kernels; k->name; k++) {
        if (!all && strcmp(name, k->name) != 0)
            continue;
        found = true;
        if (no_format && !places_blocks(k))
            continue;
        struct tsr_error e = {0};
        enum tsr_status st = run_kernel(s, k, all && (s->format || s->shape.m), &e);
        if (st == TSR_FAULT)
            tsr_error_set(&fault, st, "%s", e.message);
        else if (st != TSR_OK)
            return tsr_error_set(err, st, "%s", e.message);
    }
    if (!found)
        return unknown_kernel(name, err);
    if (s->cases == 0)
        return tsr_error_set(err, TSR_USAGE, "kernel %s: no case for format %s", name,
                             s->format ? s->format->name : "(any)");
    if (fault.status)
        return tsr_error_set(err, TSR_FAULT, "%s", fault.message);
    if (s->failed_cases)
        return tsr_error_set(err, TSR_MISMATCH, "%" PRIu64 " of %" PRIu64 " cases failed",
                             s->failed_cases, s->cases);
    return TSR_OK;
}

size_t suite_shapes(struct suite *s, const struct suite_shape *own, size_t n_own,
                    const struct suite_shape **out)
{
    *out = s->shape.m ? &s->shape : own;
    return s->shape.m ? 1 : n_own;
}

bool suite_wants(const struct suite *s, enum tsr_dtype format)
{
    return !s->format || s->format->code == format;
}

const struct tsr_format *suite_format(const struct suite *s, enum tsr_dtype format)
{
    return &s->isa->formats[format];
}
