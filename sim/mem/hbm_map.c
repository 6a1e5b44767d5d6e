/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses to channels, bank pairs and rows, and the proof that a configuration is usable. */
#include "sim/mem/hbm.h"

enum { MAX_SEGMENT_BITS = 40, MAX_TIMING = 1 << 16 };

static bool is_power(uint64_t v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

static uint32_t log2_of(uint64_t power)
{
    uint32_t n = 0;
    while (power >> n > 1)
        n++;
    return n;
}

static uint32_t parity(uint64_t v)
{
    return (uint32_t)__builtin_parityll(v);
}

static uint32_t pairs_of(const struct tsr_hbm_config *c)
{
    return c->bank_groups / 2 * c->banks_per_group;
}

static uint32_t segment_bits(const struct tsr_hbm_config *c)
{
    return log2_of(c->bytes / c->segment_bytes);
}

/* channel << pair bits | pair */
static uint32_t hash_slow(const struct tsr_hbm_config *c, uint64_t segment)
{
    uint32_t h = 0;
    for (uint32_t i = 0; i < c->bank_masks; i++)
        h |= parity(segment & c->bank_mask[i]) << i;
    for (uint32_t i = 0; i < c->channel_masks; i++)
        h |= parity(segment & c->channel_mask[i]) << (c->bank_masks + i);
    return h;
}

/* The segment bits whose hash depends on that of lower bits: together they tell apart the segments
 * of one channel and bank pair, so they are column (the lowest) and row. Returns the rank. */
static uint32_t dependent_bits(const struct tsr_hbm_config *c, uint64_t *dependent)
{
    uint32_t basis[2 * TSR_MAX_MASKS] = {0}; /* basis[i]: highest set bit is i */
    uint32_t rank = 0;
    *dependent = 0;
    for (uint32_t bit = 0; bit < segment_bits(c); bit++) {
        uint32_t v = hash_slow(c, 1ull << bit);
        for (uint32_t i = c->bank_masks + c->channel_masks; i-- > 0 && v;) {
            if (!(v >> i & 1))
                continue;
            if (!basis[i]) {
                basis[i] = v;
                break;
            }
            v ^= basis[i];
        }
        if (v)
            rank++;
        else
            *dependent |= 1ull << bit;
    }
    return rank;
}

/* The lowest dependent bits number the segments of a row. */
static uint32_t column_bits(const struct tsr_hbm_config *c)
{
    return log2_of(2ull * c->row_bytes / c->segment_bytes);
}

static uint64_t row_bits(const struct tsr_hbm_config *c)
{
    uint64_t rows;
    dependent_bits(c, &rows);
    for (uint32_t i = 0; i < column_bits(c); i++)
        rows &= rows - 1;
    return rows;
}

static uint32_t gather(uint64_t value, uint64_t mask)
{
    uint32_t out = 0, at = 0;
    for (; mask; mask &= mask - 1, at++)
        out |= (uint32_t)(value >> __builtin_ctzll(mask) & 1) << at;
    return out;
}

struct tsr_hbm_place tsr_hbm_map(const struct tsr_hbm_config *c, uint64_t address)
{
    uint64_t segment = address / c->segment_bytes, dependent, rows = row_bits(c);
    uint32_t h = hash_slow(c, segment);
    dependent_bits(c, &dependent);
    return (struct tsr_hbm_place){
        .channel = h >> c->bank_masks,
        .pair = h & (pairs_of(c) - 1),
        .row = gather(segment, rows),
        .column = gather(segment, dependent & ~rows),
    };
}

void tsr_hbm_tables_init(struct tsr_hbm_tables *t, const struct tsr_hbm_config *c)
{
    t->segment_shift = (uint8_t)log2_of(c->segment_bytes);
    t->pair_bits = (uint8_t)c->bank_masks;
    t->row_mask = row_bits(c);
    for (uint32_t byte = 0; byte < 5; byte++)
        for (uint32_t v = 0; v < 256; v++)
            t->hash[byte][v] = (uint16_t)hash_slow(c, (uint64_t)v << 8 * byte);
}

#define REFUSE(...) return tsr_error_set(err, TSR_BAD_INPUT, "hbm." __VA_ARGS__)

static enum tsr_status check_sizes(const struct tsr_hbm_config *c, struct tsr_error *err)
{
    if (c->stacks > TSR_MAX_STACKS || !is_power(c->stacks))
        REFUSE("stacks: %u, a power of two up to %d is allowed", c->stacks, TSR_MAX_STACKS);
    if (c->channels > 64 || !is_power(c->channels))
        REFUSE("channels: %u, a power of two up to 64 is allowed", c->channels);
    if (c->channel_bits < 8 || c->channel_bits > 1024 || !is_power(c->channel_bits))
        REFUSE("channel_bits: %u, a power of two from 8 to 1024 is allowed", c->channel_bits);
    if (c->clock_num < 1 || c->clock_num > 1024 || c->clock_den < 1 || c->clock_den > 1024)
        REFUSE("clock_num: %u / clock_den %u, both must lie in 1..1024", c->clock_num,
               c->clock_den);
    if (c->burst_clocks > 16 || !is_power(c->burst_clocks))
        REFUSE("burst_clocks: %u, a power of two up to 16 is allowed", c->burst_clocks);
    uint32_t burst_bytes = c->channel_bits / 8 * 2 * c->burst_clocks;
    if (!is_power(c->segment_bytes) || c->segment_bytes > 65536 ||
        c->segment_bytes % (2 * burst_bytes) != 0)
        REFUSE("segment_bytes: %u, a power of two up to 65536 that holds an even number of "
               "bursts of %u bytes is allowed", c->segment_bytes, burst_bytes);
    if (!is_power(c->row_bytes) || 2 * (uint64_t)c->row_bytes < c->segment_bytes)
        REFUSE("row_bytes: %u, a power of two of at least half a segment (%u) is allowed",
               c->row_bytes, c->segment_bytes / 2);
    if (c->bank_groups < 2 || c->bank_groups > 64 || !is_power(c->bank_groups))
        REFUSE("bank_groups: %u, a power of two from 2 to 64 is allowed", c->bank_groups);
    if (c->banks_per_group > 64 || !is_power(c->banks_per_group))
        REFUSE("banks_per_group: %u, a power of two up to 64 is allowed", c->banks_per_group);
    uint64_t rows = (uint64_t)c->stacks * c->channels * pairs_of(c) * 2 * c->row_bytes;
    if (!is_power(c->bytes) || c->bytes < rows ||
        c->bytes / c->segment_bytes > 1ull << MAX_SEGMENT_BITS)
        REFUSE("bytes: %llu, a power of two of at least %llu (one row in each bank) and at most "
               "2^%d segments is allowed", (unsigned long long)c->bytes, (unsigned long long)rows,
               MAX_SEGMENT_BITS);
    return TSR_OK;
}

static enum tsr_status check_masks(const struct tsr_hbm_config *c, struct tsr_error *err)
{
    uint32_t channel_bits = log2_of((uint64_t)c->stacks * c->channels);
    uint32_t pair_bits = log2_of(pairs_of(c)), bits = segment_bits(c);
    uint64_t dependent;
    if (c->channel_masks != channel_bits)
        REFUSE("channel_mask: %u rows, %u are needed (one for each bit of the channel number)",
               c->channel_masks, channel_bits);
    if (c->bank_masks != pair_bits)
        REFUSE("bank_mask: %u rows, %u are needed (one for each bit of the bank pair)",
               c->bank_masks, pair_bits);
    if (channel_bits + pair_bits > 16)
        REFUSE("channel_mask: %u rows with those of bank_mask, at most 16 are allowed",
               channel_bits + pair_bits);
    for (uint32_t i = 0; i < channel_bits; i++)
        if (c->channel_mask[i] >> bits)
            REFUSE("channel_mask: row %u has bits above the segment number's %u", i, bits);
    for (uint32_t i = 0; i < pair_bits; i++)
        if (c->bank_mask[i] >> bits)
            REFUSE("bank_mask: row %u has bits above the segment number's %u", i, bits);
    uint32_t rank = dependent_bits(c, &dependent);
    if (rank != channel_bits + pair_bits)
        REFUSE("channel_mask: rank %u over GF(2) together with bank_mask, %u is needed "
               "(no row may be the sum of others)", rank, channel_bits + pair_bits);
    return TSR_OK;
}

static enum tsr_status check_timings(const struct tsr_hbm_config *c, struct tsr_error *err)
{
    const struct {
        const char *key;
        uint32_t value, least;
    } t[] = {
        {"t_rcd", c->t_rcd, 1}, {"t_rp", c->t_rp, 1}, {"t_ras", c->t_ras, 1}, {"t_rc", c->t_rc, 1},
        {"t_rrd", c->t_rrd, 1}, {"t_faw", c->t_faw, 1}, {"t_ccd_s", c->t_ccd_s, 1},
        {"t_ccd_l", c->t_ccd_l, 1}, {"t_rtp", c->t_rtp, 1}, {"t_wr", c->t_wr, 1},
        {"t_wtr", c->t_wtr, 1}, {"t_rtw", c->t_rtw, 1}, {"t_cl", c->t_cl, 1},
        {"t_cwl", c->t_cwl, 1}, {"t_refi", c->t_refi, 0}, {"t_rfc_pb", c->t_rfc_pb, 0},
        {"write_drain", c->write_drain, 1}, {"lookahead", c->lookahead, 1},
        {"controller_cycles", c->controller_cycles, 1},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (t[i].value < t[i].least || t[i].value > MAX_TIMING)
            REFUSE("%s: %u, %u..%d is allowed", t[i].key, t[i].value, t[i].least, MAX_TIMING);
    /* Bursts of alternating bank groups follow each other without a gap. */
    if (c->t_ccd_s > c->burst_clocks)
        REFUSE("t_ccd_s: %u, at most burst_clocks (%u) is allowed", c->t_ccd_s, c->burst_clocks);
    if (c->t_ccd_l > 2 * c->burst_clocks)
        REFUSE("t_ccd_l: %u, at most 2 * burst_clocks (%u) is allowed", c->t_ccd_l,
               2 * c->burst_clocks);
    /* A write's data must not meet that of the read before it on the pins. */
    if (c->t_rtw + c->t_cwl < c->t_cl + c->burst_clocks)
        REFUSE("t_rtw: %u, at least t_cl - t_cwl + burst_clocks is needed", c->t_rtw);
    /* Between two refreshes of a bank pair the longest row cycle must fit, twice over. */
    uint32_t clocks = c->segment_bytes / (c->channel_bits / 8 * 2);
    uint32_t after = c->t_cwl + c->burst_clocks + c->t_wr;
    uint32_t cycle = c->t_rrd + c->t_faw + c->t_rcd + clocks + c->t_rp + c->t_rc + c->t_ras +
                     (after > c->t_rtp ? after : c->t_rtp);
    if (c->t_refi && (uint64_t)c->t_refi * pairs_of(c) < c->t_rfc_pb + 2 * (uint64_t)cycle)
        REFUSE("t_refi: %u, times %u bank pairs must be at least t_rfc_pb and two row cycles (%u)",
               c->t_refi, pairs_of(c), c->t_rfc_pb + 2 * cycle);
    return TSR_OK;
}

enum tsr_status tsr_hbm_check(const struct tsr_hbm_config *config, struct tsr_error *err)
{
    enum tsr_status s = check_sizes(config, err);
    if (s == TSR_OK)
        s = check_masks(config, err);
    if (s == TSR_OK)
        s = check_timings(config, err);
    return s;
}
