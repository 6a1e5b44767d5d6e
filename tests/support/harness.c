/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_ARGS = 64
};

bool tsr_test_nightly(void)
{
    const char *v = getenv("TESSERA_NIGHTLY");
    return v != NULL && strcmp(v, "1") == 0;
}

bool tsr_test_emulated(void)
{
    return getenv("TESSERA_EMULATOR") != NULL;
}

uint64_t tsr_test_seed(const char *what, uint64_t fallback)
{
    const char *v = getenv("TESSERA_SEED");
    uint64_t seed = v != NULL ? strtoull(v, NULL, 0) : fallback;
    printf("%s: seed %" PRIu64 " (TESSERA_SEED overrides)\n", what, seed);
    fflush(stdout);
    return seed;
}

uint64_t tsr_test_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t tsr_test_random_below(uint64_t *state, uint64_t n)
{
    return tsr_test_random(state) % n;
}

float tsr_test_random_f32(uint64_t *state)
{
    return (float)(int64_t)(tsr_test_random(state) >> 40) * 0x1p-23f - 1.0f;
}

const char *tsr_test_source_dir(void)
{
    const char *v = getenv("TESSERA_SOURCE_DIR");
    return v != NULL ? v : ".";
}

const char *tsr_test_data(const char *name)
{
    static char path[4096];
    const char *v = getenv("TESSERA_DATA");
    if (v != NULL && *v != '\0')
        snprintf(path, sizeof path, "%s/%s", v, name);
    else
        snprintf(path, sizeof path, "%s/../shared/data/%s", tsr_test_source_dir(), name);
    if (access(path, R_OK) == 0)
        return path;
    printf("not run: data absent: %s\n", name);
    return NULL;
}

char *tsr_test_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("%s: %s", path, strerror(errno));
    size_t used = 0, room = 65536;
    char *text = malloc(room);
    assert_non_null(text);
    for (size_t n; (n = fread(text + used, 1, room - used - 1, f)) > 0;) {
        used += n;
        if (room - used == 1) {
            text = realloc(text, room *= 2);
            assert_non_null(text);
        }
    }
    assert_int_equal(ferror(f), 0);
    fclose(f);
    text[used] = '\0';
    if (size != NULL)
        *size = used;
    return text;
}

void tsr_test_write(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        fail_msg("%s: %s", path, strerror(errno));
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* `body` bytes of pages between two that are unmapped. */
static char *guarded_pages(size_t page, size_t body)
{
    int zero = open("/dev/zero", O_RDWR);
    char *p = mmap(NULL, body + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
    assert_true(p != MAP_FAILED);
    close(zero);
    assert_int_equal(mprotect(p, page, PROT_NONE), 0);
    assert_int_equal(mprotect(p + page + body, page, PROT_NONE), 0);
    return p + page;
}

void *tsr_test_guarded(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (bytes + page - 1) / page * page;
    return guarded_pages(page, body) + body - bytes;
}

void *tsr_test_guarded_front(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (bytes + page - 1) / page * page;
    return guarded_pages(page, body);
}

void tsr_test_unguard(void *p, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (bytes + page - 1) / page * page;
    char *first = (char *)p - (uintptr_t)p % page; /* either kind begins in the first page */
    assert_int_equal(munmap(first - page, body + 2 * page), 0);
}

/* Fills argv with the emulator's words, if any, and the program; returns how many. */
static int program_words(char **argv, char *room, size_t size)
{
    const char *emulator = getenv("TESSERA_EMULATOR"), *program = getenv("TESSERA_PROGRAM");
    if (program == NULL)
        fail_msg("TESSERA_PROGRAM is not set: run the tests by ctest");
    snprintf(room, size, "%s", emulator != NULL ? emulator : "");
    int n = 0;
    for (char *save = NULL, *w = strtok_r(room, " ", &save); w != NULL && n < 8;
         w = strtok_r(NULL, " ", &save))
        argv[n++] = w;
    argv[n++] = (char *)program;
    return n;
}

/* Unlinked at once, so that nothing is left behind however the test ends. */
static int scratch_file(void)
{
    char name[] = "run-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    return fd;
}

static char *read_back(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    text[size] = '\0';
    close(fd);
    return text;
}

struct tsr_test_run tsr_test_program(const char *first, ...)
{
    char *argv[MAX_ARGS], room[1024];
    int argc = program_words(argv, room, sizeof room);
    va_list ap;
    va_start(ap, first);
    for (const char *a = first; a != NULL; a = va_arg(ap, const char *)) {
        assert_true(argc < MAX_ARGS - 1);
        argv[argc++] = (char *)a;
    }
    va_end(ap);
    argv[argc] = NULL;

    int out = scratch_file(), err = scratch_file(), status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    struct tsr_test_run r = {
        .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
        .out = read_back(out),
        .err = read_back(err),
    };
    return r;
}

void tsr_test_run_free(struct tsr_test_run *r)
{
    free(r->out);
    free(r->err);
    r->out = r->err = NULL;
}
