/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML under isa/, compiled in, so that the program runs from any directory.
 * The build writes the definition (embedded.c, by isa/gen/embed.c) into its own tree. */
#ifndef ISA_EMBEDDED_H
#define ISA_EMBEDDED_H

struct tsr_embedded {
    const char *path;   /* from the root of the sources: "isa/tile.yaml", "isa/chips/micro.yaml" */
    const char *text;   /* the file's bytes and a terminating null */
    unsigned long size; /* bytes, without the null */
};

/* Sorted by path; ended by a row whose path is null. */
extern const struct tsr_embedded tsr_embedded_files[];

#endif
