/* SPDX-License-Identifier: Apache-2.0 */
/* Range: start, start + delta, ... up to, but without, limit. */
#include "lib/ops/helpers.h"
#include <math.h>
#include <string.h>

/* A scalar of a number type, as a float or an integer. */
struct scalar {
    bool real;
    double r;
    int64_t i;
};

static struct scalar read_scalar(nm_type type, const void *data)
{
    struct scalar s = {.real = type == NM_F32 || type == NM_F64};
    char bytes[8] = {0};
    memcpy(bytes, data, nm_type_size(type));
    if (type == NM_F32) {
        float v;
        memcpy(&v, bytes, sizeof v);
        s.r = (double)v;
    } else if (type == NM_F64) {
        memcpy(&s.r, bytes, sizeof s.r);
    } else if (type == NM_I16) {
        int16_t v;
        memcpy(&v, bytes, sizeof v);
        s.i = v;
    } else if (type == NM_I32) {
        int32_t v;
        memcpy(&v, bytes, sizeof v);
        s.i = v;
    } else {
        memcpy(&s.i, bytes, sizeof s.i);
    }
    return s;
}

/* How many elements; more than a tensor can have is INT64_MAX. */
static nm_status count_elements(const struct scalar v[3], int64_t *n, nm_error *err)
{
    if (v[0].real) {
        double steps = ceil((v[1].r - v[0].r) / v[2].r);
        if (v[2].r == 0 || isnan(steps)) {
            return nmi_fail(err, NM_EINVAL, "a range with this start, limit and delta has no end");
        }
        *n = steps <= 0 ? 0 : steps >= 0x1p62 ? INT64_MAX : (int64_t)steps;
        return NM_OK;
    }
    int64_t start = v[0].i, limit = v[1].i, delta = v[2].i;
    if (delta == 0) {
        return nmi_fail(err, NM_EINVAL, "delta is 0");
    }
    if (delta > 0 ? limit <= start : limit >= start) {
        *n = 0;
        return NM_OK;
    }
    uint64_t span =
        delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    uint64_t steps = (span - 1) / step + 1;
    *n = steps > INT64_MAX ? INT64_MAX : (int64_t)steps;
    return NM_OK;
}

/* From 0 to a symbol in steps of 1: as many as the symbol says. */
static int64_t symbolic_count(const struct nmi_infer *in)
{
    struct nmi_numbers v[3];
    for (int32_t i = 0; i < 3; i++) {
        if (!nmi_fact_numbers(in->in[i], &v[i]) || v[i].n != 1) {
            return NMI_DIM_UNKNOWN;
        }
    }
    bool plain = v[0].v[0].dim == 0 && v[0].v[0].v == 0 && v[2].v[0].dim == 0 && v[2].v[0].v == 1;
    return plain && v[1].v[0].dim != 0 ? v[1].v[0].dim : NMI_DIM_UNKNOWN;
}

static nm_status infer_range(struct nmi_infer *in, nm_error *err)
{
    struct scalar v[3];
    bool known = true;
    for (int32_t i = 0; i < 3; i++) {
        const struct nmi_fact *f = in->in[i];
        if (f->type != in->in[0]->type) {
            return nmi_fail(err, NM_ETYPE, "input %d has type %s, expected %s as input 0", i,
                            nm_type_name(f->type), nm_type_name(in->in[0]->type));
        }
        if (f->rank > 1 || (f->rank == 1 && nmi_dim_known(f->dims[0]) && f->dims[0] != 1)) {
            return nmi_fail(err, NM_ESHAPE, "input %d must be a scalar", i);
        }
        if (f->data == NULL || !nmi_fact_concrete(f)) {
            known = false;
        } else {
            v[i] = read_scalar(f->type, f->data);
        }
    }
    int64_t dims[1] = {symbolic_count(in)};
    if (known) {
        NMI_TRY(count_elements(v, &dims[0], err));
    }
    nmi_fact_set(&in->out[0], in->in[0]->type, 1, dims);
    return NM_OK;
}

#define FILL(T, expr)                                                                              \
    for (int64_t i = 0; i < n; i++) {                                                              \
        ((T *)y)[i] = (T)(expr);                                                                   \
    }                                                                                              \
    break
#define FILL_INT(T) FILL(T, (uint64_t)start.i + (uint64_t)i * (uint64_t)delta.i)
#define FILL_REAL(T) FILL(T, start.r + (double)i * delta.r)

static nm_status eval_range(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    nm_type type = e->out[0].type;
    struct scalar start = read_scalar(type, e->in[0]->data);
    struct scalar delta = read_scalar(type, e->in[2]->data);
    int64_t n = e->out[0].dims[0];
    void *y = e->out[0].data;
    switch (type) {
    case NM_F32:
        FILL_REAL(float);
    case NM_F64:
        FILL_REAL(double);
    case NM_I16:
        FILL_INT(int16_t);
    case NM_I32:
        FILL_INT(int32_t);
    default:
        FILL_INT(int64_t);
    }
    return NM_OK;
}

const struct nmi_op nmi_op_Range = {.name = "Range",
                                    .domain = "",
                                    .since = 11,
                                    .min_in = 3,
                                    .max_in = 3,
                                    .min_out = 1,
                                    .max_out = 1,
                                    .types = NMI_T_NUMBER | NMI_T(NM_F64) | NMI_T(NM_I16),
                                    .shape_inputs = 7,
                                    .infer = infer_range,
                                    .eval = eval_range,
                                    .doc = ""};
