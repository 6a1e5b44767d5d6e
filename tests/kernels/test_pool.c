/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tessera/kernels.h"

enum {
    TASKS = 1000
};

static _Atomic unsigned done[TASKS];

static void count_one(void *arg, size_t i)
{
    atomic_fetch_add((_Atomic unsigned *)arg + i, 1);
}

static void test_pool_runs_each_task_once_a_round(void **state)
{
    (void)state;
    static const size_t threads[] = {1, 2, 3, 8, 256}, counts[] = {0, 1, 2, 7, TASKS};
    for (size_t t = 0; t < 5; t++) {
        struct tsr_pool *pool;
        assert_int_equal(tsr_pool_create(threads[t], &pool, NULL), TSR_OK);
        struct tsr_parallel p = tsr_pool_parallel(pool);
        assert_int_equal(p.threads, threads[t]);
        for (int round = 1; round <= 20; round++)
            for (size_t c = 0; c < 5; c++) {
                memset(done, 0, sizeof done);
                p.run(p.pool, count_one, done, counts[c]);
                for (size_t i = 0; i < TASKS; i++)
                    assert_int_equal(done[i], i < counts[c]);
            }
        tsr_pool_destroy(pool);
    }
}

static void *many_rounds(void *arg)
{
    struct tsr_parallel *p = arg;
    for (int i = 0; i < 50; i++)
        p->run(p->pool, count_one, done, TASKS);
    return NULL;
}

static void test_pool_serves_several_callers(void **state)
{
    (void)state;
    struct tsr_pool *pool;
    pthread_t callers[3];
    assert_int_equal(tsr_pool_create(3, &pool, NULL), TSR_OK);
    struct tsr_parallel p = tsr_pool_parallel(pool);
    memset(done, 0, sizeof done);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, many_rounds, &p), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(callers[i], NULL);
    for (size_t i = 0; i < TASKS; i++)
        assert_int_equal(done[i], 150);
    tsr_pool_destroy(pool);
}

static void test_pool_refuses_other_sizes(void **state)
{
    (void)state;
    struct tsr_error err = {0};
    struct tsr_pool *pool = NULL;
    assert_int_equal(tsr_pool_create(0, &pool, &err), TSR_USAGE);
    assert_non_null(strstr(err.message, "1 to 256"));
    assert_int_equal(tsr_pool_create(257, &pool, NULL), TSR_USAGE);
    assert_null(pool);
    tsr_pool_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_runs_each_task_once_a_round),
        cmocka_unit_test(test_pool_serves_several_callers),
        cmocka_unit_test(test_pool_refuses_other_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
