/* SPDX-License-Identifier: Apache-2.0 */
/*
 * External data of a model: the location stands in the file, so it must not lead out of the model's
 * folder. The kernel resolves it whole (openat2, Linux 5.6); where it cannot, each component is
 * opened by itself without following links.
 */
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW)
#define MAX_COMPONENT 256

/* The next component of *path, which moves behind it; 0 at the end. */
static size_t next_component(const char **path, const char **start)
{
    while (**path == '/') {
        (*path)++;
    }
    *start = *path;
    size_t n = strcspn(*path, "/");
    *path += n;
    return n;
}

static bool leads_up(const char *relative)
{
    const char *start;
    size_t n;
    while ((n = next_component(&relative, &start)) > 0) {
        if (n == 2 && memcmp(start, "..", 2) == 0) {
            return true;
        }
    }
    return false;
}

/* Component by component; -1 with errno. */
static int open_stepwise(int dir, const char *relative)
{
    int at = dir;
    const char *start;
    size_t n = next_component(&relative, &start);
    while (n > 0) {
        char name[MAX_COMPONENT];
        if (n >= sizeof name) {
            errno = ENAMETOOLONG;
            break;
        }
        memcpy(name, start, n);
        name[n] = '\0';
        bool more = *relative == '/';
        int next =
            openat(at, name, more ? O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC : OPEN_FLAGS);
        if (at != dir) {
            int why = errno;
            close(at);
            errno = why;
        }
        if (next < 0 || !more) {
            return next;
        }
        at = next;
        n = next_component(&relative, &start);
    }
    if (at != dir) {
        close(at);
    }
    if (n == 0) {
        errno = EISDIR;
    }
    return -1;
}

static int open_resolved(int dir, const char *relative)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    long fd = syscall(SYS_openat2, dir, relative, &how, sizeof how);
    /* ENOSYS: an old kernel; EPERM: a sandbox that does not know the call. */
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) {
        return (int)fd;
    }
    return open_stepwise(dir, relative);
}

nm_status nmi_file_open_beneath(const char *dir, const char *relative, int *fd, uint64_t *size,
                                nm_error *err)
{
    if (*relative == '\0' || *relative == '/' || leads_up(relative)) {
        return nmi_fail(err, NM_EFORMAT,
                        "external data \"%s\": a location must be a path below the model's folder",
                        relative);
    }
    int base = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0) {
        return nmi_fail(err, NM_EIO, "%s: cannot be opened: %s", dir, strerror(errno));
    }
    int f = open_resolved(base, relative);
    int why = errno;
    close(base);
    if (f < 0) {
        return nmi_fail(err, NM_EIO, "external data \"%s\": %s", relative,
                        why == ELOOP || why == EXDEV ? "a link, which could lead out of the folder"
                                                     : strerror(why));
    }
    struct stat info;
    if (fstat(f, &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1) {
        close(f);
        return nmi_fail(err, NM_EIO, "external data \"%s\": not a regular file with one link",
                        relative);
    }
    *fd = f;
    *size = (uint64_t)info.st_size;
    return NM_OK;
}
