/* SPDX-License-Identifier: Apache-2.0 */
/* Files as read-only maps. */
#define _DEFAULT_SOURCE /* madvise: posix_madvise's DONTNEED does nothing in glibc */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/weights/weights_priv.h"

enum tsr_status tsr_map_open(const char *path, struct tsr_file_map *out, struct tsr_error *err)
{
    /* Without O_NONBLOCK a pipe that nobody writes would hang here. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: cannot open: %s", path, strerror(errno));
    struct stat s;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {
        close(fd);
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: no plain file, which alone can be mapped",
                             path);
    }
    void *data = NULL;
    if (s.st_size > 0)
        data = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int failed = errno;
    close(fd);
    if (data == MAP_FAILED)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: cannot map: %s", path, strerror(failed));
    char *copy = strdup(path);
    if (copy == NULL) {
        if (data != NULL)
            munmap(data, (size_t)s.st_size);
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", path);
    }
    *out = (struct tsr_file_map){.path = copy, .data = data, .size = (uint64_t)s.st_size};
    return TSR_OK;
}

void tsr_map_close(struct tsr_file_map *map)
{
    if (map->data != NULL)
        munmap((void *)(uintptr_t)map->data, (size_t)map->size);
    free(map->path);
    *map = (struct tsr_file_map){0};
}

void tsr_map_release(const struct tsr_file_map *map)
{
    if (map->data != NULL)
        madvise((void *)(uintptr_t)map->data, (size_t)map->size, MADV_DONTNEED);
}
