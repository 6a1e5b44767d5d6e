/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the loader of the instruction set: documents in, struct tsr_isa out. */
#ifndef ISA_LOAD_H
#define ISA_LOAD_H

#include "isa/doc.h"
#include "tessera/isa.h"

enum { TSR_MAX_OVERLAYS = 16, TSR_MAX_PARAMS = 64 };

/* A row or format as found, not yet read. */
struct tsr_loaded_row {
    const struct tsr_doc *doc;
    const struct tsr_doc_node *node, *replaced; /* replaced: the built-in row, or null */
    uint8_t source; /* as in struct tsr_op */
    enum tsr_stream stream;
    char name[16];
};

struct tsr_loader {
    struct tsr_isa *isa; /* what has been read so far */
    struct tsr_error *err;
    struct tsr_loaded_row ops[TSR_STREAMS * TSR_MAX_OPS], formats[TSR_DTYPE_MAX];
    struct tsr_loaded_row params[TSR_MAX_PARAMS]; /* as isa->params */
    uint32_t n_ops, n_formats;
    const struct tsr_doc *sems_doc; /* the built-in file */
    const struct tsr_doc_node *sems;
};

/* As tsr_isa_load, from documents: docs[0] is like tile.yaml, docs[1] like formats.yaml, the rest
 * are overlays. The documents may be freed afterwards. */
enum tsr_status tsr_isa_load_docs(const struct tsr_doc *const *docs, size_t n, struct tsr_isa **out,
                                  struct tsr_error *err);

/* The embedded file of that path ("isa/tile.yaml"), parsed. */
enum tsr_status tsr_doc_embedded(const char *path, struct tsr_doc **out, struct tsr_error *err);

/* Reads one found row. load_ops needs formats and params to be there. */
enum tsr_status tsr_load_format(struct tsr_loader *l, const struct tsr_loaded_row *row);
enum tsr_status tsr_load_op(struct tsr_loader *l, const struct tsr_loaded_row *row,
                            struct tsr_op *op);

/* The fields of an operand list (`sems` or `operands`), appended to `op`. */
enum tsr_status tsr_load_operands(struct tsr_loader *l, const struct tsr_doc *doc,
                                  const struct tsr_doc_node *list, bool sems, struct tsr_op *op);

/* Sorts the rows by (stream, opcode), proves opcodes unique and fills by_opcode. */
enum tsr_status tsr_load_index(struct tsr_loader *l);

/* Digests (FNV-1a): of what an instruction or a format means and how it is encoded, without what
 * only concerns time, text or legal ranges; and of a whole instruction set, times included. */
uint64_t tsr_op_digest(const struct tsr_op *op);
uint64_t tsr_format_digest(const struct tsr_format *f);
uint64_t tsr_isa_digest(const struct tsr_isa *isa);
/* Adds bytes to a digest; start from TSR_DIGEST_SEED. */
#define TSR_DIGEST_SEED UINT64_C(0xcbf29ce484222325)
uint64_t tsr_digest_bytes(uint64_t digest, const void *bytes, size_t n);

extern const char *const tsr_stream_words[], *const tsr_unit_words[], *const tsr_kind_words[];
extern const char *const tsr_queue_words[], *const tsr_family_words[], *const tsr_specials_words[];

#endif
