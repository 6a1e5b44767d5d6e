/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of config.json that the DeepSeek family has in place of others'. */
#ifndef TESSERA_CONFIG_MLA_H
#define TESSERA_CONFIG_MLA_H

#include "sim/project/json_reader.h"
#include "tessera/model.h"

/* Ranks and parts of a head; heads are read. */
void tsr_config_latent_shape(struct tsr_json *j, struct tsr_model *m);
/* Experts, routed and shared, and the layers that have them. */
void tsr_config_latent_experts(struct tsr_json *j, struct tsr_model *m);
/* mscale, mscale_all_dim of the object `in`, whose factor is read. */
void tsr_config_latent_yarn(struct tsr_json *j, struct tsr_model *m, const char *in);

#endif
