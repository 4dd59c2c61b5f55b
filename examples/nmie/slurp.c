/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: read until the end, so that pipes and /dev/stdin work too. */
#include "examples/nmie/slurp.h"

#include "examples/nmie/nmie.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Room for at least one more byte and the NUL: the file's own size at first, then doubling. */
static bool grow(struct slurp *file, size_t *room, FILE *f)
{
    struct stat st;
    size_t more = *room ? 2 * *room : 65536;
    if (!*room && fstat(fileno(f), &st) == 0 && st.st_size > 0) {
        more = (size_t)st.st_size + 2;
    }
    uint8_t *bytes = more > *room ? realloc(file->bytes, more) : NULL;
    if (!bytes) {
        return false;
    }
    file->bytes = bytes;
    *room = more;
    return true;
}

static nm_status read_all(FILE *f, const char *path, size_t limit, struct slurp *file,
                          nm_error *err)
{
    struct stat st;
    if (fstat(fileno(f), &st) || S_ISDIR(st.st_mode)) {
        return complain(err, NM_EIO, "%s: is not a file", path);
    }
    if (S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size > limit) {
        return complain(err, NM_ELIMIT, "%s: %ju bytes, at most %zu are accepted", path,
                        (uintmax_t)st.st_size, limit);
    }
    for (size_t room = 0;;) {
        if (file->size + 1 >= room && !grow(file, &room, f)) {
            return complain(err, NM_ENOMEM, "%s: no memory to read it", path);
        }
        size_t n = fread(file->bytes + file->size, 1, room - file->size - 1, f);
        file->size += n;
        if (file->size > limit) {
            return complain(err, NM_ELIMIT, "%s: more than %zu bytes", path, limit);
        }
        if (n == 0) {
            break;
        }
    }
    file->bytes[file->size] = 0;
    return ferror(f) ? complain(err, NM_EIO, "%s: %s", path, strerror(errno)) : NM_OK;
}

nm_status slurp_read(const char *path, size_t limit, struct slurp *file, nm_error *err)
{
    *file = (struct slurp){0};
    FILE *f = fopen(path, "rbe");
    if (!f) {
        return complain(err, NM_EIO, "%s: %s", path, strerror(errno));
    }
    nm_status status = read_all(f, path, limit, file, err);
    fclose(f);
    if (status) {
        slurp_free(file);
    }
    return status;
}

void slurp_free(struct slurp *file)
{
    free(file->bytes);
    *file = (struct slurp){0};
}

nm_status slurp_write(const char *path, const struct slurp *head, const struct slurp *body,
                      nm_error *err)
{
    FILE *f = fopen(path, "wbe");
    if (!f) {
        return complain(err, NM_EIO, "%s: %s", path, strerror(errno));
    }
    bool good = true;
    for (int i = 0; i < 2; i++) {
        const struct slurp *part = i ? body : head;
        good = good && (!part->size || fwrite(part->bytes, 1, part->size, f) == part->size);
    }
    good = fclose(f) == 0 && good;
    return good ? NM_OK : complain(err, NM_EIO, "%s: %s", path, strerror(errno));
}
