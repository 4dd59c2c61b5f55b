/* SPDX-License-Identifier: Apache-2.0 */
/* LRN: y = x / (bias + alpha / size * sum of x^2 over `size` channels around) ^ beta. */
#include "lib/ops/attrs.h"
#include "lib/ops/helpers.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

struct lrn_attrs {
    float alpha, beta, bias;
    int64_t size;
};

#define ATTR(field, ...)                                                                           \
    {                                                                                              \
        .name = #field, .since = 1, .offset = offsetof(struct lrn_attrs, field), __VA_ARGS__       \
    }
static const struct nmi_attr attrs_table[] = {
    ATTR(alpha, .kind = NMI_ATTR_FLOAT, .def = 1e-4, .min = -FLT_MAX, .max = FLT_MAX),
    ATTR(beta, .kind = NMI_ATTR_FLOAT, .def = 0.75, .min = -FLT_MAX, .max = FLT_MAX),
    ATTR(bias, .kind = NMI_ATTR_FLOAT, .def = 1, .min = -FLT_MAX, .max = FLT_MAX),
    ATTR(size, .kind = NMI_ATTR_INT, .min = 1, .max = INT32_MAX, .required = true),
    {0}};

static nm_status infer(struct nmi_infer *in, nm_error *err)
{
    int32_t rank = in->in[0]->rank;
    if (rank >= 0 && rank < 2) {
        return nmi_fail(err, NM_ESHAPE, "input has rank %d, expected 2 or more", rank);
    }
    return nmi_infer_same(in, err);
}

enum { CHUNK = 256 }; /* pixels at a time: sums stay in the L1 cache */

static void divide(const float *x, float *y, int64_t count, const float *sum,
                   const struct lrn_attrs *a)
{
    float scale = a->alpha / (float)a->size;
    if (a->beta == 0.75f) { /* what every published network has */
        for (int64_t i = 0; i < count; i++) {
            float root = sqrtf(a->bias + scale * sum[i]);
            y[i] = x[i] / (root * sqrtf(root));
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        y[i] = x[i] / powf(a->bias + scale * sum[i], a->beta);
    }
}

/* One output channel: x and y are the first channel of the image, from and to the window. */
static void channel(const struct lrn_attrs *a, const float *x, float *y, int64_t c, int64_t from,
                    int64_t to, int64_t map)
{
    for (int64_t p = 0; p < map; p += CHUNK) {
        int64_t count = map - p < CHUNK ? map - p : CHUNK;
        float sum[CHUNK] = {0};
        for (int64_t k = from; k < to; k++) {
            const float *line = x + k * map + p;
            for (int64_t i = 0; i < count; i++) {
                sum[i] += line[i] * line[i];
            }
        }
        divide(x + c * map + p, y + c * map + p, count, sum, a);
    }
}

static nm_status eval(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct lrn_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0];
    int64_t channels = x->dims[1], map = nmi_span_count(x->dims, 2, x->rank);
    int64_t before = (a->size - 1) / 2, after = a->size / 2;
    for (int64_t n = 0; n < x->dims[0]; n++) {
        const float *from = (const float *)x->data + n * channels * map;
        float *to = (float *)e->out[0].data + n * channels * map;
        for (int64_t c = 0; c < channels; c++) {
            int64_t first = c > before ? c - before : 0;
            int64_t last = c + after < channels ? c + after : channels - 1;
            channel(a, from, to, c, first, last + 1, map);
        }
    }
    return NM_OK;
}

static double work(const struct nmi_eval *e)
{
    const struct lrn_attrs *a = e->attrs;
    double channels = (double)e->in[0]->dims[1], size = (double)a->size;
    return (double)nmi_count(e->in[0]) * ((size < channels ? size : channels) + 4);
}

const struct nmi_op nmi_op_LRN = {
    .name = "LRN",
    .domain = "",
    .since = 1,
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_FLOAT,
    .flags = NMI_OP_BATCHED,
    .attr_bytes = sizeof(struct lrn_attrs),
    .attr = attrs_table,
    .infer = infer,
    .eval = eval,
    .work = work,
    .doc = "",
};
