/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets for the library. */
#include "examples/nmie/data/calibration.h"

#include "examples/nmie/nmie.h"

#include <stdlib.h>

static nm_status read_items(void *user, int64_t first, int64_t count, float *into, nm_error *err)
{
    return dataset_read(user, first, count, into, err);
}

nm_data calibration_data(struct dataset *data)
{
    nm_data d = NM_DATA_INIT;
    d.items = data->count;
    d.rank = data->rank;
    for (int32_t i = 0; i < data->rank; i++) {
        d.dims[i] = data->dims[i];
    }
    d.read = read_items;
    d.user = data;
    d.labels = data->labels;
    return d;
}

nm_status calibration_hash(struct dataset *data, char text[static SHA256_TEXT], nm_error *err)
{
    struct sha256 sum;
    nm_status status = NM_OK;
    float *item = malloc((data->elems + 1) * sizeof *item);
    if (!item) {
        return complain(err, NM_ENOMEM, "%s: no memory for an item", data->path);
    }
    sha256_start(&sum);
    for (int64_t i = 0; i < data->count && !status; i++) {
        status = dataset_read(data, i, 1, item, err);
        sha256_add(&sum, item, status ? 0 : data->elems * sizeof *item);
    }
    sha256_end(&sum, text);
    free(item);
    return status;
}
