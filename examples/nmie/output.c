/* SPDX-License-Identifier: Apache-2.0 */
/* Files written. */
#include "examples/nmie/output.h"

#include "examples/nmie/nmie.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

nm_status output_file(const char *path, void (*fill)(FILE *to, const void *context),
                      const void *context, nm_error *err)
{
    FILE *to = fopen(path, "we");
    if (!to) {
        return complain(err, NM_EIO, "%s: %s", path, strerror(errno));
    }
    fill(to, context);
    bool good = !ferror(to);
    good = fclose(to) == 0 && good;
    return good ? NM_OK : complain(err, NM_EIO, "%s: %s", path, strerror(errno));
}
