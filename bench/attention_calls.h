/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_ATTENTION_CALLS_H
#define BENCH_ATTENTION_CALLS_H

#include <stdint.h>

/* Runs attention fused and unfused at contexts of 64 to `most` keys, getppid before and after each.
 */
void attention_calls(uint32_t most);

#endif
