// SPDX-License-Identifier: Apache-2.0
// Writes to the accumulators: each tile of each step of an mma, each line of a fill, in its cycle.
#include "tests/rtl/lockstep_bench.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>

/* The RTL writes d x d words; those outside of the mma's rectangle have to stay what they are. */
void bench::compare_tile(const rtl_event *e)
{
    size_t d = l_->chip->tile.ttu.dim, side = 4 * d, n = e->value, m = e->bytes / 4 / n;
    size_t wide = (n + d - 1) / d, ti = cycle_ - e->cycle;
    size_t row = ti / wide * d, col = ti % wide * d; // in the rectangle
    size_t first_row = (e->address >> 4 & 15) * d + row, first_col = (e->address & 15) * d + col;
    size_t bank = (e->address >> 8) + ((first_row / side) << e->reg) + first_col / side;
    size_t at = bank << 8 | first_row % side / d << 4 | first_col % side / d;
    if (top_->tile_at_o != at) {
        differ("ttu: word %u writes accumulators 0x%x in the RTL, 0x%zx in the simulator", e->pc,
               top_->tile_at_o, at);
        return;
    }
    const auto *data = reinterpret_cast<const uint8_t *>(&top_->tile_data_o);
    for (size_t i = 0; i < d * d; i++) {
        size_t r = i / d, c = i % d;
        uint32_t here, want;
        uint32_t *word = &acc_[(bank * side + first_row % side + r) * side + first_col % side + c];
        memcpy(&here, data + 4 * i, 4);
        if (row + r < m && col + c < n)
            memcpy(&want, r_->data + e->data + 4 * ((row + r) * n + col + c), 4);
        else
            want = *word;
        if (here != want)
            differ("ttu: word %u leaves 0x%08x in row %zu, column %zu of accumulators 0x%zx in "
                   "the RTL, 0x%08x in the simulator",
                   e->pc, here, r, c, at, want);
        *word = here;
    }
}

/* What an mma that a fault cut short had written is not known. */
void bench::compare_steps()
{
    const rtl_stream *s = &r_->stream[RTL_ACC];
    const rtl_event *e = next_[RTL_ACC] < s->n ? &s->e[next_[RTL_ACC]] : nullptr;
    if (!e && r_->fault.kind)
        return;
    bool there = e && e->cycle <= cycle_;
    if (static_cast<bool>(top_->tile_o) != there) {
        differ("ttu: a tile of the accumulators is written in the %s only",
               there ? "simulator" : "RTL");
    } else if (there) {
        size_t d = l_->chip->tile.ttu.dim, n = e->value, m = e->bytes / 4 / n;
        compare_tile(e);
        if (cycle_ - e->cycle + 1 == (n + d - 1) / d * ((m + d - 1) / d))
            take(RTL_ACC);
    }
}

void bench::compare_fill()
{
    const rtl_event *e = due(RTL_FLINE);
    size_t lanes = l_->chip->tile.tvp.lanes;
    const auto *mask = reinterpret_cast<const uint8_t *>(&top_->fill_mask_o);
    const auto *data = reinterpret_cast<const uint8_t *>(&top_->fill_data_o);
    if (static_cast<bool>(top_->fill_o) != (e != nullptr))
        differ("acc: a fill writes accumulators in the %s only", e ? "simulator" : "RTL");
    if (!e)
        return;
    size_t i = next_[RTL_FLINE], n = e->bytes / 4;
    take(RTL_FLINE);
    if (!top_->fill_o)
        return;
    if (top_->fill_line_o != e->address / lanes)
        differ("acc: word %u fills line %u of the accumulators in the RTL, line %zu in the "
               "simulator",
               e->pc, top_->fill_line_o, static_cast<size_t>(e->address / lanes));
    const rtl_stream *told = &r_->stream[RTL_FDATA];
    for (size_t k = 0; k < lanes; k++) {
        size_t word = k - e->address % lanes;
        bool here = mask[k / 8] >> k % 8 & 1, want = word < n;
        uint32_t v, u;
        memcpy(&v, data + 4 * k, 4);
        if (here != want)
            differ("acc: word %u fills lane %zu in the %s only", e->pc, k,
                   here ? "RTL" : "simulator");
        if (here && top_->fill_line_o * lanes + k < acc_.size())
            acc_[top_->fill_line_o * lanes + k] = v;
        if (!here || !want || i >= told->n)
            continue;
        memcpy(&u, r_->data + told->e[i].data + 4 * word, 4);
        if (v != u)
            differ("acc: word %u fills lane %zu with 0x%08x in the RTL, 0x%08x in the simulator",
                   e->pc, k, v, u);
    }
    next_[RTL_FDATA] = std::min(i + 1, told->n);
}

void bench::compare_accumulators()
{
    compare_steps();
    compare_fill();
}
