/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where windows lie on a map: strides, dilations, pads, auto_pad, ceil_mode. All values are checked
 * here to be below 2^31, so that products of two of them cannot overflow 64 bits.
 */
#include "lib/ops/window.h"
#include "lib/ops/helpers.h"

#include <stddef.h>

static nm_status name_node(nm_status status, const char *node, nm_error *err)
{
    return status == NM_OK || node == NULL ? status : nmi_fail_in(err, status, "node %s", node);
}

nm_status nmi_window_spatial(int32_t n, const char *node, nm_error *err)
{
    nm_status status = NM_OK;
    if (n > 2) {
        status = nmi_fail(err, NM_EUNSUPPORTED, "a window of %d axes: 3-D is not supported", n);
    }
    return name_node(status, node, err);
}

nm_status nmi_window_rank(int32_t rank, const char *node, nm_error *err)
{
    if (rank < 3) {
        nm_status status =
            nmi_fail(err, NM_ESHAPE, "input has rank %d, expected 3 (1-D) or 4 (2-D)", rank);
        return name_node(status, node, err);
    }
    return nmi_window_spatial(rank - 2, node, err);
}

/* ---- one axis -------------------------------------------------------------------------------- */

struct axis {
    int64_t kernel, stride, dilation, pad_begin, pad_end, in, out;
    int64_t reach; /* cells from the first to the last tap */
};

static int64_t value_at(const struct nmi_ints *list, int32_t i, int64_t otherwise)
{
    return list->n > 0 ? list->v[i] : otherwise;
}

static bool between(int64_t v, int64_t lo)
{
    return v >= lo && v <= INT32_MAX;
}

static nm_status check_axis(struct axis *a, nm_error *err)
{
    if (!between(a->kernel, 1) || !between(a->stride, 1) || !between(a->dilation, 1) ||
        !between(a->pad_begin, 0) || !between(a->pad_end, 0)) {
        return nmi_fail(err, NM_ESHAPE,
                        "window out of range: kernel %lld, stride %lld, dilation %lld, pads %lld "
                        "and %lld",
                        (long long)a->kernel, (long long)a->stride, (long long)a->dilation,
                        (long long)a->pad_begin, (long long)a->pad_end);
    }
    a->reach = (a->kernel - 1) * a->dilation + 1;
    if (a->reach > INT32_MAX || a->in > INT32_MAX) {
        return nmi_fail(err, NM_ELIMIT, "window of %lld cells on a map of %lld: more than 2^31 - 1",
                        (long long)a->reach, (long long)a->in);
    }
    if (a->in == 0) {
        return nmi_fail(err, NM_ESHAPE, "the map has an axis of size 0");
    }
    return NM_OK;
}

static void split_pads(struct axis *a, int64_t total, bool upper)
{
    total = total > 0 ? total : 0;
    a->pad_begin = upper ? total / 2 : total - total / 2;
    a->pad_end = total - a->pad_begin;
}

static nm_status slide(struct axis *a, int64_t auto_pad, int64_t ceil_mode, nm_error *err)
{
    bool same = auto_pad == NMI_PAD_SAME_UPPER || auto_pad == NMI_PAD_SAME_LOWER;
    if (auto_pad != NMI_PAD_NOTSET) {
        a->pad_begin = a->pad_end = 0;
    }
    a->out = NMI_DIM_UNKNOWN;
    if (!nmi_dim_known(a->in)) {
        return NM_OK;
    }
    if (same) {
        a->out = (a->in + a->stride - 1) / a->stride;
        split_pads(a, (a->out - 1) * a->stride + a->reach - a->in, auto_pad == NMI_PAD_SAME_UPPER);
        return NM_OK;
    }
    int64_t room = a->in + a->pad_begin + a->pad_end - a->reach;
    if (room < 0) {
        return nmi_fail(err, NM_ESHAPE, "a window of %lld cells does not fit a padded map of %lld",
                        (long long)a->reach, (long long)(room + a->reach));
    }
    a->out = room / a->stride + 1;
    if (ceil_mode != 0 && auto_pad == NMI_PAD_NOTSET) {
        a->out += room % a->stride != 0;
        a->out -= (a->out - 1) * a->stride >= a->in + a->pad_begin; /* starts in the right pad */
    }
    return NM_OK;
}

/* Transposed: the output that such a window slides over to give `in`. */
static nm_status slide_back(struct axis *a, int64_t auto_pad, int64_t more, int64_t wanted,
                            nm_error *err)
{
    a->out = wanted > 0 ? wanted : NMI_DIM_UNKNOWN;
    if (auto_pad != NMI_PAD_NOTSET || wanted > 0) {
        a->pad_begin = a->pad_end = 0;
    }
    if (!nmi_dim_known(a->in)) {
        return NM_OK;
    }
    bool same = auto_pad == NMI_PAD_SAME_UPPER || auto_pad == NMI_PAD_SAME_LOWER;
    int64_t full = a->stride * (a->in - 1) + more + a->reach;
    if (wanted > 0 || same) {
        a->out = wanted > 0 ? wanted : a->in * a->stride;
        split_pads(a, full - a->out, auto_pad == NMI_PAD_SAME_UPPER);
    } else {
        a->out = full - a->pad_begin - a->pad_end;
    }
    if (a->out < 1) {
        return nmi_fail(err, NM_ESHAPE, "pads %lld and %lld leave nothing of %lld cells",
                        (long long)a->pad_begin, (long long)a->pad_end, (long long)full);
    }
    if (a->pad_begin > INT32_MAX || a->pad_end > INT32_MAX) {
        return nmi_fail(err, NM_ELIMIT, "pads of %lld cells: more than 2^31 - 1",
                        (long long)a->pad_begin);
    }
    return NM_OK;
}

