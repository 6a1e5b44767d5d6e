/* SPDX-License-Identifier: Apache-2.0 */
/* Host tool tessera-gen: writes what is made from the data under isa/.
 *   tessera-gen md FILE   the manual, isa/ISA.md
 *   tessera-gen sv DIR [OVERLAY.yaml...]  tsr_isa_pkg.sv, tsr_format_pkg.sv, tsr_table_pkg.sv,
 *                         tsr_prims.sv, tsr_lane.sv, tsr_tvp_parts.sv, and CHIP/tsr_chip_pkg.sv:
 * the package has the same name for every chip, a build takes that of its chip;
 *                         CHIP/tsr_figures.svh is the same for rtl/tsr_tile_pkg.sv */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "isa/gen/gen.h"

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "tessera-gen: %s: %s\n", what, why);
    exit(1);
}

struct file {
    char path[4000], beside[4096];
    FILE *f;
};

/* Written beside and renamed, so that a broken run leaves no half file. */
static FILE *begin(struct file *file, const char *dir, const char *name)
{
    int n = snprintf(file->path, sizeof file->path, "%s%s%s", dir, *dir ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof file->path)
        fail(name, "path too long");
    snprintf(file->beside, sizeof file->beside, "%s.part", file->path);
    file->f = fopen(file->beside, "w");
    if (file->f == NULL)
        fail(file->beside, strerror(errno));
    return file->f;
}

static void end(struct file *file)
{
    bool bad = ferror(file->f) != 0;
    if (fclose(file->f) != 0 || bad || rename(file->beside, file->path) != 0)
        fail(file->path, strerror(errno));
}

static void make_dir(const char *path)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        fail(path, strerror(errno));
}

static void write_packages(const struct tsr_isa *isa, const char *dir)
{
    struct file file;
    make_dir(dir);
    tsr_gen_isa_pkg(begin(&file, dir, "tsr_isa_pkg.sv"), isa);
    end(&file);
    tsr_gen_format_pkg(begin(&file, dir, "tsr_format_pkg.sv"), isa);
    end(&file);
    tsr_gen_tables(begin(&file, dir, "tsr_table_pkg.sv"));
    end(&file);
    tsr_gen_primitives(begin(&file, dir, "tsr_prims.sv"));
    end(&file);
    tsr_gen_lane(begin(&file, dir, "tsr_lane.sv"), isa);
    end(&file);
    tsr_gen_tvp_modules(begin(&file, dir, "tsr_tvp_parts.sv"), isa);
    end(&file);
    for (const char *const *name = tsr_chip_names(); *name != NULL; name++) {
        struct tsr_chip chip;
        struct tsr_error err = {0};
        char sub[4000];
        if (tsr_chip_load(*name, &chip, &err) != TSR_OK)
            fail(*name, err.message);
        int n = snprintf(sub, sizeof sub, "%s/%s", dir, *name);
        if (n < 0 || (size_t)n >= sizeof sub)
            fail(dir, "path too long");
        make_dir(sub);
        tsr_gen_chip_pkg(begin(&file, sub, "tsr_chip_pkg.sv"), &chip);
        end(&file);
        tsr_gen_figures(begin(&file, sub, "tsr_figures.svh"), isa, &chip);
        end(&file);
    }
}

int main(int argc, char **argv)
{
    bool md = argc == 3 && strcmp(argv[1], "md") == 0;
    if (!md && (argc < 3 || strcmp(argv[1], "sv") != 0)) {
        fprintf(stderr, "usage: tessera-gen md FILE | sv DIR [OVERLAY.yaml...]\n");
        return 2;
    }
    struct tsr_isa *isa;
    struct tsr_error err = {0};
    if (tsr_isa_load((const char *const *)argv + 3, (size_t)argc - 3, &isa, &err) != TSR_OK)
        fail("instruction set", err.message);
    if (md) {
        struct file file;
        tsr_gen_md(begin(&file, "", argv[2]), isa);
        end(&file);
    } else {
        write_packages(isa, argv[2]);
    }
    tsr_isa_free(isa);
    return 0;
}
