/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of a model by the operation of the graph that reads them: a matrix of an operation
 * (q k v side by side, gate and up) is one or more parts of the file, one below the other. */
#ifndef SIM_INFER_PARAMS_H
#define SIM_INFER_PARAMS_H

#include "tessera/model.h"
#include "tessera/weights.h"

enum {
    INFER_PIECES = 3 /* parts of the largest: q, k, v */
};

/* Rows of an operation's matrix, or its bias as one row. */
struct infer_rows {
    uint32_t n; /* pieces; 0: there is no such parameter */
    struct tsr_matrix piece[INFER_PIECES];
};

/* What an operation reads. */
enum infer_what {
    INFER_MATRIX, /* norms and sinks: one row */
    INFER_BIAS,
    INFER_Q_NORM, /* of operation rope */
    INFER_K_NORM,
};

/* Whether a product's result are logits of a layer: of experts, of a shared one. Its weights stay
 * as they are, and so do the rows that it reads. */
static inline bool infer_routes(const struct tsr_graph_op *op)
{
    return op->kind == TSR_OP_MATMUL && op->layer_kinds != 0 && op->flags & TSR_OPF_F32_OUT;
}

/* The rows of one instance. layer: ignored outside of layers; expert: of expert operations.
 * Errors: none on a model that tsr_weights_model gave: an operation without the parameter has
 * n = 0; TSR_INTERNAL else, naming the operation. */
enum tsr_status infer_rows_find(const struct tsr_weights *file, const struct tsr_model *model,
                                const struct tsr_graph_op *op, enum infer_what what, uint32_t layer,
                                uint32_t expert, struct infer_rows *out, struct tsr_error *err);

/* Row `row` in f32: where it lies, if that is f32 in place, else in scratch, which has room for its
 * columns. A bias is row 0, its pieces side by side. Threads: any, with scratch of their own. */
const float *infer_row(const struct infer_rows *r, uint64_t row, float *scratch);
/* The same as its file has it: tsr_matrix_row_data. */
const uint8_t *infer_row_data(const struct infer_rows *r, uint64_t row);
/* Elements of a bias, a norm or sinks. */
uint64_t infer_row_length(const struct infer_rows *r);

#endif