/* ---- lists of attributes ----------------------------------------------------------------------
 */

static nm_status check_list(const char *what, const struct nmi_ints *list, int32_t expected,
                            nm_error *err)
{
    if (list->n == 0 || list->n == expected) {
        return NM_OK;
    }
    return nmi_fail(err, NM_ESHAPE, "%s has %d values, expected %d", what, list->n, expected);
}

static nm_status check_lists(const struct nmi_ints *kernel, const struct nmi_ints *strides,
                             const struct nmi_ints *dilations, const struct nmi_ints *pads,
                             int32_t spatial, nm_error *err)
{
    if (kernel->n == 0) {
        return nmi_fail(err, NM_ESHAPE, "kernel_shape is missing");
    }
    NMI_TRY(check_list("kernel_shape", kernel, spatial, err));
    NMI_TRY(check_list("strides", strides, spatial, err));
    NMI_TRY(check_list("dilations", dilations, spatial, err));
    return check_list("pads", pads, 2 * spatial, err);
}

static void store(struct nmi_window *w, int32_t to, const struct axis *a)
{
    w->kernel[to] = a->kernel;
    w->stride[to] = a->stride;
    w->dilation[to] = a->dilation;
    w->pad_begin[to] = a->pad_begin;
    w->pad_end[to] = a->pad_end;
    w->in[to] = a->in;
    w->out[to] = a->out;
}

static struct axis axis_at(const struct nmi_ints *kernel, const struct nmi_ints *strides,
                           const struct nmi_ints *dilations, const struct nmi_ints *pads, int32_t i)
{
    return (struct axis){.kernel = kernel->v[i],
                         .stride = value_at(strides, i, 1),
                         .dilation = value_at(dilations, i, 1),
                         .pad_begin = value_at(pads, i, 0),
                         .pad_end = value_at(pads, pads->n / 2 + i, 0)};
}

static nm_status resolve(const struct nmi_ints *kernel, const struct nmi_ints *strides,
                         const struct nmi_ints *dilations, const struct nmi_ints *pads,
                         int64_t auto_pad, int64_t ceil_mode, int32_t spatial,
                         const int64_t *in_dims, struct nmi_window *w, nm_error *err)
{
    static const struct axis none = {1, 1, 1, 0, 0, 1, 1, 1};
    NMI_TRY(check_lists(kernel, strides, dilations, pads, spatial, err));
    store(w, 0, &none);
    for (int32_t i = 0; i < spatial; i++) {
        struct axis a = axis_at(kernel, strides, dilations, pads, i);
        a.in = in_dims[i];
        NMI_TRY(check_axis(&a, err));
        NMI_TRY(slide(&a, auto_pad, ceil_mode, err));
        store(w, 2 - spatial + i, &a);
    }
    return NM_OK;
}

nm_status nmi_window_resolve(const struct nmi_ints *kernel, const struct nmi_ints *strides,
                             const struct nmi_ints *dilations, const struct nmi_ints *pads,
                             int64_t auto_pad, int64_t ceil_mode, int32_t spatial,
                             const int64_t *in_dims, struct nmi_window *w, const char *node,
                             nm_error *err)
{
    return name_node(
        resolve(kernel, strides, dilations, pads, auto_pad, ceil_mode, spatial, in_dims, w, err),
        node, err);
}

/* ---- convolutions -----------------------------------------------------------------------------
 */

/* The kernel's extent: of the weight, which kernel_shape must agree with when both are there. False
 * when it is not known. */
static nm_status kernel_of(const struct nmi_conv_attrs *attrs, int32_t rank, const int64_t *w,
                           struct nmi_ints *kernel, bool *known, nm_error *err)
{
    NMI_TRY(check_list("kernel_shape", &attrs->kernel_shape, rank - 2, err));
    *known = true;
    kernel->n = rank - 2;
    for (int32_t i = 0; i < rank - 2; i++) {
        int64_t given = value_at(&attrs->kernel_shape, i, NMI_DIM_UNKNOWN), own = w[2 + i];
        bool given_well = attrs->kernel_shape.n == 0 || given > 0;
        if (!given_well || (nmi_dim_known(own) && nmi_dim_known(given) && own != given)) {
            return nmi_fail(err, NM_ESHAPE, "kernel_shape says %lld where the weight has %lld",
                            (long long)given, (long long)own);
        }
        kernel->v[i] = nmi_dim_known(own) ? own : given;
        *known = *known && nmi_dim_known(kernel->v[i]);
    }
    return NM_OK;
}

