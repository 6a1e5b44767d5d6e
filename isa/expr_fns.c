/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of integer expressions, and their values. */
#include "isa/expr.h"

#include <assert.h>
#include <string.h>

static const char *const scalar_names[] = {"add", "sub", "mul",  "and",  "or",  "xor", "shl", "shr",
                                           "sra", "smin", "smax", "slt", "sge", "eq",  "ne"};
static const char *const cycle_names[] = {"ceil_div", "mul", "max", "min", "add", "sub"};
static const char *const unit_names[] = {"k",           "m",    "n",   "r", "tiles",
                                         "acc_latency", "rows", "pipe"};
_Static_assert(sizeof scalar_names / sizeof *scalar_names == TSR_SCALAR_FNS, "one name each");
_Static_assert(sizeof cycle_names / sizeof *cycle_names == TSR_CYCLE_FNS, "one name each");
_Static_assert(sizeof unit_names / sizeof *unit_names == TSR_UNIT_NAMES, "one name each");

static int find(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

int tsr_scalar_find(const char *name)
{
    return find(scalar_names, TSR_SCALAR_FNS, name);
}

int tsr_cycle_find(const char *name)
{
    return find(cycle_names, TSR_CYCLE_FNS, name);
}

int tsr_unit_name_find(const char *name)
{
    return find(unit_names, TSR_UNIT_NAMES, name);
}

int64_t tsr_scalar_apply(enum tsr_scalar_fn fn, int64_t a, int64_t b)
{
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    unsigned by = ub & 63;
    switch (fn) {
    case TSR_SCALAR_ADD:
        return (int64_t)(ua + ub);
    case TSR_SCALAR_SUB:
        return (int64_t)(ua - ub);
    case TSR_SCALAR_MUL:
        return (int64_t)(ua * ub);
    case TSR_SCALAR_AND:
        return (int64_t)(ua & ub);
    case TSR_SCALAR_OR:
        return (int64_t)(ua | ub);
    case TSR_SCALAR_XOR:
        return (int64_t)(ua ^ ub);
    case TSR_SCALAR_SHL:
        return (int64_t)(ua << by);
    case TSR_SCALAR_SHR:
        return (int64_t)(ua >> by);
    case TSR_SCALAR_SRA:
        /* Of a negative number by complement: C leaves its right shift to the compiler. */
        return a < 0 ? (int64_t)~(~ua >> by) : (int64_t)(ua >> by);
    case TSR_SCALAR_SMIN:
        return a < b ? a : b;
    case TSR_SCALAR_SMAX:
        return a > b ? a : b;
    case TSR_SCALAR_SLT:
        return a < b;
    case TSR_SCALAR_SGE:
        return a >= b;
    case TSR_SCALAR_EQ:
        return a == b;
    case TSR_SCALAR_NE:
        return a != b;
    case TSR_SCALAR_FNS:
        break;
    }
    assert(!"scalar function");
    return 0;
}

int64_t tsr_cycle_apply(enum tsr_cycle_fn fn, int64_t a, int64_t b)
{
    int64_t v;
    switch (fn) {
    case TSR_CYCLE_CEIL_DIV:
        if (a <= 0)
            return 0;
        b = b < 1 ? 1 : b;
        return a / b + (a % b != 0);
    case TSR_CYCLE_MUL:
        if (__builtin_mul_overflow(a, b, &v))
            return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
        return v;
    case TSR_CYCLE_MAX:
        return a > b ? a : b;
    case TSR_CYCLE_MIN:
        return a < b ? a : b;
    case TSR_CYCLE_ADD:
        if (__builtin_add_overflow(a, b, &v))
            return a < 0 ? INT64_MIN : INT64_MAX;
        return v;
    case TSR_CYCLE_SUB:
        if (__builtin_sub_overflow(a, b, &v))
            return a < 0 ? INT64_MIN : INT64_MAX;
        return v;
    case TSR_CYCLE_FNS:
        break;
    }
    assert(!"cycle function");
    return 0;
}

static int64_t leaf(const struct tsr_node *n, const struct tsr_isa *isa, const int64_t *operand,
                    const int64_t *unit)
{
    if (n->kind == TSR_NODE_CONST)
        return n->value;
    if (n->kind == TSR_NODE_OPERAND)
        return operand[n->index];
    if (n->index < TSR_EXPR_UNIT_NAME)
        return isa->params[n->index].value;
    assert(unit != NULL);
    return unit[n->index - TSR_EXPR_UNIT_NAME];
}

int64_t tsr_expr_eval(const struct tsr_expr *e, enum tsr_expr_kind kind, const struct tsr_isa *isa,
                      const int64_t *operand, const int64_t *unit)
{
    assert(kind != TSR_EXPR_LANES && e->n > 0);
    int64_t stack[TSR_MAX_NODES];
    unsigned n = 0;
    for (unsigned i = 0; i < e->n; i++) {
        const struct tsr_node *node = &e->node[i];
        if (node->kind != TSR_NODE_CALL) {
            stack[n++] = leaf(node, isa, operand, unit);
            continue;
        }
        n--;
        stack[n - 1] = kind == TSR_EXPR_VALUE
                           ? tsr_scalar_apply(node->index, stack[n - 1], stack[n])
                           : tsr_cycle_apply(node->index, stack[n - 1], stack[n]);
    }
    return stack[0];
}
