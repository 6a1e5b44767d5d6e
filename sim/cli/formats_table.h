/* SPDX-License-Identifier: Apache-2.0 */
/* project --formats: one phase of a model in several formats, a line each. */
#ifndef SIM_CLI_FORMATS_TABLE_H
#define SIM_CLI_FORMATS_TABLE_H

#include "sim/cli/cli.h"
#include "sim/project/project.h"

/* The cache's format where none is given: that of --format where the model's cache takes it, else
 * 16 bits. */
const char *project_default_cache(const struct tsr_model *model,
                                  const struct tsr_format *activations,
                                  const struct tsr_format *format);

/* "WEIGHTS[:ACTIVATIONS[:CACHE]]" of the option --formats; those that it leaves out are null.
 * Errors: TSR_USAGE no such format, more than three. */
enum tsr_status formats_entry(const struct tsr_isa *isa, const char *entry,
                              const struct tsr_format *out[3], struct tsr_error *err);

/* The entry of a list with commas at *at, moved behind it; false at the end. */
bool formats_next(const char **at, char *entry, size_t cap);

/* Projects `model` in each entry of the option --formats ("F", "WEIGHTS:ACTIVATIONS" or
 * "WEIGHTS:ACTIVATIONS:CACHE", separated by commas); *o holds all else. What is refused (does not
 * fit, no kernel) is a line with the reason. Errors: TSR_USAGE an entry that is no format, or none;
 * the first refusal, where all are refused; as project_run for all but TSR_BAD_INPUT. */
enum tsr_status formats_table(struct cli *c, const struct tsr_model *model,
                              struct project_options *o, struct tsr_error *err);

#endif
