/* SPDX-License-Identifier: Apache-2.0 */
/* What loops.c and passes.c share: disassembled objects and llvm-mca. */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

enum {
    TEXT = 96,
    MAX_INSNS = 200000,
    MAX_FUNCTIONS = 4096,
    MAX_LOOP = 4000
};

struct core {
    const char *name;
    unsigned vector_bits;
    unsigned pipes;  /* that take a MAC instruction each cycle */
    unsigned loads;  /* of a vector each cycle */
    unsigned stores; /* of a vector each cycle */
};

extern const struct core cores[];
extern const size_t core_count;

struct insn {
    unsigned long address;
    unsigned function; /* index of its name */
    char text[TEXT];   /* opcode, a space, operands */
};

struct loop {
    size_t first, last; /* indices of instructions */
    unsigned macs;      /* per 128 bits of vector */
    unsigned loads;     /* of vectors */
    unsigned bytes;     /* that they load, per 128 bits of vector */
};

extern char function_names[MAX_FUNCTIONS][TEXT];

void die(const char *what, const char *which);

/* Starts argv with `in` (may be null) as its input; returns its output. */
FILE *start(char *const argv[], FILE *in, pid_t *pid, bool quiet);
/* Whether it ended well. */
bool finish(FILE *out, pid_t pid);

bool opcode_is(const char *text, const char *opcode);
/* The innermost loop that ends at instruction `last` and does not start before `covered`. */
bool loop_at(const struct insn *insns, size_t last, size_t covered, struct loop *out);
/* llvm-mca's output on `iterations` rounds of the loop, to be closed by finish. */
FILE *start_model(const struct core *core, const char *iterations, const struct insn *insns,
                  struct loop l, pid_t *pid);

/* passes.c: whether the object holds kernels of several passes; their rows, one per core, each
 * after a comma but the first. Returns whether there was one. */
bool has_passes(const char *object);
bool report_passes(const char *object, const struct insn *insns, size_t n, bool json, bool first,
                   const char *only);

/* attention.c: the same for the kernels of attention. */
bool has_attention(const char *object);
bool report_attention(const char *object, const struct insn *insns, size_t n, bool json, bool first,
                      const char *only);

#endif
