/* SPDX-License-Identifier: Apache-2.0 */
/* The mesh: routes, multicast trees, and contention against a model that moves every 256 bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/mem/mesh.h"
#include "tests/support/harness.h"

static const struct tsr_mesh_config shapes[] = {
    {4, 4, 256, 3, 8, 2}, {1, 1, 256, 3, 8, 2}, {8, 1, 128, 1, 1, 0},
    {1, 5, 64, 2, 3, 1},  {3, 5, 256, 4, 8, 2}, {8, 8, 100, 3, 8, 2},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static struct tsr_mesh *mesh_of(const struct tsr_mesh_config *c)
{
    struct tsr_mesh *m = malloc(sizeof *m);
    struct tsr_error err = {0};
    assert_non_null(m);
    if (tsr_mesh_check(c, &err) != TSR_OK)
        fail_msg("%s", err.message);
    tsr_mesh_init(m, c);
    return m;
}

static void test_route_goes_x_first_and_shortest(void **state)
{
    (void)state;
    for (int s = 0; s < SHAPES; s++) {
        struct tsr_mesh *m = mesh_of(&shapes[s]);
        uint32_t columns = shapes[s].x;
        for (uint32_t from = 0; from < m->clusters; from++)
            for (uint32_t to = 0; to < m->clusters; to++) {
                uint32_t at = from, hops = 0;
                bool vertical = false;
                for (enum tsr_mesh_port p; (p = tsr_mesh_route(m, at, to)) != TSR_MESH_LOCAL;) {
                    bool along_y = p == TSR_MESH_NORTH || p == TSR_MESH_SOUTH;
                    assert_false(vertical && !along_y);
                    vertical = along_y;
                    assert_int_equal(along_y, at % columns == to % columns);
                    at = tsr_mesh_neighbour(m, at, p);
                    assert_true(at < m->clusters && ++hops < 200);
                }
                assert_int_equal(at, to);
                assert_int_equal(hops, tsr_mesh_hops(&shapes[s], from, to));
                assert_int_equal(tsr_mesh_request_cycles(&shapes[s], from, to),
                                 shapes[s].request_cycles + hops * shapes[s].request_hop_cycles);
            }
        free(m);
    }
}

static void test_neighbour_pairs_point_at_each_other(void **state)
{
    (void)state;
    struct tsr_mesh *m = mesh_of(&shapes[0]);
    assert_int_equal(tsr_mesh_neighbour(m, 5, TSR_MESH_EAST), 6);
    assert_int_equal(tsr_mesh_neighbour(m, 5, TSR_MESH_WEST), 4);
    assert_int_equal(tsr_mesh_neighbour(m, 5, TSR_MESH_NORTH), 1);
    assert_int_equal(tsr_mesh_neighbour(m, 5, TSR_MESH_SOUTH), 9);
    assert_int_equal(tsr_mesh_neighbour(m, 3, TSR_MESH_EAST), UINT32_MAX);
    assert_int_equal(tsr_mesh_neighbour(m, 4, TSR_MESH_WEST), UINT32_MAX);
    assert_int_equal(tsr_mesh_neighbour(m, 3, TSR_MESH_NORTH), UINT32_MAX);
    assert_int_equal(tsr_mesh_neighbour(m, 12, TSR_MESH_SOUTH), UINT32_MAX);
    free(m);
}

/* Follows a multicast; counts the copies each cluster gets and the links each copy takes. */
static void follow(const struct tsr_mesh *m, uint32_t router, uint64_t set, uint32_t *copies,
                   uint32_t *links)
{
    uint64_t out[TSR_MESH_FORKS], all = 0;
    tsr_mesh_fork(m, router, set, out);
    for (uint32_t p = 0; p < TSR_MESH_FORKS; p++) {
        assert_int_equal(all & out[p], 0);
        all |= out[p];
        for (uint32_t c = 0; c < m->clusters; c++)
            if (out[p] >> c & 1)
                assert_int_equal(p, tsr_mesh_route(m, router, c));
        if (out[p] == 0)
            continue;
        if (p == TSR_MESH_LOCAL) {
            assert_int_equal(out[p], 1ull << router);
            copies[router]++;
            continue;
        }
        assert_int_equal(links[router * TSR_MESH_PORTS + p]++, 0);
        follow(m, tsr_mesh_neighbour(m, router, (enum tsr_mesh_port)p), out[p], copies, links);
    }
    assert_int_equal(all, set);
}

static void test_fork_reaches_each_destination_once(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("multicast", 21);
    for (int i = 0; i < 3000; i++) {
        struct tsr_mesh *m = mesh_of(&shapes[i % SHAPES]);
        uint64_t every = m->clusters == 64 ? UINT64_MAX : (1ull << m->clusters) - 1;
        uint64_t set = tsr_test_random(&seed) & every;
        uint32_t from = (uint32_t)tsr_test_random_below(&seed, m->clusters);
        uint32_t copies[64] = {0}, links[64 * TSR_MESH_PORTS] = {0};
        set = i % 5 == 0 ? every : i % 5 == 1 ? set & tsr_test_random(&seed) : set;
        follow(m, from, set, copies, links);
        for (uint32_t c = 0; c < m->clusters; c++)
            assert_int_equal(copies[c], set >> c & 1);
        free(m);
    }
}

