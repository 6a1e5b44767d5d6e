/* SPDX-License-Identifier: Apache-2.0 */
/* Host tool: `embed OUT.c ROOT PATH...` writes the files ROOT/PATH as the array that
 * isa/embedded.h declares. Bytes, not string literals: C11 promises only 4095 characters each,
 * and unsigned ones, since char's sign differs between x86 and Arm. */
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "embed: %s: ", path);
    perror(what);
    exit(1);
}

static unsigned long write_bytes(FILE *out, const char *root, const char *path, int index)
{
    char full[4096];
    int n = snprintf(full, sizeof full, "%s/%s", root, path);
    FILE *in = n > 0 && (size_t)n < sizeof full ? fopen(full, "rb") : NULL;
    if (in == NULL)
        fail("cannot read", full);
    fprintf(out, "static const unsigned char file_%d[] = {", index);
    unsigned long size = 0;
    for (int c; (c = getc(in)) != EOF; size++)
        fprintf(out, "%s%d,", size % 24 == 0 ? "\n" : "", c);
    if (ferror(in))
        fail("cannot read", full);
    fclose(in);
    fprintf(out, "\n0};\n");
    return size;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: embed OUT.c ROOT PATH...\n");
        return 2;
    }
    int files = argc - 3;
    unsigned long *size = calloc((size_t)files + 1, sizeof *size);
    FILE *out = fopen(argv[1], "wb");
    if (out == NULL || size == NULL)
        fail("cannot write", argv[1]);
    fprintf(out, "#include <stddef.h>\n#include \"isa/embedded.h\"\n");
    for (int i = 0; i < files; i++)
        size[i] = write_bytes(out, argv[2], argv[3 + i], i);
    fprintf(out, "const struct tsr_embedded tsr_embedded_files[] = {\n");
    for (int i = 0; i < files; i++)
        fprintf(out, "{\"%s\", (const char *)file_%d, %lu},\n", argv[3 + i], i, size[i]);
    fprintf(out, "{NULL, NULL, 0}};\n");
    if (fclose(out) != 0)
        fail("cannot write", argv[1]);
    free(size);
    return 0;
}
