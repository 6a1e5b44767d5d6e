/* SPDX-License-Identifier: Apache-2.0 */
/* Functional coverage: bins made from the rows of the instruction set and the formats, counted from
 * the record of a run: the simulator's (record.h) or the RTL's own (rtl_trace.h), by this code. */
#ifndef TESTS_RTL_COVERAGE_H
#define TESTS_RTL_COVERAGE_H

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tessera/chip.h"
#include "tessera/isa.h"
#include "tests/rtl/record.h"

/* Legal bins, each with how often it was hit. Names are "group/...". */
class cover_bins
{
  public:
    void add(const std::string &name);
    void hit(const std::string &name, uint64_t times = 1);
    void hit(size_t bin) { count_[bin]++; }
    size_t find(const std::string &name) const; // of a legal bin
    bool write(const char *file) const;         // a line "count name" for each
    uint64_t times(size_t bin) const { return count_[bin]; }
    uint64_t total() const { return count_.size(); }
    uint64_t reached() const;
    bool operator==(const cover_bins &o) const { return name_ == o.name_ && count_ == o.count_; }
    std::string difference(const cover_bins &o) const;      // the first bin whose count differs
    const std::string &illegal() const { return illegal_; } // hit, but no bin: a wrong model

  private:
    std::vector<std::string> name_;
    std::vector<uint64_t> count_;
    std::unordered_map<std::string, size_t> index_;
    std::string illegal_;
};

class coverage
{
  public:
    coverage(const tsr_isa *isa, const tsr_chip *chip);
    void count(const tsr_program *p, const rtl_record *r);
    cover_bins bins;

  private:
    struct unit_word { // on its way through a queue
        uint32_t pc;
        int64_t x[TSR_MAX_OPERANDS]; // by operand: values of registers, else the operand
        tsr_insn in;
    };
    struct vector_state {
        int64_t a[16];
        uint32_t v[32][256];
        uint64_t vready[32], aready[16], cycle;
        unsigned producer[32]; // index of the row that wrote the register, + 1
        uint64_t last_read[32];
        bool arithmetic, memory, known[32], in_routine;
        int64_t active;
        uint64_t kept[2];
        uint32_t pc_last;
    };
    void legal_rows();
    void legal_units();
    void legal_vector();
    void legal_products();
    void begin();
    void word(const rtl_event *e);
    void extremes(const tsr_insn &in);
    void fields(const tsr_insn &in);
    void semaphores(const tsr_insn &in, unsigned queue);
    void pushed(const unit_word &w, unsigned queue, uint64_t cycle);
    void started(const rtl_event *e);
    void retired(const rtl_event *e);
    void descriptor(const unit_word &w);
    void product(const unit_word &w);
    void elements(const std::string &group, const tsr_format *f, const unit_word &w, bool b);
    void rectangle(const char *op, uint64_t c, uint64_t m, uint64_t n, uint64_t across);
    void vector(const rtl_event *issue, const rtl_event *value);
    void vector_sources(const tsr_insn &in, uint64_t cycle);
    void vector_memory(const tsr_insn &in, uint64_t cycle, const rtl_event *value);
    void vector_result(const tsr_insn &in, const rtl_event *issue, const rtl_event *value);
    void written(uint64_t at, const uint8_t *data, const uint8_t *mask, unsigned n);
    void end();
    uint64_t operand(const unit_word &w, const char *name) const;

    const tsr_isa *isa_;
    const tsr_chip *chip_;
    const tsr_program *p_ = nullptr;
    const rtl_record *r_ = nullptr;
    std::vector<size_t> extreme_, vextreme_; // first bin by row
    std::vector<std::vector<unit_word>> queue_, active_;
    std::vector<std::vector<uint64_t>> starts_; // cycles, by queue
    std::vector<uint64_t> pushes_;
    int64_t x_[32];
    unsigned writer_[32];
    const tsr_op *last_op_;
    uint32_t last_pc_;
    unsigned words_;
    vector_state v_;
    std::vector<uint8_t> tsram_;
};

/* The class of a value: of 64 bits, of f32 bits; names and number of them. */
enum {
    COVER_INTEGERS = 7,
    COVER_FLOATS = 9
};
extern const char *const cover_integer_name[COVER_INTEGERS];
extern const char *const cover_float_name[COVER_FLOATS];
unsigned cover_integer(int64_t v);
unsigned cover_float(uint32_t bits);

#endif