static void test_hop_reserves_without_overlap(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("one link", 22), cycle = 0, free_cycle = 0, busy = 0, wait = 0;
    struct tsr_mesh *m = mesh_of(&shapes[0]);
    for (int i = 0; i < 2000; i++) {
        uint32_t bytes = 1 + (uint32_t)tsr_test_random_below(&seed, 1024);
        uint32_t occupancy = (bytes + 255) / 256;
        cycle += tsr_test_random_below(&seed, 6);
        uint64_t start = tsr_mesh_hop(m, 5, TSR_MESH_SOUTH, cycle, bytes);
        assert_int_equal(start, cycle > free_cycle ? cycle : free_cycle);
        assert_int_equal(tsr_mesh_occupancy_cycles(m, bytes), occupancy);
        free_cycle = start + occupancy;
        busy += occupancy;
        wait = start - cycle > wait ? start - cycle : wait;
    }
    struct tsr_mesh_stats s = tsr_mesh_stats(m);
    assert_int_equal(s.packets, 2000);
    assert_int_equal(s.busy_cycles, busy);
    assert_int_equal(s.busy_max, busy);
    assert_int_equal(s.busy_router, 5);
    assert_int_equal(s.busy_port, TSR_MESH_SOUTH);
    assert_int_equal(s.backlog_max, wait);
    assert_int_equal(tsr_mesh_hop(m, 5, TSR_MESH_NORTH, 7, 1), 7);
    free(m);
}

/* ---- contention: all packets through the event model and through a ticking one */

enum { PACKETS = 400, MAX_HOPS = 16 };

struct packet {
    uint64_t cycle; /* when its head is at the source's router */
    uint32_t from, to, bytes;
};

struct head { /* a packet's head at a router, not yet on its way */
    uint64_t cycle;
    uint32_t packet, router, input;
};

/* Input port: where it came from; LOCAL for the source's own packets. Of one cycle, router and
 * port there can be several only at LOCAL: the lower packet number first. */
static bool before(const struct head *a, const struct head *b)
{
    if (a->cycle != b->cycle)
        return a->cycle < b->cycle;
    if (a->input != b->input)
        return a->input < b->input;
    return a->packet < b->packet;
}

static uint32_t opposite(enum tsr_mesh_port p)
{
    static const uint32_t other[] = {TSR_MESH_WEST, TSR_MESH_EAST, TSR_MESH_SOUTH,
                                     TSR_MESH_NORTH};
    return other[p];
}

static void run_events(struct tsr_mesh *m, const struct packet *p, uint64_t *done)
{
    struct head heads[PACKETS];
    uint32_t n = PACKETS;
    for (uint32_t i = 0; i < n; i++)
        heads[i] = (struct head){p[i].cycle, i, p[i].from, TSR_MESH_LOCAL};
    while (n) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < n; i++)
            if (before(&heads[i], &heads[best]))
                best = i;
        struct head h = heads[best];
        const struct packet *q = &p[h.packet];
        enum tsr_mesh_port port = tsr_mesh_route(m, h.router, q->to);
        uint64_t start = tsr_mesh_hop(m, h.router, port, h.cycle, q->bytes);
        uint64_t arrival = start + m->config.hop_cycles;
        if (port == TSR_MESH_LOCAL) {
            done[h.packet] = arrival + tsr_mesh_occupancy_cycles(m, q->bytes);
            heads[best] = heads[--n];
        } else {
            heads[best] = (struct head){arrival, h.packet, tsr_mesh_neighbour(m, h.router, port),
                                        opposite(port)};
        }
    }
}

/* Cycle by cycle: each link that is idle takes the first of the heads that wait for it, and then
 * moves link_bytes of it per cycle until nothing is left. Routes are worked out here again. */
