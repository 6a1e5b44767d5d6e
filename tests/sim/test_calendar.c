/* SPDX-License-Identifier: Apache-2.0 */
/* The calendar against a plain list: by cycle, within a cycle by key, near and far ones, more than
 * it has room for at first, and some put into the cycle that is under way. */
#include "sim/time/calendar.h"

#include <stdlib.h>

#include "tests/support/harness.h"

enum {
    EVENTS = 9000, /* the pool begins with 4096, the far ones and a cycle's with 1024 */
    CROWD = 3000   /* of one cycle */
};

struct entry {
    uint64_t time, key;
};

struct plain {
    struct entry e[EVENTS];
    size_t n, taken;
};

static int by_time_and_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

static void put(struct calendar *c, struct plain *p, uint64_t time, uint64_t key)
{
    struct entry e = {time, key};
    size_t at = p->n++;
    /* sorted among those that are not taken yet */
    for (; at > p->taken && by_time_and_key(&p->e[at - 1], &e) > 0; at--)
        p->e[at] = p->e[at - 1];
    p->e[at] = e;
    calendar_put(c, (struct event){.time = time, .key = key, .a = (uint32_t)key});
}

/* Takes a batch, which must be the whole rest of its cycle. */
static bool take(struct calendar *c, struct plain *p)
{
    if (!calendar_next(c)) {
        assert_int_equal(p->taken, p->n);
        return false;
    }
    assert_true(p->taken < p->n);
    assert_int_equal(c->now, p->e[p->taken].time);
    for (uint32_t i = 0; i < c->n_batch; i++, p->taken++) {
        const struct event *e = calendar_event(c, i);
        assert_true(p->taken < p->n);
        assert_int_equal(e->time, p->e[p->taken].time);
        assert_int_equal(e->key, p->e[p->taken].key);
        assert_int_equal(e->a, (uint32_t)e->key);
    }
    assert_true(p->taken == p->n || p->e[p->taken].time > c->now);
    calendar_release(c);
    assert_false(calendar_same_cycle(c));
    return true;
}

static void test_calendar_equals_a_sorted_list(void **state)
{
    uint64_t s = tsr_test_seed("calendar", 1), key = 0;
    struct plain *p = calloc(1, sizeof *p);
    struct calendar c;
    (void)state;
    assert_non_null(p);
    assert_true(calendar_init(&c));
    /* Keys are drawn, but all different: bits above, a count below. */
    while (p->n < EVENTS - CROWD) {
        uint64_t now = c.now, n = 1 + tsr_test_random_below(&s, 40);
        for (; n > 0 && p->n < EVENTS - CROWD; n--) {
            uint64_t kind = tsr_test_random_below(&s, 8), time = now;
            if (kind < 5)
                time += tsr_test_random_below(&s, 60);
            else if (kind < 7) /* about the length of the ring */
                time += CALENDAR_BUCKETS - 2 + tsr_test_random_below(&s, 5);
            else
                time += tsr_test_random_below(&s, 50000);
            put(&c, p, time, tsr_test_random_below(&s, 64) << 32 | key++);
        }
        if (tsr_test_random_below(&s, 3) == 0)
            take(&c, p);
    }
    /* a crowd, the last put first */
    uint64_t crowded = c.now + CALENDAR_BUCKETS + 7;
    for (uint64_t i = CROWD; i > 0; i--)
        put(&c, p, crowded, i << 32 | key++);
    while (take(&c, p))
        ;
    assert_false(c.failed);
    calendar_free(&c);
    free(p);
}

/* A handful, each further from the next than the ring is long: the heap alone sorts them. */
static void test_calendar_of_few_and_far_events(void **state)
{
    uint64_t s = tsr_test_seed("calendar, far", 2);
    struct plain *p = calloc(1, sizeof *p);
    struct calendar c;
    (void)state;
    assert_non_null(p);
    assert_true(calendar_init(&c));
    for (int round = 0; round < 500; round++) {
        uint64_t now = c.now;
        for (uint64_t n = 1 + tsr_test_random_below(&s, 9), i = 0; i < n; i++)
            put(&c, p, now + (1 + CALENDAR_BUCKETS) * tsr_test_random_below(&s, 30), i);
        for (uint64_t n = tsr_test_random_below(&s, 12); n > 0 && take(&c, p); n--)
            ;
    }
    while (take(&c, p))
        ;
    calendar_free(&c);
    free(p);
}

static void test_calendar_takes_what_its_own_cycle_gets_meanwhile(void **state)
{
    struct calendar c;
    (void)state;
    assert_true(calendar_init(&c));
    calendar_put(&c, (struct event){.time = 5, .key = 1});
    calendar_put(&c, (struct event){.time = 6, .key = 1});
    assert_true(calendar_next(&c));
    calendar_put(&c, (struct event){.time = 5, .key = 0, .a = 9});
    calendar_release(&c);
    assert_true(calendar_same_cycle(&c));
    assert_true(calendar_next(&c));
    assert_int_equal(c.now, 5);
    assert_int_equal(c.n_batch, 1);
    assert_int_equal(calendar_event(&c, 0)->a, 9);
    calendar_release(&c);
    assert_false(calendar_same_cycle(&c));
    assert_true(calendar_next(&c));
    assert_int_equal(c.now, 6);
    calendar_release(&c);
    assert_false(calendar_next(&c));
    calendar_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar_equals_a_sorted_list),
        cmocka_unit_test(test_calendar_of_few_and_far_events),
        cmocka_unit_test(test_calendar_takes_what_its_own_cycle_gets_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
