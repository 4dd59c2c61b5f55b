/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's data on its way to the network's input. */
#include "lib/base/checked.h"
#include "lib/prune/reconstruct.h"

#include <math.h>
#include <string.h>

enum { BATCH = 32, BATCH_LEAST = 16 };

nm_status nmi_prune_progress(const nm_prune_options *o, double done, const char *what, nm_error *err)
{
    return o->progress != NULL && o->progress(o->progress_user, done, what) != 0
               ? nmi_fail(err, NM_ECANCELED, "prune: stopped by the progress callback")
               : NM_OK;
}

nm_status nmi_feed_check(const nm_data *data, struct nmi_graph *g, nm_error *err)
{
    if (data == NULL || data->read == NULL || data->items < 1) {
        return nmi_fail(err, NM_EINVAL, "prune: data is missing or empty");
    }
    if (g->n_inputs != 1 || g->values[g->inputs[0]].type != NM_F32) {
        return nmi_fail(err, NM_EUNSUPPORTED,
                        "prune: data fits models with one float32 input, this one has %d inputs",
                        (int)g->n_inputs);
    }
    struct nmi_value *v = &g->values[g->inputs[0]];
    bool fits = v->rank == data->rank + 1 && data->rank >= 0 && data->rank < NMI_MAX_DIMS;
    for (int32_t i = 0; fits && i < data->rank; i++) {
        fits = data->dims[i] > 0 && (!nmi_dim_known(v->dims[i + 1]) || v->dims[i + 1] == data->dims[i]);
    }
    if (!fits) {
        return nmi_fail(err, NM_ESHAPE, "prune: an item of data does not have the shape of input %s",
                        v->name);
    }
    memcpy(v->dims + 1, data->dims, (size_t)data->rank * sizeof *v->dims);
    if (nmi_dim_known(v->dims[0]) && (v->dims[0] == 0 || data->items % v->dims[0] != 0)) {
        return nmi_fail(err, NM_ESHAPE, "prune: %lld items are no multiple of the model's batch %lld",
                        (long long)data->items, (long long)v->dims[0]);
    }
    return NM_OK;
}

int32_t nmi_feed_batch(const struct nmi_graph *g, int64_t items)
{
    const int64_t fixed = g->values[g->inputs[0]].dims[0];
    if (nmi_dim_known(fixed)) {
        return (int32_t)fixed;
    }
    for (int32_t b = BATCH; b >= BATCH_LEAST; b--) {
        if (items % b == 0) {
            return b;
        }
    }
    return items < BATCH ? (int32_t)items : BATCH;
}

struct nmi_feed nmi_feed_of(const nm_data *data, enum nmi_feed_part part, int64_t most)
{
    const int64_t third = (data->items + 2) / 3;
    const int64_t items = part == NMI_FEED_ALL     ? data->items
                          : part == NMI_FEED_THIRD ? third
                                                   : data->items - third;
    const int64_t step = items > most ? (items + most - 1) / most : 1;
    return (struct nmi_feed){data, part, step, (items + step - 1) / step};
}

int64_t nmi_feed_item(const struct nmi_feed *feed, int64_t i)
{
    const int64_t k = i * feed->step;
    return feed->part == NMI_FEED_ALL     ? k
           : feed->part == NMI_FEED_THIRD ? 3 * k
                                          : k / 2 * 3 + 1 + k % 2;
}

/* Items that do not lie together need one call each. */
static nm_status read_items(const struct nmi_feed *feed, int64_t first, int64_t count, int64_t elems,
                            float *to, nm_error *err)
{
    const nm_data *d = feed->data;
    nm_error why = {NM_OK, ""};
    const int64_t step = feed->part == NMI_FEED_ALL && feed->step == 1 ? count : 1;
    for (int64_t i = 0; i < count; i += step) {
        const int64_t at = nmi_feed_item(feed, first + i);
        const nm_status status = d->read(d->user, at, step, to + i * elems, &why);
        if (status != NM_OK) {
            return nmi_fail(err, status, "data: items %lld to %lld: %s", (long long)at,
                            (long long)(at + step - 1),
                            why.message[0] != '\0' ? why.message : "could not be read");
        }
    }
    for (int64_t i = 0; i < count * elems; i++) {
        if (!isfinite(to[i])) {
            return nmi_fail(err, NM_EINVAL, "data: item %lld has a NaN or an infinity",
                            (long long)nmi_feed_item(feed, first + i / elems));
        }
    }
    return NM_OK;
}

nm_status nmi_feed_read(const struct nmi_feed *feed, int64_t first, int64_t count,
                        struct nmi_tensor *to, nm_error *err)
{
    const nm_data *d = feed->data;
    size_t bytes = 0;
    *to = (struct nmi_tensor){.type = NM_F32, .rank = d->rank + 1, .dims = {count}};
    memcpy(to->dims + 1, d->dims, (size_t)d->rank * sizeof *to->dims);
    if (!nmi_tensor_bytes(NM_F32, to->rank, to->dims, &bytes)) {
        return nmi_fail_memory(err, SIZE_MAX, "a batch of data");
    }
    to->data = nmi_alloc(bytes);
    if (to->data == NULL) {
        return nmi_fail_memory(err, bytes, "a batch of data");
    }
    const int64_t elems = (int64_t)(bytes / sizeof(float)) / count;
    const nm_status status = read_items(feed, first, count, elems, to->data, err);
    if (status != NM_OK) {
        nmi_free(to->data);
        to->data = NULL;
    }
    return status;
}
