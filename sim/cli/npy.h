/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's .npy files: versions 1 to 3, C order, little-endian float32, float16, int8, int32.
 * Source: numpy.lib.format (NEP 1). */
#ifndef SIM_CLI_NPY_H
#define SIM_CLI_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "tessera/dtype.h"
#include "tessera/status.h"

enum {
    NPY_MAX_DIMS = 8
};

enum npy_kind {
    NPY_F4,
    NPY_F2,
    NPY_I4,
    NPY_I1,
    NPY_KINDS
};

struct npy {
    enum npy_kind kind;
    uint32_t dims;
    uint64_t dim[NPY_MAX_DIMS];
    size_t n;      /* elements, the product of dim (0 dims: 1) */
    uint8_t *data; /* n elements as in the file, aligned for any of them; owner of the memory */
};

size_t npy_bytes(enum npy_kind kind); /* of one element */

/* Reads a file. Errors: TSR_BAD_INPUT naming the file: unreadable, no .npy, cut off, longer than
 * its shape says, another type, byte order or Fortran order; TSR_INTERNAL out of memory. Nothing a
 * file says makes this read or allocate more than the file's size.
 * Ownership: free with npy_free. */
enum tsr_status npy_read(const char *path, struct npy *out, struct tsr_error *err);

/* The same from memory; `file` is used in messages. Takes over `bytes` (from malloc), also on
 * failure. */
enum tsr_status npy_parse(const char *file, uint8_t *bytes, size_t size, struct npy *out,
                          struct tsr_error *err);
void npy_free(struct npy *a);

/* Writes version 1.0 by cli_write_file. */
enum tsr_status npy_write(const char *path, const struct npy *a, struct tsr_error *err);

/* Values as f32 bits, for encoding: f4 as they are, the others widened.
 * Errors: TSR_INTERNAL out of memory; an int32 beyond 2^24 that f32 cannot hold is TSR_BAD_INPUT.
 * The caller frees *bits. */
enum tsr_status npy_to_f32(const char *file, const struct npy *a, uint32_t **bits,
                           struct tsr_error *err);

/* Values as codes of a format, packed as the machine's memory has them. Same types keep their bits;
 * floats are rounded to nearest even; a float to an integer format must be an integer in its range;
 * an int32 to i8 or i4 must be in range. A non-finite value is refused for every format, and so is
 * a finite one that f16 or bf16 would make infinite; *saturated counts those that an 8-bit float
 * format cuts to its largest value. Errors: TSR_BAD_INPUT naming file and element.
 * The caller frees *codes. */
enum tsr_status npy_encode(const char *file, const struct npy *a, const struct tsr_format *f,
                           uint8_t **codes, size_t *bytes, size_t *saturated,
                           struct tsr_error *err);

/* npy_to_f32 of values that are all finite, for block formats. Errors: as there; TSR_BAD_INPUT
 * naming file and element, *bits being the caller's to free then too. */
enum tsr_status npy_to_finite(const char *file, const struct npy *a, uint32_t **bits,
                              struct tsr_error *err);

/* Says on stderr that values of a file were cut, where there are such. */
void npy_note_saturated(const char *command, const char *file, const struct tsr_format *f,
                        size_t saturated);

/* The reverse: codes of a format as the array that holds them exactly (f16 as f2, other floats as
 * f4, i32 as i4, smaller integers as i1); dims and dim are set by the caller. */
enum tsr_status npy_decode(const struct tsr_format *f, const uint8_t *codes, struct npy *a,
                           struct tsr_error *err);

#endif
