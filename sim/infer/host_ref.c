/* SPDX-License-Identifier: Apache-2.0 */
/* Products of the target ref: rows of the file, decoded as they are read, rounded where a format is
 * asked for, times rows of f32. Nothing of the weights is kept. */
#include <string.h>

#include "sim/infer/dot.h"
#include "sim/infer/host.h"

struct task {
    struct host *h;
    const struct host_product *p;
    struct infer_rows rows;
    bool round;
    size_t tasks;
};

/* Columns of C that are one thread's. */
static void some_columns(void *self, size_t i)
{
    struct task *t = self;
    const struct host_product *p = t->p;
    float *row = t->h->scratch + i * t->h->scratch_floats;
    const uint64_t end = host_share(p->n, i + 1, t->tasks);
    for (uint64_t j = host_share(p->n, i, t->tasks); j < end; j++) {
        const float *w = infer_row(&t->rows, j, row);
        if (t->round) {
            infer_round(&t->h->weights, p->k, w, row, row + p->k);
            w = row;
        }
        for (uint64_t r = 0; r < p->m; r++)
            p->c[r * p->n + j] = infer_dot(p->k, p->a + r * p->k, w);
    }
}

static enum tsr_status run(struct host *h, const struct host_product *p, struct tsr_error *err)
{
    struct task t = {.h = h, .p = p};
    /* threads cost more than they bring where a product is small */
    t.tasks = p->n * p->k * p->m < 1 << 16 ? 1 : h->threads.threads;
    t.round = h->weights.format != NULL && !infer_routes(p->op);
    enum tsr_status st = infer_rows_find(h->o.weights, h->model, p->op, INFER_MATRIX, p->layer,
                                         p->expert, &t.rows, err);
    if (st != TSR_OK)
        return st;
    host_parallel(h, t.tasks, some_columns, &t);
    return TSR_OK;
}

const struct host_products host_ref_products = {NULL, run, NULL};
