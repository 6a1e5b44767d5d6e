/* SPDX-License-Identifier: Apache-2.0 */
/* Of sources with mutants (mutate.awk): which one is awake. TESSERA_MUTANT, 0 for none. */
#ifndef TESTS_SIM_MUTANT_H
#define TESTS_SIM_MUTANT_H

extern int tsr_mutant;
#define TSR_D(n) (tsr_mutant == (n))
#define TSR_S(n) (tsr_mutant == (n) ? -1 : 1)

#endif
