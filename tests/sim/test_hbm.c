/* SPDX-License-Identifier: Apache-2.0 */
/* The HBM model: its address map, what it refuses, its times against the ticking oracle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/hbm.h"
#include "tests/support/hbm_oracle.h"

/* ---- the map */

static void test_map_all_segments_places_differ(void **state)
{
    (void)state;
    struct tsr_hbm_config c = tsr_test_hbm_config("maia100");
    c.bytes = 1ull << 26; /* a corner of the masks, small enough to enumerate */
    for (int i = 0; i < TSR_MAX_MASKS; i++) {
        c.channel_mask[i] &= 0xffff;
        c.bank_mask[i] &= 0xffff;
    }
    struct tsr_error err = {0};
    if (tsr_hbm_check(&c, &err) != TSR_OK)
        fail_msg("%s", err.message);
    uint32_t pairs = 1u << c.bank_masks, columns = 2 * c.row_bytes / c.segment_bytes;
    uint32_t rows = (1u << 16) / (pairs * columns * c.stacks * c.channels);
    uint8_t *seen = calloc(1 << 16, 1);
    assert_non_null(seen);
    for (uint32_t s = 0; s < 1u << 16; s++) {
        struct tsr_hbm_place p = tsr_hbm_map(&c, (uint64_t)s * c.segment_bytes + s % 1024);
        assert_true(p.channel < c.stacks * c.channels && p.pair < pairs);
        assert_true(p.row < rows && p.column < columns);
        uint32_t at = ((p.channel * pairs + p.pair) * rows + p.row) * columns + p.column;
        assert_int_equal(seen[at]++, 0);
    }
    free(seen);
}

static void test_map_tables_agree(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("map", 1);
    struct tsr_hbm_config c = tsr_test_hbm_config("maia100");
    struct tsr_hbm_tables t;
    tsr_hbm_tables_init(&t, &c);
    uint32_t last_row = 0;
    uint64_t last_key = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t a = tsr_test_random_below(&seed, c.bytes);
        struct tsr_hbm_place p = tsr_hbm_map(&c, a);
        uint32_t h = tsr_hbm_hash(&t, a >> t.segment_shift);
        uint64_t key = a >> t.segment_shift & t.row_mask;
        assert_int_equal(h >> t.pair_bits, p.channel);
        assert_int_equal(tsr_hbm_channel(&t, a), p.channel);
        assert_int_equal(h & ((1u << t.pair_bits) - 1), p.pair);
        assert_int_equal(key == last_key, p.row == last_row);
        last_key = key;
        last_row = p.row;
    }
}

/* Row-major weights: the segments of one column of tiles lie a row of the matrix apart. */
static void test_map_strides_spread_over_channels_and_pairs(void **state)
{
    (void)state;
    struct tsr_hbm_config c = tsr_test_hbm_config("maia100");
    struct tsr_hbm_tables t;
    tsr_hbm_tables_init(&t, &c);
    uint32_t channels = c.stacks * c.channels, n = 16 * channels, worst = 0;
    uint64_t worst_stride = 0;
    for (uint32_t shift = 0; shift <= 14; shift++)
        for (uint64_t odd = 1; odd <= 13; odd += 2) {
            uint32_t load[1024] = {0}, pair_load[16] = {0};
            uint64_t stride = odd << shift, last = c.bytes / c.segment_bytes - 1;
            for (uint32_t i = 0; i < n; i++) {
                uint32_t h = tsr_hbm_hash(&t, (i * stride) & last);
                load[h >> t.pair_bits]++;
                pair_load[h & 15]++;
            }
            for (uint32_t k = 0; k < channels; k++)
                if (load[k] > worst) {
                    worst = load[k];
                    worst_stride = stride;
                }
            for (uint32_t k = 0; k < 16; k++)
                assert_in_range(pair_load[k], n / 64, n / 6); /* even: n / 16 */
        }
    printf("strides: busiest channel has %u of %u segments (even: 16), stride %llu segments\n",
           worst, n, (unsigned long long)worst_stride);
    assert_true(worst <= 40);
}

static void expect_refused(struct tsr_hbm_config c, const char *key)
{
    struct tsr_error err = {0};
    char start[40];
    snprintf(start, sizeof start, "hbm.%s:", key);
    assert_int_equal(tsr_hbm_check(&c, &err), TSR_BAD_INPUT);
    if (strncmp(err.message, start, strlen(start)) != 0)
        fail_msg("%s expected, got: %s", start, err.message);
}

