/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that each aim at one edge which random ones hardly meet: a bit that may not be set, the
 * last address that is legal and the first that is not, a count whose high bit alone decides. Of a
 * unit always the same ones. They need far memory as random programs do. */
#ifndef TESTS_RTL_RANDOM_EDGE_H
#define TESTS_RTL_RANDOM_EDGE_H

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/chip.h"
#include "tessera/isa.h"
#include "tests/rtl/random.h"

struct edges {
    const tsr_isa *isa;
    const tsr_chip *chip;
    uint64_t state = 0xED6E;
    std::string text = {};                  // of the program at hand
    unsigned words = 0;                     // of it, directives among them
    std::vector<std::string> programs = {}; // those before
    bool whole = true;                      // else one of the data mover's channels for each
    unsigned turn = 0;                      // of them

    uint64_t any() { return random_next(&state); }
    uint64_t below(uint64_t n) { return any() % n; }
    void line(const char *format, ...) __attribute__((format(printf, 2, 3)));
    void set(unsigned reg, uint64_t value); // a word that gives x<reg> the value
    void word(tsr_word w);                  // as it is, legal or not
    void word(const tsr_insn &in);
    void end();                                              // of the program at hand
    void random(unsigned n, uint64_t length, tsr_unit unit); // so many random ones of a unit

    const tsr_op *op(tsr_stream s, const char *mnemonic) const;
    tsr_insn draw(const tsr_op *op); // any legal values, of semaphores none
    int64_t value(const tsr_operand &o);
    static void put(tsr_insn *in, const char *operand, int64_t value);
};

/* The units that have such programs, in the order of the queues; null at the end. */
extern const char *const edge_units[];
/* False: no such unit. */
bool edge_programs(const char *unit, edges *e);

void edge_tcp(edges *e);
void edge_sync(edges *e);
void edge_control(edges *e);
void edge_acc(edges *e);
void edge_ttu(edges *e);
void edge_rows(edges *e); // of the tensor unit, too
void edge_tvp(edges *e);
void edge_tdma(edges *e);
void edge_flight(edges *e); // of the data mover, too

#endif
