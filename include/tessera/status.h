/* SPDX-License-Identifier: Apache-2.0 */
/* Results of fallible calls and the one error message that goes with them. */
#ifndef TESSERA_STATUS_H
#define TESSERA_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* The values are the program's exit codes. */
enum tsr_status {
    TSR_OK = 0,
    TSR_MISMATCH = 1,  /* a comparison or a check failed */
    TSR_USAGE = 2,     /* the caller asked for something that does not exist */
    TSR_BAD_INPUT = 3, /* a file, program or shape is malformed or does not fit */
    TSR_FAULT = 4,     /* the simulated machine stopped with a fault */
    TSR_INTERNAL = 70, /* a bug or an exhausted host resource */
};

/* Caller-owned; zero-initialise. `message` is one line without a newline:
 * "file:line:column: key: what is wrong, what is allowed". */
struct tsr_error {
    enum tsr_status status;
    char message[1024];
};

/* Formats the message into `e` (may be null) and returns `status`. A message that is too long is
 * cut, never overrun. Only the first error is kept: a second call on a set error is ignored. */
enum tsr_status tsr_error_set(struct tsr_error *e, enum tsr_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif
