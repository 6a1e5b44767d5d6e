/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESSERA_SIM_CLI_RTL_H
#define TESSERA_SIM_CLI_RTL_H

#include "sim/cli/cli.h"

/* `check --target rtl`: starts tessera-rtl-CHIP, which stands beside this program, with the
 * command's kernel and options, and waits for it; its output and exit code are the command's.
 * Errors: TSR_USAGE the program is not there (the message has the command that builds it), or an
 * option that it does not take; TSR_MISMATCH and the like as it ended. */
enum tsr_status cli_check_rtl(struct cli *c, struct tsr_error *err);

#endif
