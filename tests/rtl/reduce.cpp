// SPDX-License-Identifier: Apache-2.0
#include "tests/rtl/reduce.h"

#include "tests/rtl/random.h"

#include <algorithm>

namespace
{

std::string joined(const std::vector<std::string> &lines, size_t first, size_t last)
{
    std::string out;
    for (size_t i = 0; i < lines.size(); i++)
        if (i < first || i >= last)
            out += lines[i] + "\n";
    return out;
}

} // namespace

// From the end to the front, since what follows the failure goes at once, and what defines a
// register is free to go when its uses have gone.
std::string random_reduce(const std::string &text, unsigned tries,
                          const std::function<bool(const std::string &)> &fails)
{
    std::vector<std::string> lines = random_lines(text);
    size_t chunk = std::max<size_t>(1, lines.size() / 2);
    for (bool progress = true; chunk > 1 || progress; chunk = std::max<size_t>(1, chunk / 2)) {
        progress = false;
        for (size_t last = lines.size(); last > 0 && tries > 0;) {
            size_t first = last > chunk ? last - chunk : 0;
            tries--;
            if (fails(joined(lines, first, last))) {
                lines.erase(lines.begin() + static_cast<long>(first),
                            lines.begin() + static_cast<long>(last));
                progress = true;
            }
            last = first;
        }
        if (tries == 0)
            break;
    }
    return joined(lines, 0, 0);
}
