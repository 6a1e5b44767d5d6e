/* SPDX-License-Identifier: Apache-2.0 */
/* All of the library. */
#ifndef TESSERA_TESSERA_H
#define TESSERA_TESSERA_H

#include "tessera/attention.h"
#include "tessera/chip.h"
#include "tessera/cpu.h"
#include "tessera/dtype.h"
#include "tessera/isa.h"
#include "tessera/kernels.h"
#include "tessera/model.h"
#include "tessera/quant.h"
#include "tessera/sim.h"
#include "tessera/status.h"
#include "tessera/tokenizer.h"
#include "tessera/vecmath.h"
#include "tessera/weights.h"

#endif
