/* SPDX-License-Identifier: Apache-2.0 */
/* Programs, random or given, through the simulator and the RTL; what became of them, in numbers. */
#ifndef TESTS_RTL_CAMPAIGN_H
#define TESTS_RTL_CAMPAIGN_H

#include <string>

#include "tests/rtl/coverage.h"
#include "tests/rtl/lockstep.h"
#include "tests/rtl/random.h"

enum class outcome {
    equal,
    different,
    not_built, // needs a unit that is a shell
    racing,    // its values are not defined: not compared
    no_program // does not assemble, or does not fit the chip
};

struct campaign {
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;
    struct lockstep *lock;
    struct rtl_record *record;
    std::string program;           // name of this program, for repeat commands
    uint64_t limit = 0;            // cycles; 0: by length
    uint64_t most = 10000;         // instructions of a random program
    const char *falsify = nullptr; // a test of the test: values of this mnemonic are told wrongly
    coverage *covered = nullptr;   // counts what equal programs show; may be null
    // the same of programs without fault, from the RTL's ports and from the simulator; or both null
    coverage *rtl_covered = nullptr, *sim_covered = nullptr;
    bool simulator_only = false; // for coverage: no RTL
    // of all programs so far
    uint64_t racing = 0, wrong_race = 0, kinds[3] = {}, faults[TSR_FAULT_KINDS] = {};
    uint64_t instructions[TSR_QUEUES] = {}; // of queues started, of the TVP vector words issued
    std::string error;
};

/* Runs the text, memories as its line "#!seed N" says. `limit` in cycles. */
outcome campaign_text(struct campaign *c, const char *name, const std::string &text,
                      uint64_t limit);

/* n random programs from `seed` on, until one differs: that one is reduced and written to
 * NAME-SEED.s. length 0: drawn. False: a difference, or a legal program that races. */
bool campaign_random(struct campaign *c, uint64_t seed, uint64_t n, uint64_t length);

/* Program `number` of those that aim at edges of the unit. False: it differs, and was written to
 * NAME-UNIT-NUMBER.s, or it is none that can be compared. */
bool campaign_edge(struct campaign *c, const char *unit, size_t number, const std::string &text);

/* Tells how to repeat a difference: `command` begins with the program's name. The waveform needs
 * the harness that the target NAME-wave builds. */
void campaign_repeat(const std::string &program, const std::string &command);

/* What ran, as text or as members of a JSON object. */
void campaign_print(const struct campaign *c, bool json);

#endif