static void run_ticks(const struct tsr_mesh_config *c, const struct packet *p, uint64_t *done)
{
    struct head heads[PACKETS];
    uint32_t left[64 * TSR_MESH_PORTS] = {0}, gone = 0;
    for (uint32_t i = 0; i < PACKETS; i++)
        heads[i] = (struct head){p[i].cycle, i, p[i].from, TSR_MESH_LOCAL};
    for (uint64_t cycle = 0; gone < PACKETS; cycle++)
        for (uint32_t l = 0; l < c->x * c->y * TSR_MESH_PORTS; l++) {
            uint32_t router = l / TSR_MESH_PORTS, port = l % TSR_MESH_PORTS, best = PACKETS;
            for (uint32_t i = 0; i < PACKETS && left[l] == 0; i++) {
                const struct head *h = &heads[i];
                uint32_t to = p[h->packet].to, wants = TSR_MESH_LOCAL;
                if (h->router != router || h->cycle > cycle)
                    continue;
                if (to / c->x != router / c->x)
                    wants = to / c->x > router / c->x ? TSR_MESH_SOUTH : TSR_MESH_NORTH;
                if (to % c->x != router % c->x)
                    wants = to % c->x > router % c->x ? TSR_MESH_EAST : TSR_MESH_WEST;
                if (wants == port && (best == PACKETS || before(h, &heads[best])))
                    best = i;
            }
            if (best < PACKETS) {
                struct head *h = &heads[best];
                uint32_t bytes = p[h->packet].bytes, step[] = {1, -1u, -c->x, c->x};
                left[l] = bytes;
                h->cycle = cycle + c->hop_cycles;
                h->input = port < TSR_MESH_LOCAL ? port ^ 1 : 0;
                h->router = port < TSR_MESH_LOCAL ? router + step[port] : UINT32_MAX;
                if (port == TSR_MESH_LOCAL) {
                    done[h->packet] = h->cycle + (bytes - 1) / c->link_bytes + 1;
                    gone++;
                }
            }
            left[l] -= left[l] < c->link_bytes ? left[l] : c->link_bytes;
        }
}

static void test_contention_equals_ticking_model(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("packets", 23), waited = 0;
    for (int round = 0; round < 3 * SHAPES; round++) {
        const struct tsr_mesh_config *c = &shapes[round % SHAPES];
        struct tsr_mesh *m = mesh_of(c);
        struct packet p[PACKETS];
        uint64_t done[PACKETS], ticked[PACKETS], span = round / SHAPES == 0 ? 200 : 1500;
        for (uint32_t i = 0; i < PACKETS; i++) {
            bool hot = round / SHAPES == 2 && i % 2; /* half of them to one cluster */
            p[i] = (struct packet){tsr_test_random_below(&seed, span),
                                   (uint32_t)tsr_test_random_below(&seed, m->clusters),
                                   (uint32_t)tsr_test_random_below(&seed, m->clusters),
                                   1 + (uint32_t)tsr_test_random_below(&seed, 1024)};
            p[i].to = hot ? m->clusters / 2 : p[i].to;
        }
        run_events(m, p, done);
        run_ticks(c, p, ticked);
        for (uint32_t i = 0; i < PACKETS; i++) {
            if (done[i] != ticked[i])
                fail_msg("round %d packet %u: %llu, ticking %llu", round, i,
                         (unsigned long long)done[i], (unsigned long long)ticked[i]);
            uint32_t hops = tsr_mesh_hops(c, p[i].from, p[i].to);
            uint64_t alone = p[i].cycle + (hops + 1) * c->hop_cycles +
                             tsr_mesh_occupancy_cycles(m, p[i].bytes);
            assert_true(done[i] >= alone);
            waited += done[i] > alone;
        }
        free(m);
    }
    printf("packets that had to wait: %llu of %d\n", (unsigned long long)waited,
           3 * SHAPES * PACKETS);
    assert_true(waited > PACKETS);
}

static void expect_refused(struct tsr_mesh_config c, const char *start)
{
    struct tsr_error err = {0};
    assert_int_equal(tsr_mesh_check(&c, &err), TSR_BAD_INPUT);
    if (strncmp(err.message, start, strlen(start)) != 0)
        fail_msg("%s expected, got: %s", start, err.message);
}

static void test_check_bad_configurations_refused(void **state)
{
    (void)state;
    expect_refused((struct tsr_mesh_config){0, 4, 256, 3, 8, 2}, "mesh.x: ");
    expect_refused((struct tsr_mesh_config){4, 0, 256, 3, 8, 2}, "mesh.y: ");
    expect_refused((struct tsr_mesh_config){8, 9, 256, 3, 8, 2}, "mesh.y: ");
    expect_refused((struct tsr_mesh_config){4, 4, 0, 3, 8, 2}, "mesh.link_bytes: ");
    expect_refused((struct tsr_mesh_config){4, 4, 256, 0, 8, 2}, "mesh.hop_cycles: ");
    expect_refused((struct tsr_mesh_config){4, 4, 256, 3, 0, 2}, "mesh.request_cycles: ");
    expect_refused((struct tsr_mesh_config){4, 4, 256, 3, 8, 1 << 20}, "mesh.request_hop_cycles");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route_goes_x_first_and_shortest),
        cmocka_unit_test(test_neighbour_pairs_point_at_each_other),
        cmocka_unit_test(test_fork_reaches_each_destination_once),
        cmocka_unit_test(test_hop_reserves_without_overlap),
        cmocka_unit_test(test_contention_equals_ticking_model),
        cmocka_unit_test(test_check_bad_configurations_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
