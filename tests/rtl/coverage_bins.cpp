// SPDX-License-Identifier: Apache-2.0
#include "tests/rtl/coverage.h"

#include <cinttypes>
#include <cstdio>

void cover_bins::add(const std::string &name)
{
    if (index_.emplace(name, name_.size()).second) {
        name_.push_back(name);
        count_.push_back(0);
    }
}

size_t cover_bins::find(const std::string &name) const
{
    auto i = index_.find(name);
    return i == index_.end() ? SIZE_MAX : i->second;
}

void cover_bins::hit(const std::string &name, uint64_t times)
{
    size_t i = find(name);
    if (i == SIZE_MAX)
        illegal_ = name;
    else
        count_[i] += times;
}

uint64_t cover_bins::reached() const
{
    uint64_t n = 0;
    for (uint64_t c : count_)
        n += c > 0;
    return n;
}

bool cover_bins::write(const char *file) const
{
    FILE *f = fopen(file, "w");
    if (!f)
        return false;
    for (size_t i = 0; i < name_.size(); i++)
        fprintf(f, "%" PRIu64 " %s\n", count_[i], name_[i].c_str());
    return fclose(f) == 0;
}

std::string cover_bins::difference(const cover_bins &o) const
{
    for (size_t i = 0; i < name_.size(); i++)
        if (count_[i] != o.count_[i])
            return name_[i] + ": " + std::to_string(count_[i]) + " and " +
                   std::to_string(o.count_[i]);
    return "";
}

const char *const cover_integer_name[COVER_INTEGERS] = {
    "zero", "one", "minus_one", "least", "greatest", "positive", "negative"};
const char *const cover_float_name[COVER_FLOATS] = {"zero",      "minus_zero", "least_subnormal",
                                                    "subnormal", "one",        "normal",
                                                    "greatest",  "infinity",   "nan"};

unsigned cover_integer(int64_t v)
{
    return v == 0           ? 0
           : v == 1         ? 1
           : v == -1        ? 2
           : v == INT64_MIN ? 3
           : v == INT64_MAX ? 4
           : v > 0          ? 5
                            : 6;
}

unsigned cover_float(uint32_t bits)
{
    uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude == 0)
        return bits ? 1 : 0;
    if (magnitude < 0x00800000)
        return magnitude == 1 ? 2 : 3;
    if (magnitude == 0x3F800000)
        return 4;
    if (magnitude >= 0x7F800000)
        return magnitude == 0x7F800000 ? 7 : 8;
    return magnitude == 0x7F7FFFFF ? 6 : 5;
}
