/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RTL_REDUCE_H
#define TESTS_RTL_REDUCE_H

#include <functional>
#include <string>

/* The text with as many lines left out as `tries` attempts find, such that `fails` still holds of
 * it; it is taken to hold of the whole. Halves of it are tried first, single lines last. */
std::string random_reduce(const std::string &text, unsigned tries,
                          const std::function<bool(const std::string &)> &fails);

#endif
