/* SPDX-License-Identifier: Apache-2.0 */
/* Files, read into memory or written whole. Opening never blocks: a FIFO or a device is refused. */
#include "lib/base/file.h"

#include "lib/base/cpu.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_AT_ONCE ((size_t)1 << 30) /* Linux moves less than 2 GiB in one call */

static nm_status open_regular(const char *path, int *fd, uint64_t *size, nm_error *err)
{
    int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (f < 0) {
        return nmi_fail(err, NM_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    }
    struct stat info;
    if (fstat(f, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(f);
        return nmi_fail(err, NM_EIO, "%s: not a regular file", path);
    }
    *fd = f;
    *size = (uint64_t)info.st_size;
    return NM_OK;
}

nm_status nmi_file_read_at(int fd, uint64_t offset, void *bytes, size_t size, const char *name,
                           nm_error *err)
{
    if (offset > INT64_MAX || size > INT64_MAX - offset) {
        return nmi_fail(err, NM_EIO, "%s: no file has %zu bytes at offset %llu", name, size,
                        (unsigned long long)offset);
    }
    char *at = bytes;
    size_t left = size;
    while (left > 0) {
        ssize_t n = pread(fd, at, left < MOST_AT_ONCE ? left : MOST_AT_ONCE, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return nmi_fail(err, NM_EIO, "%s: cannot be read: %s", name, strerror(errno));
        }
        if (n == 0) {
            return nmi_fail(err, NM_EIO, "%s: ends at byte %llu, %zu bytes more were expected",
                            name, (unsigned long long)offset, left);
        }
        at += n;
        left -= (size_t)n;
        offset += (uint64_t)n;
    }
    return NM_OK;
}

void nmi_file_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

nm_status nmi_file_read(const char *path, uint64_t limit, void **bytes, size_t *size, nm_error *err)
{
    int fd = -1;
    uint64_t n = 0;
    NMI_TRY(open_regular(path, &fd, &n, err));
    void *p = NULL;
    nm_status status;
    if (n > limit || n > SIZE_MAX) {
        status = nmi_fail(err, NM_ELIMIT, "%s: %llu bytes, the limit is %llu", path,
                          (unsigned long long)n, (unsigned long long)limit);
        goto out;
    }
    p = nmi_alloc((size_t)n);
    status = p ? nmi_file_read_at(fd, 0, p, (size_t)n, path, err)
               : nmi_fail_memory(err, (size_t)n, path);
out:
    close(fd);
    if (status != NM_OK) {
        nmi_free(p);
        return status;
    }
    *bytes = p;
    *size = (size_t)n;
    return NM_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* A new file beside path; its name in temporary[size]. */
static int create_beside(const char *path, char *temporary, size_t size)
{
    for (int i = 0; i < 1000; i++) {
        snprintf(temporary, size, "%s.%ld.%d.tmp", path, (long)getpid(), i);
        int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

static bool write_all(int fd, const struct nmi_span *span)
{
    const char *at = span->bytes;
    size_t left = span->size;
    while (left > 0) {
        ssize_t n = write(fd, at, left < MOST_AT_ONCE ? left : MOST_AT_ONCE);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        at += n;
        left -= (size_t)n;
    }
    return true;
}

/* So that the new name survives a crash too; some file systems cannot, which is no failure. */
static void sync_dir(const char *path)
{
    char dir[4096];
    if (nmi_file_dir(path, dir, sizeof dir, NULL) != NM_OK) {
        return;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

nm_status nmi_file_write(const char *path, const struct nmi_span *parts, size_t n, nm_error *err)
{
    size_t size = strlen(path) + 64;
    char *temporary = nmi_alloc(size);
    if (!temporary) {
        return nmi_fail_memory(err, size, path);
    }
    nm_status status = NM_OK;
    int fd = create_beside(path, temporary, size);
    if (fd < 0) {
        status =
            nmi_fail(err, NM_EIO, "%s: no file can be made beside it: %s", path, strerror(errno));
        goto out;
    }
    bool written = true;
    for (size_t i = 0; i < n && written; i++) {
        written = write_all(fd, &parts[i]);
    }
    written = written && fsync(fd) == 0;
    int why = errno;
    if (close(fd) != 0 && written) {
        written = false;
        why = errno;
    }
    if (written && rename(temporary, path) != 0) {
        written = false;
        why = errno;
    }
    if (!written) {
        unlink(temporary);
        status = nmi_fail(err, NM_EIO, "%s: cannot be written: %s", path, strerror(why));
        goto out;
    }
    sync_dir(path);
out:
    nmi_free(temporary);
    return status;
}

int nmi_file_hold_folder(const char *path, double seconds)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    char dir[4096];
    if (nmi_file_dir(path, dir, sizeof dir, NULL) != NM_OK) {
        return -1;
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const double end = nmi_now() + seconds;
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || nmi_now() > end) {
            close(fd);
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    return fd;
}

nm_status nmi_file_dir(const char *path, char *dir, size_t size, nm_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *from = slash ? path : ".";
    size_t n = !slash || slash == path ? 1 : (size_t)(slash - path);
    if (n >= size) {
        return nmi_fail(err, NM_EINVAL, "%.100s...: folder of %zu bytes, at most %zu are possible",
                        path, n, size - 1);
    }
    memcpy(dir, from, n);
    dir[n] = '\0';
    return NM_OK;
}