#define REFUSED(field, value)                                                                      \
    do {                                                                                           \
        struct tsr_hbm_config changed = good;                                                      \
        changed.field = (value);                                                                   \
        expect_refused(changed, #field);                                                           \
    } while (0)

static void test_check_bad_configurations_refused(void **state)
{
    (void)state;
    struct tsr_hbm_config good = tsr_test_hbm_config("maia100"), bad = good;
    REFUSED(stacks, 3);
    REFUSED(stacks, 0);
    REFUSED(channels, 12);
    REFUSED(channel_bits, 60);
    REFUSED(clock_num, 0);
    REFUSED(burst_clocks, 3);
    REFUSED(segment_bytes, 1000);
    REFUSED(segment_bytes, 32);
    REFUSED(row_bytes, 256);
    REFUSED(bank_groups, 1);
    REFUSED(banks_per_group, 3);
    REFUSED(bytes, good.bytes - 1);
    REFUSED(bytes, 1024);
    REFUSED(t_rcd, 0);
    REFUSED(t_ccd_s, good.burst_clocks + 1);
    REFUSED(t_ccd_l, 2 * good.burst_clocks + 1);
    REFUSED(t_rtw, 1);
    REFUSED(t_refi, 10);
    REFUSED(lookahead, 0);
    REFUSED(write_drain, 0);
    bad.channel_masks--;
    expect_refused(bad, "channel_mask");
    bad = good;
    bad.bank_masks++;
    expect_refused(bad, "bank_mask");
    bad = good;
    bad.bank_mask[0] |= 1ull << 50;
    expect_refused(bad, "bank_mask");
    bad = good; /* one row the sum of others, across the two sets */
    bad.bank_mask[1] = bad.bank_mask[0] ^ bad.channel_mask[2] ^ bad.channel_mask[5];
    expect_refused(bad, "channel_mask");
}

/* ---- against the oracle */

/* Drives one channel of the fast model with requests in order of cycle. */
static struct tsr_hbm_stats run_fast(const struct tsr_hbm_config *c,
                                     const struct tsr_hbm_oracle_request *r, uint32_t n,
                                     uint64_t *done)
{
    void *memory = tsr_test_hbm_memory(c, n);
    struct tsr_hbm *h = tsr_hbm_init(memory, c, n);
    uint64_t decide = TSR_HBM_NEVER;
    for (uint32_t i = 0; i < n || decide != TSR_HBM_NEVER;) {
        if (i < n && r[i].cycle <= decide) {
            struct tsr_hbm_request q = {r[i].address, r[i].bytes, i, r[i].write};
            uint32_t channel = tsr_hbm_channel(tsr_hbm_tables(h), q.address);
            uint64_t at = tsr_hbm_arrive(h, channel, r[i].cycle, &q);
            assert_int_equal(channel, 0);
            decide = at != TSR_HBM_NEVER ? at : decide;
            i++;
        } else {
            struct tsr_hbm_done d;
            uint64_t next = tsr_hbm_next(h, 0, decide, &d);
            assert_true(d.cycle > decide && next > decide);
            done[d.id] = d.cycle;
            decide = next;
        }
    }
    assert_int_equal(tsr_hbm_waiting(h, 0), 0);
    struct tsr_hbm_stats stats = tsr_hbm_channel_stats(h, 0);
    free(memory);
    return stats;
}

static void expect_equal(const struct tsr_hbm_config *c, const struct tsr_hbm_oracle_request *r,
                         uint32_t n, const char *what, uint64_t number)
{
    uint64_t *fast = calloc(n, sizeof *fast), *slow = calloc(n, sizeof *slow), bytes = 0;
    struct tsr_hbm_oracle_counts counts;
    assert_true(fast && slow);
    struct tsr_hbm_stats s = run_fast(c, r, n, fast);
    const char *broken = tsr_hbm_oracle_run(c, r, n, slow, &counts);
    if (broken)
        fail_msg("%s %llu: %s", what, (unsigned long long)number, broken);
    for (uint32_t i = 0; i < n; i++) {
        bytes += r[i].bytes;
        if (fast[i] != slow[i])
            fail_msg("%s %llu: request %u of cycle %llu: done %llu, the oracle says %llu", what,
                     (unsigned long long)number, i, (unsigned long long)r[i].cycle,
                     (unsigned long long)fast[i], (unsigned long long)slow[i]);
    }
    assert_int_equal(s.row_misses + s.row_conflicts, counts.activates);
    assert_int_equal(s.busy_clocks, counts.columns * c->burst_clocks);
    assert_int_equal(s.read_bytes + s.write_bytes, bytes);
    assert_int_equal(s.reads + s.writes, n);
    free(fast);
    free(slow);
}

enum {
    N_ORACLE = 300
};
enum pattern {
    SEQUENTIAL,
    STRIDED,
    RANDOM,
    FOUR_STREAMS,
    ONE_PAIR,
    PATTERNS
};
enum size {
    SEGMENT,
    BYTES_64,
    ANY,
    QUARTER,
    SIZES
};
enum mix {
    READS,
    WRITES,
    HALF,
    TENTH,
    PHASES,
    MIXES
};

/* Eight segments, in four rows, of one bank pair. */
static void segments_of_a_pair(const struct tsr_hbm_config *c, uint64_t segment[8])
{
    uint32_t pair = tsr_hbm_map(c, 0).pair, n = 0;
    for (uint64_t s = 0; n < 8; s++)
        if (tsr_hbm_map(c, s * c->segment_bytes).pair == pair)
            segment[n++] = s;
}

static void fill(const struct tsr_hbm_config *c, struct tsr_hbm_oracle_request *r, uint64_t *seed,
                 enum pattern pattern, enum size size, enum mix mix, uint64_t gap)
{
    static const uint64_t spans[] = {64, 1024, 1 << 18};
    uint64_t stride = 1 + tsr_test_random_below(seed, 70), cycle = 0;
    uint64_t span = spans[tsr_test_random_below(seed, 3)], all = c->bytes / c->segment_bytes;
    uint64_t pair[8];
    segments_of_a_pair(c, pair);
    for (uint32_t i = 0; i < N_ORACLE; i++) {
        uint64_t at[PATTERNS] = {i, i * stride, tsr_test_random_below(seed, span),
                                 i % 4 * 1000 + i / 4, pair[tsr_test_random_below(seed, 8)]};
        uint32_t any = (uint32_t)tsr_test_random_below(seed, c->segment_bytes);
        uint32_t left = 1 + (uint32_t)tsr_test_random_below(seed, c->segment_bytes - any);
        uint32_t quarter = c->segment_bytes / 4;
        uint32_t offset[SIZES] = {0, any / 64 * 64, any, any / quarter * quarter};
        uint32_t bytes[SIZES] = {c->segment_bytes, 64, left, quarter};
        bool write[MIXES] = {false, true, tsr_test_random(seed) & 1,
                             tsr_test_random_below(seed, 10) == 0, i / 50 & 1};
        cycle += gap ? tsr_test_random_below(seed, 2 * gap) : 0;
        cycle += tsr_test_random_below(seed, 97) == 0 ? tsr_test_random_below(seed, 20000) : 0;
        r[i] = (struct tsr_hbm_oracle_request){
            cycle, at[pattern] % all * c->segment_bytes + offset[size], bytes[size], write[mix]};
    }
}

static void vary(struct tsr_hbm_config *c, uint64_t *seed)
{
    uint64_t v = tsr_test_random(seed);
#define SOMETIMES(bit) ((v >> (bit)&3) == 0)
    c->t_refi = SOMETIMES(0) ? 0 : c->t_refi;
    c->lookahead = SOMETIMES(2) ? 1 + (uint32_t)tsr_test_random_below(seed, 8) : c->lookahead;
    c->write_drain = SOMETIMES(4) ? 1 + (uint32_t)tsr_test_random_below(seed, 8) : c->write_drain;
    c->clock_num = SOMETIMES(6) ? 1 + (uint32_t)tsr_test_random_below(seed, 9) : c->clock_num;
    c->clock_den = SOMETIMES(6) ? 1 + (uint32_t)tsr_test_random_below(seed, 9) : c->clock_den;
    c->t_faw = SOMETIMES(8) ? 20 + (uint32_t)tsr_test_random_below(seed, 60) : c->t_faw;
    c->t_rrd = SOMETIMES(10) ? 1 + (uint32_t)tsr_test_random_below(seed, 12) : c->t_rrd;
    c->t_ccd_l = SOMETIMES(12) ? 2 : c->t_ccd_l;
    c->t_rc = SOMETIMES(14) ? 86 + (uint32_t)tsr_test_random_below(seed, 30) : c->t_rc;
    c->t_refi = SOMETIMES(16) && c->t_refi ? 100 : c->t_refi;
#undef SOMETIMES
}

static void test_times_shipped_timings_equal_oracle(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("hbm streams", 11);
    struct tsr_hbm_config c = tsr_test_hbm_config("micro");
    struct tsr_hbm_oracle_request r[N_ORACLE];
    for (uint64_t i = 0; i < PATTERNS * MIXES; i++) {
        enum size size = (enum size)(i % SIZES);
        fill(&c, r, &seed, (enum pattern)(i / MIXES), size, (enum mix)(i % MIXES), i % 3 * 30);
        expect_equal(&c, r, N_ORACLE, "stream", i);
    }
}

static void test_times_random_timings_equal_oracle(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("hbm timings", 12);
    static const uint64_t gaps[] = {0, 10, 60, 150, 700};
    struct tsr_hbm_oracle_request r[N_ORACLE];
    for (int i = 0, n = tsr_test_nightly() ? 2000 : 80; i < n; i++) {
        uint64_t start = seed;
        struct tsr_hbm_config c = tsr_test_hbm_config("micro");
        struct tsr_error err = {0};
        vary(&c, &seed);
        if (tsr_hbm_check(&c, &err) != TSR_OK)
            fail_msg("%s", err.message);
        enum pattern pattern = (enum pattern)tsr_test_random_below(&seed, PATTERNS);
        enum size size = (enum size)tsr_test_random_below(&seed, SIZES);
        enum mix mix = (enum mix)tsr_test_random_below(&seed, MIXES);
        fill(&c, r, &seed, pattern, size, mix, gaps[tsr_test_random_below(&seed, 5)]);
        expect_equal(&c, r, N_ORACLE, "seed", start);
    }
}

/* A lone read of an idle channel: both activates, the row's delay, the latency, the beats. */
static void test_times_idle_read_takes_its_latency(void **state)
{
    (void)state;
    struct tsr_hbm_config c = tsr_test_hbm_config("micro");
    struct tsr_hbm_oracle_request r = {100, 0, c.segment_bytes, false};
    uint64_t done, clock = 100ull * c.clock_num / c.clock_den;
    run_fast(&c, &r, 1, &done);
    clock += c.t_rrd - c.burst_clocks + c.t_rcd + c.t_cl + c.segment_bytes / (c.channel_bits / 4);
    assert_int_equal(done,
                     (clock * c.clock_den + c.clock_num - 1) / c.clock_num + c.controller_cycles);
}

/* Nothing waits for ever: a read whose bank is always busy among hits elsewhere, and one write
 * under a stream of reads. */
static void test_times_old_requests_are_served(void **state)
{
    (void)state;
    enum {
        N = 400
    };
    struct tsr_hbm_config c = tsr_test_hbm_config("micro");
    struct tsr_hbm_oracle_request r[N];
    uint64_t done[N], bytes = c.segment_bytes;
    for (uint32_t i = 0; i < N; i++) /* pieces of two rows: hits for the scheduler */
        r[i] = (struct tsr_hbm_oracle_request){i * 2, i % 16 * 64 + i / 16 % 2 * bytes, 64, false};
    r[5].address = 1ull << 20;
    r[7].write = true;
    run_fast(&c, r, N, done);
    uint32_t before_read = 0, before_write = 0;
    for (uint32_t i = 0; i < N; i++) {
        before_read += done[i] < done[5];
        before_write += done[i] < done[7];
    }
    assert_in_range(before_read, 1, 5 + 1 + TSR_HBM_PATIENCE);
    assert_in_range(before_write, 1, 8 + 1 + TSR_HBM_WRITE_PATIENCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_all_segments_places_differ),
        cmocka_unit_test(test_map_tables_agree),
        cmocka_unit_test(test_map_strides_spread_over_channels_and_pairs),
        cmocka_unit_test(test_check_bad_configurations_refused),
        cmocka_unit_test(test_times_shipped_timings_equal_oracle),
        cmocka_unit_test(test_times_random_timings_equal_oracle),
        cmocka_unit_test(test_times_idle_read_takes_its_latency),
        cmocka_unit_test(test_times_old_requests_are_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
