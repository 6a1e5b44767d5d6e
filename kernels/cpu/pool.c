/* SPDX-License-Identifier: Apache-2.0 */
/* The default threads: workers that wait for a round of tasks, take them by number, and say when
 * the last is done. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tessera/kernels.h"

enum {
    MAX_THREADS = 256
};

struct tsr_pool {
    pthread_mutex_t rounds; /* one caller's round at a time */
    pthread_mutex_t lock;   /* of all below but `next` */
    pthread_cond_t begin, end;
    void (*task)(void *arg, size_t i);
    void *arg;
    size_t count;
    _Atomic size_t next; /* task to be taken */
    size_t round;        /* counts them, so that a worker takes part once in each */
    size_t busy;         /* workers that have not left the round */
    bool stop;
    size_t workers;
    pthread_t ids[MAX_THREADS];
};

static void take_tasks(struct tsr_pool *p)
{
    for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->count;)
        p->task(p->arg, i);
}

static void *work(void *arg)
{
    struct tsr_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (size_t seen = 0;;) {
        while (p->round == seen && !p->stop)
            pthread_cond_wait(&p->begin, &p->lock);
        if (p->stop)
            break;
        seen = p->round;
        pthread_mutex_unlock(&p->lock);
        take_tasks(p);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0)
            pthread_cond_signal(&p->end);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* A struct tsr_parallel's run. The caller takes tasks too. */
static void run(void *pool, void (*task)(void *arg, size_t i), void *arg, size_t count)
{
    struct tsr_pool *p = pool;
    pthread_mutex_lock(&p->rounds);
    pthread_mutex_lock(&p->lock);
    p->task = task;
    p->arg = arg;
    p->count = count;
    atomic_store(&p->next, 0);
    p->busy = p->workers;
    p->round++;
    pthread_cond_broadcast(&p->begin);
    pthread_mutex_unlock(&p->lock);
    take_tasks(p);
    pthread_mutex_lock(&p->lock);
    while (p->busy > 0)
        pthread_cond_wait(&p->end, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_unlock(&p->rounds);
}

enum tsr_status tsr_pool_create(size_t threads, struct tsr_pool **out, struct tsr_error *err)
{
    if (threads < 1 || threads > MAX_THREADS)
        return tsr_error_set(err, TSR_USAGE, "pool: %zu threads, allowed: 1 to %d", threads,
                             MAX_THREADS);
    struct tsr_pool *p = calloc(1, sizeof *p);
    if (p == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "pool: out of memory");
    pthread_mutex_init(&p->rounds, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->begin, NULL);
    pthread_cond_init(&p->end, NULL);
    for (; p->workers < threads - 1; p->workers++)
        if (pthread_create(&p->ids[p->workers], NULL, work, p) != 0) {
            tsr_error_set(err, TSR_INTERNAL, "pool: the system gave %zu of %zu threads",
                          p->workers + 1, threads);
            tsr_pool_destroy(p);
            return TSR_INTERNAL;
        }
    *out = p;
    return TSR_OK;
}

void tsr_pool_destroy(struct tsr_pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->begin);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->workers; i++)
        pthread_join(p->ids[i], NULL);
    pthread_cond_destroy(&p->begin);
    pthread_cond_destroy(&p->end);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->rounds);
    free(p);
}

struct tsr_parallel tsr_pool_parallel(struct tsr_pool *p)
{
    return (struct tsr_parallel){run, p, p->workers + 1};
}
