/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the loader of chips: which keys there are, and what must hold among them. */
#ifndef ISA_CHIP_H
#define ISA_CHIP_H

#include <stddef.h>

#include "isa/doc.h"
#include "tessera/chip.h"

enum { TSR_CHIP_SECTION_KEYS = 40 };

/* One integer, or a list of up to `list` of them whose length goes to the field `count`; where that
 * field is a key of its own, the length must equal it. */
struct tsr_chip_key {
    const char *key;
    size_t offset; /* in the section's struct */
    size_t size;   /* 4 or 8 bytes, unsigned */
    int64_t min, max;
    uint32_t list;
    size_t count;
    bool count_is_key;
};

struct tsr_chip_section {
    const char *path;            /* "tile.ttu" */
    size_t offset;               /* in struct tsr_chip */
    const struct tsr_chip_key *keys; /* ended by a null key; null ends the table of sections */
    const char *others[8];       /* keys that are no integers */
};

extern const struct tsr_chip_section tsr_chip_sections[];

/* A chip from a document that is already read. */
enum tsr_status tsr_chip_from_doc(const struct tsr_doc *doc, struct tsr_chip *out,
                                  struct tsr_error *err);

/* What must hold among the values; the message names the key to change. */
enum tsr_status tsr_chip_check(const struct tsr_doc *doc, const struct tsr_chip *chip,
                               struct tsr_error *err);

/* The node at a dotted path of keys, or null; "" is the document. */
const struct tsr_doc_node *tsr_chip_path(const struct tsr_doc *doc, const char *path);

#endif