/* whole = per_group x groups, as far as the numbers are known. */
static nm_status check_groups(const char *what, int64_t whole, int64_t per_group, int64_t groups,
                              nm_error *err)
{
    if (!between(groups, 1)) {
        return nmi_fail(err, NM_ESHAPE, "group is %lld, expected 1 or more", (long long)groups);
    }
    if (nmi_dim_known(whole) && whole % groups != 0) {
        return nmi_fail(err, NM_ESHAPE, "%lld %s channels do not divide into %lld groups",
                        (long long)whole, what, (long long)groups);
    }
    if (nmi_dim_known(whole) && nmi_dim_known(per_group) && whole / groups != per_group) {
        return nmi_fail(err, NM_ESHAPE, "%lld %s channels, expected %lld groups of %lld",
                        (long long)whole, what, (long long)groups, (long long)per_group);
    }
    return NM_OK;
}

static void unknown_window(struct nmi_window *window, int32_t rank, const int64_t *x)
{
    static const struct axis none = {1, 1, 1, 0, 0, 1, 1, 1};
    store(window, 0, &none);
    for (int32_t i = 0; i < rank - 2; i++) {
        struct axis a = none;
        a.in = x[2 + i];
        a.out = NMI_DIM_UNKNOWN;
        store(window, 4 - rank + i, &a);
    }
}

static nm_status conv_window(const struct nmi_conv_attrs *attrs, int32_t rank, const int64_t *x,
                             const int64_t *w, struct nmi_window *window, nm_error *err)
{
    struct nmi_ints kernel;
    bool known;
    NMI_TRY(check_groups("input", x[1], w[1], attrs->group, err));
    NMI_TRY(check_groups("output", w[0], NMI_DIM_UNKNOWN, attrs->group, err));
    NMI_TRY(kernel_of(attrs, rank, w, &kernel, &known, err));
    if (!known) {
        unknown_window(window, rank, x);
        return NM_OK;
    }
    return resolve(&kernel, &attrs->strides, &attrs->dilations, &attrs->pads, attrs->auto_pad, 0,
                   rank - 2, x + 2, window, err);
}

nm_status nmi_conv_window(const struct nmi_conv_attrs *attrs, int32_t rank, const int64_t *x,
                          const int64_t *w, struct nmi_window *window, const char *node,
                          nm_error *err)
{
    return name_node(conv_window(attrs, rank, x, w, window, err), node, err);
}

static nm_status deconv_axis(const struct nmi_conv_attrs *attrs, const struct nmi_ints *kernel,
                             int64_t in, int32_t i, struct axis *a, nm_error *err)
{
    int64_t more = value_at(&attrs->output_padding, i, 0);
    int64_t wanted = value_at(&attrs->output_shape, i, 0);
    *a = axis_at(kernel, &attrs->strides, &attrs->dilations, &attrs->pads, i);
    a->in = in;
    if (!between(more, 0) || !between(wanted, attrs->output_shape.n > 0)) {
        return nmi_fail(err, NM_ESHAPE, "output_padding %lld or output_shape %lld is out of range",
                        (long long)more, (long long)wanted);
    }
    NMI_TRY(check_axis(a, err));
    return slide_back(a, attrs->auto_pad, more, wanted, err);
}

static nm_status deconv_window(const struct nmi_conv_attrs *attrs, int32_t rank, const int64_t *x,
                               const int64_t *w, struct nmi_window *window, nm_error *err)
{
    struct nmi_ints kernel;
    bool known;
    unknown_window(window, rank, x);
    NMI_TRY(check_groups("input", x[1], NMI_DIM_UNKNOWN, attrs->group, err));
    NMI_TRY(kernel_of(attrs, rank, w, &kernel, &known, err));
    NMI_TRY(check_lists(&kernel, &attrs->strides, &attrs->dilations, &attrs->pads, rank - 2, err));
    NMI_TRY(check_list("output_padding", &attrs->output_padding, rank - 2, err));
    NMI_TRY(check_list("output_shape", &attrs->output_shape, rank - 2, err));
    if (nmi_dim_known(x[1]) && nmi_dim_known(w[0]) && x[1] != w[0]) {
        return nmi_fail(err, NM_ESHAPE, "%lld input channels, but the weight has %lld",
                        (long long)x[1], (long long)w[0]);
    }
    for (int32_t i = 0; known && i < rank - 2; i++) {
        struct axis a;
        NMI_TRY(deconv_axis(attrs, &kernel, x[2 + i], i, &a, err));
        store(window, 4 - rank + i, &a);
    }
    return NM_OK;
}

nm_status nmi_deconv_window(const struct nmi_conv_attrs *attrs, int32_t rank, const int64_t *x,
                            const int64_t *w, struct nmi_window *window, const char *node,
                            nm_error *err)
{
    return name_node(deconv_window(attrs, rank, x, w, window, err), node, err);
}
