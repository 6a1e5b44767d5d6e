/* SPDX-License-Identifier: Apache-2.0 */
/* Files written beside their place and renamed into it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/cli/cli.h"

enum {
    MAX_LINKS = 16
};

/* The file being written, for the signal handler; the flag says whether it is there. */
static char pending[PATH_MAX];
static volatile sig_atomic_t has_pending;
static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

static void on_signal(int number)
{
    if (has_pending)
        unlink(pending);
    signal(number, SIG_DFL);
    raise(number);
}

void cli_guard_outputs(void)
{
    struct sigaction a = {.sa_handler = on_signal}, old;
    sigemptyset(&a.sa_mask);
    signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes then is an error of the write */
    for (size_t i = 0; i < sizeof ending_signals / sizeof *ending_signals; i++)
        if (sigaction(ending_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(ending_signals[i], &a, NULL);
}

static enum tsr_status failed(const char *path, int number, struct tsr_error *err)
{
    bool host = number == ENOSPC || number == EDQUOT || number == EFBIG || number == EIO ||
                number == ENOMEM;
    return tsr_error_set(err, host ? TSR_INTERNAL : TSR_BAD_INPUT, "%s: %s", path,
                         strerror(number));
}

static bool write_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        ssize_t done = write(fd, p, n < (1u << 30) ? n : (1u << 30));
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static bool write_both(int fd, const void *head, size_t n_head, const void *body, size_t n_body)
{
    bool good = write_all(fd, head, n_head) && write_all(fd, body, n_body);
    int number = errno;
    if (close(fd) != 0 && good)
        return false;
    errno = number;
    return good;
}

/* The file that a chain of symbolic links names, so that a rename replaces it and not the link. */
static bool follow_links(const char *path, char *out, size_t cap)
{
    struct stat s;
    if (strlen(path) >= cap)
        return false;
    strcpy(out, path);
    for (int i = 0; lstat(out, &s) == 0 && S_ISLNK(s.st_mode); i++) {
        char target[PATH_MAX];
        ssize_t n = readlink(out, target, sizeof target - 1);
        if (n < 0 || i == MAX_LINKS)
            return false;
        target[n] = '\0';
        char *slash = strrchr(out, '/');
        size_t folder = target[0] == '/' || !slash ? 0 : (size_t)(slash - out) + 1;
        if (folder + (size_t)n >= cap)
            return false;
        memcpy(out + folder, target, (size_t)n + 1);
    }
    return true;
}

/* `path` is no regular file that a rename could replace: /dev/stdout, a pipe. */
static enum tsr_status write_in_place(const char *path, const void *head, size_t n_head,
                                      const void *body, size_t n_body, struct tsr_error *err)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || !write_both(fd, head, n_head, body, n_body))
        return failed(path, errno, err);
    return TSR_OK;
}

/* Makes the file beside `place`; no signal can come between the file and the note of its name. */
static int make_pending(const char *place)
{
    sigset_t guarded, before;
    sigemptyset(&guarded);
    for (size_t i = 0; i < sizeof ending_signals / sizeof *ending_signals; i++)
        sigaddset(&guarded, ending_signals[i]);
    sigprocmask(SIG_BLOCK, &guarded, &before);
    snprintf(pending, sizeof pending, "%s.XXXXXX", place); /* mkstemp's template */
    int fd = mkstemp(pending), number = errno;
    has_pending = fd >= 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return fd;
}

enum tsr_status cli_write_file(const char *path, const void *head, size_t n_head, const void *body,
                               size_t n_body, struct tsr_error *err)
{
    char place[PATH_MAX - 16];
    struct stat s;
    bool there = stat(path, &s) == 0;
    if (there && (!S_ISREG(s.st_mode) || strncmp(path, "/dev/", 5) == 0))
        return write_in_place(path, head, n_head, body, n_body, err);
    if (!follow_links(path, place, sizeof place))
        return failed(path, ENAMETOOLONG, err);
    if (there && access(place, W_OK) != 0)
        return failed(path, errno, err);
    int fd = make_pending(place);
    if (fd < 0)
        return failed(path, errno, err);
    mode_t mask = umask(0);
    umask(mask);
    bool good = fchmod(fd, there ? s.st_mode & 07777 : 0666 & ~mask) == 0;
    good = write_both(fd, head, n_head, body, n_body) && good && rename(pending, place) == 0;
    int number = errno;
    if (!good)
        unlink(pending);
    has_pending = 0;
    return good ? TSR_OK : failed(path, number, err);
}
