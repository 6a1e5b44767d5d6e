// SPDX-License-Identifier: Apache-2.0
// Writes to the accumulators: the RTL's are followed, and what an mma or a fill leaves there is
// compared when it retires, in the cycle of its last write.
#include "tests/rtl/lockstep_bench.h"

#include <cinttypes>
#include <cstring>

/* The queue's instruction at pc has retired: the first of its results that has not been seen. */
void bench::left_by(unsigned queue, uint32_t pc)
{
    const rtl_stream *s = &r_->stream[RTL_ACC];
    size_t &i = shown_[queue];
    while (i < s->n && s->e[i].queue != queue)
        i++;
    if (i == s->n || s->e[i].pc != pc) // tsync, a drain
        return;
    const rtl_event *e = &s->e[i++];
    next_[RTL_ACC]++;
    size_t d = l_->chip->tile.ttu.dim, side = 4 * d, n = e->value;
    for (size_t k = 0; k < e->bytes / 4; k++) {
        size_t row = (e->address >> 4 & 15) * d + k / n, col = (e->address & 15) * d + k % n;
        size_t bank = (e->address >> 8) + ((row / side) << e->reg) + col / side;
        uint32_t want, here = acc_[(bank * side + row % side) * side + col % side];
        memcpy(&want, r_->data + e->data + 4 * k, 4);
        if (here != want) {
            differ("%s: word %u leaves 0x%08x in row %zu, column %zu of bank %zu in the RTL, "
                   "0x%08x in the simulator",
                   tsr_queue_name[queue], pc, here, row % side, col % side, bank, want);
            return;
        }
    }
}

void bench::compare_accumulators()
{
    size_t d = l_->chip->tile.ttu.dim, side = 4 * d, lanes = l_->chip->tile.tvp.lanes;
    if (top_->tile_o) {
        size_t bank = top_->tile_at_o >> 8, row = (top_->tile_at_o >> 4 & 15) * d;
        size_t col = (top_->tile_at_o & 15) * d;
        const auto *data = reinterpret_cast<const uint8_t *>(&top_->tile_data_o);
        for (size_t i = 0; i < d; i++)
            memcpy(&acc_[(bank * side + row + i) * side + col], data + 4 * i * d, 4 * d);
    }
    if (top_->fill_o) {
        const auto *mask = reinterpret_cast<const uint8_t *>(&top_->fill_mask_o);
        const auto *data = reinterpret_cast<const uint8_t *>(&top_->fill_data_o);
        for (size_t i = 0; i < lanes; i++)
            if (mask[i / 8] >> i % 8 & 1)
                memcpy(&acc_[top_->fill_line_o * lanes + i], data + 4 * i, 4);
    }
    const rtl_stream *s = &r_->stream[RTL_RETIRE];
    for (size_t i = next_[RTL_RETIRE]; i < s->n && s->e[i].cycle == cycle_; i++)
        if (s->e[i].queue == TSR_Q_TTU || s->e[i].queue == TSR_Q_ACC)
            left_by(s->e[i].queue, s->e[i].pc);
}
