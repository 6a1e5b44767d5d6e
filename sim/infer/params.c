/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/infer/params.h"

#include <stddef.h>
#include <string.h>

/* Which parts an operation reads: a new one is a row. PART_COUNT: no more. */
#define NONE TSR_PART_COUNT
static const struct reads {
    const char *op;
    enum infer_what what;
    uint32_t needs; /* TSR_OPF_* without which the operation has no such parameter */
    enum tsr_part part[INFER_PIECES];
} table[] = {
    {"embed", INFER_MATRIX, 0, {TSR_PART_EMBED, NONE, NONE}},
    {"attn_norm", INFER_MATRIX, 0, {TSR_PART_ATTN_NORM, NONE, NONE}},
    {"qkv", INFER_MATRIX, 0, {TSR_PART_Q, TSR_PART_K, TSR_PART_V}},
    {"qkv", INFER_BIAS, TSR_OPF_BIAS, {TSR_PART_Q_BIAS, TSR_PART_K_BIAS, TSR_PART_V_BIAS}},
    {"rope", INFER_Q_NORM, TSR_OPF_QK_NORM, {TSR_PART_Q_NORM, NONE, NONE}},
    {"rope", INFER_K_NORM, TSR_OPF_QK_NORM, {TSR_PART_K_NORM, NONE, NONE}},
    {"attention", INFER_MATRIX, TSR_OPF_SINKS, {TSR_PART_SINKS, NONE, NONE}},
    {"attention_window", INFER_MATRIX, TSR_OPF_SINKS, {TSR_PART_SINKS, NONE, NONE}},
    {"o", INFER_MATRIX, 0, {TSR_PART_O, NONE, NONE}},
    {"o", INFER_BIAS, TSR_OPF_BIAS, {TSR_PART_O_BIAS, NONE, NONE}},
    {"attn_post_norm", INFER_MATRIX, 0, {TSR_PART_POST_ATTN_NORM, NONE, NONE}},
    {"ffn_norm", INFER_MATRIX, 0, {TSR_PART_FFN_NORM, NONE, NONE}},
    {"gate_up", INFER_MATRIX, 0, {TSR_PART_GATE, TSR_PART_UP, NONE}},
    {"gate_up", INFER_BIAS, TSR_OPF_BIAS, {TSR_PART_GATE_BIAS, TSR_PART_UP_BIAS, NONE}},
    {"down", INFER_MATRIX, 0, {TSR_PART_DOWN, NONE, NONE}},
    {"down", INFER_BIAS, TSR_OPF_BIAS, {TSR_PART_DOWN_BIAS, NONE, NONE}},
    {"router", INFER_MATRIX, 0, {TSR_PART_ROUTER, NONE, NONE}},
    {"router", INFER_BIAS, TSR_OPF_BIAS, {TSR_PART_ROUTER_BIAS, NONE, NONE}},
    {"shared_gate", INFER_MATRIX, 0, {TSR_PART_SHARED_SCALE, NONE, NONE}},
    {"shared_gate_up", INFER_MATRIX, 0, {TSR_PART_SHARED_GATE, TSR_PART_SHARED_UP, NONE}},
    {"shared_down", INFER_MATRIX, 0, {TSR_PART_SHARED_DOWN, NONE, NONE}},
    {"expert_gate_up", INFER_MATRIX, 0, {TSR_PART_EXPERT_GATE, TSR_PART_EXPERT_UP, NONE}},
    {"expert_gate_up",
     INFER_BIAS,
     TSR_OPF_BIAS,
     {TSR_PART_EXPERT_GATE_BIAS, TSR_PART_EXPERT_UP_BIAS, NONE}},
    {"expert_down", INFER_MATRIX, 0, {TSR_PART_EXPERT_DOWN, NONE, NONE}},
    {"expert_down", INFER_BIAS, TSR_OPF_BIAS, {TSR_PART_EXPERT_DOWN_BIAS, NONE, NONE}},
    {"ffn_post_norm", INFER_MATRIX, 0, {TSR_PART_POST_FFN_NORM, NONE, NONE}},
    {"final_norm", INFER_MATRIX, 0, {TSR_PART_FINAL_NORM, NONE, NONE}},
    {"lm_head", INFER_MATRIX, 0, {TSR_PART_LM_HEAD, NONE, NONE}},
};

enum tsr_status infer_rows_find(const struct tsr_weights *file, const struct tsr_model *model,
                                const struct tsr_graph_op *op, enum infer_what what, uint32_t layer,
                                uint32_t expert, struct infer_rows *out, struct tsr_error *err)
{
    enum tsr_status st = TSR_OK;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct reads *t = &table[i];
        if (strcmp(t->op, op->name) != 0 || t->what != what)
            continue;
        if ((op->flags & t->needs) != t->needs)
            return TSR_OK;
        for (; st == TSR_OK && out->n < INFER_PIECES && t->part[out->n] != NONE;)
            st = tsr_weights_find(file, t->part[out->n], layer, expert, &out->piece[out->n], err),
            out->n++;
        return st;
    }
    if (what == INFER_MATRIX && op->kind == TSR_OP_MATMUL)
        return tsr_error_set(err, TSR_INTERNAL, "%s: %s: no part of a file is known for it",
                             model->name, op->name);
    return TSR_OK;
}

/* f32 as the file has it, and where a float may lie. */
static const float *in_place(const struct tsr_matrix *m, uint64_t row)
{
    const struct tsr_tensor *t = m->tensor;
    if (t->layout != TSR_LAYOUT_PLAIN || t->format != TSR_F32 || m->pairs != 0 || t->n_dims < 2 ||
        t->dims[t->n_dims - 1] != m->cols)
        return NULL;
    const uint8_t *p = t->data + (m->first + row * m->step) * m->cols * sizeof(float);
    return (uintptr_t)p % _Alignof(float) == 0 ? (const float *)(const void *)p : NULL;
}

const float *infer_row(const struct infer_rows *r, uint64_t row, float *scratch)
{
    uint32_t i = 0;
    uint64_t at = 0;
    if (r->piece[0].rows == 1) { /* vectors, side by side */
        for (; i < r->n; at += r->piece[i++].cols)
            tsr_matrix_rows_f32(&r->piece[i], 0, 1, scratch + at, r->piece[i].cols);
        return scratch;
    }
    while (row >= r->piece[i].rows)
        row -= r->piece[i++].rows;
    const float *p = in_place(&r->piece[i], row);
    if (p == NULL)
        tsr_matrix_rows_f32(&r->piece[i], row, 1, scratch, r->piece[i].cols);
    return p != NULL ? p : scratch;
}

const uint8_t *infer_row_data(const struct infer_rows *r, uint64_t row)
{
    uint32_t i = 0;
    while (row >= r->piece[i].rows)
        row -= r->piece[i++].rows;
    return tsr_matrix_row_data(&r->piece[i], row);
}

uint64_t infer_row_length(const struct infer_rows *r)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < r->n; i++)
        n += r->piece[i].cols;
    return n;
}
