/* SPDX-License-Identifier: Apache-2.0 */
/* Of sources with mutants (mutate.awk): which one is awake, TESSERA_MUTANT, 0 for none; and which
 * ones a run comes by, in the file that TESSERA_REACHED names. */
#ifndef TESTS_SIM_MUTANT_H
#define TESTS_SIM_MUTANT_H

extern int tsr_mutant;
extern unsigned char tsr_reached[];
#define TSR_D(n) (tsr_reached[n] = 1, tsr_mutant == (n))
#define TSR_S(n) (TSR_D(n) ? -1 : 1)

#endif
