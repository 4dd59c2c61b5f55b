/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix product on oneDNN. A [n] bias is oneDNN's own; every other bias (and beta) is written to y
 * first, and the product is added to it ("sum"). alpha is multiplied into constant weights while
 * they are packed; otherwise, and in bfloat16, it must be 1.
 */
#include "kernels/dnnl/dnnl_object.h"
#include <stdio.h>
#include <string.h>

void nmi_dnnl_gemm_prefill(const struct nmi_gemm_desc *d, const float *bias, float *y)
{
    for (int64_t b = 0; b < d->batch; b++) {
        for (int64_t i = 0; i < d->m; i++) {
            float *row = y + b * d->stride_c + i * d->n;
            const float *from = d->bias_rank == 2 ? bias + i * d->n : bias;
            bool scalar = d->bias_rank < 0;
            float value = d->beta * (d->bias_rank == -2 ? bias[i] : bias[0]);
            for (int64_t j = 0; j < d->n; j++) {
                row[j] = scalar ? value : d->beta * from[j];
            }
        }
    }
}

/* Batches that share b and lie one behind the other are more rows of one product. */
static struct nmi_gemm_desc fold_batch(const struct nmi_gemm_desc *d)
{
    struct nmi_gemm_desc folded = *d;
    bool dense = d->stride_a == d->m * d->k && d->stride_c == d->m * d->n && !d->trans_a;
    if (d->batch > 1 && d->stride_b == 0 && dense) {
        folded.m *= d->batch;
        folded.batch = 1;
    }
    return folded;
}

/* What the operands are multiplied as: b is packed to it, a converted before each run. */
static dnnl_data_type_t operand_type(const struct nmi_dnnl *o)
{
    return o->narrow_a > 0 ? dnnl_bf16 : dnnl_f32;
}

/* rows x cols, transposed in memory or not; one batch or many. */
static dnnl_status_t matrix(struct nmi_md *out, const struct nmi_gemm_desc *d,
                            dnnl_data_type_t type, const int64_t rows_cols[2],
                            int64_t batch_stride, bool transposed)
{
    bool shared = batch_stride == 0;
    const int64_t rows = rows_cols[0], cols = rows_cols[1];
    dnnl_dims_t dims = {shared ? 1 : d->batch, rows, cols};
    dnnl_dims_t strides = {shared ? rows * cols : batch_stride, transposed ? 1 : cols,
                           transposed ? rows : 1};
    int skip = d->batch == 1 ? 1 : 0;
    return nmi_md_strides(out, type, 3 - skip, dims + skip, strides + skip);
}

/* a, c and bias as an inner product or a matmul wants them; weights in any format if constant. */
static dnnl_status_t fill_matmul(struct nmi_dnnl *o, struct nmi_layer *l,
                                 const struct nmi_gemm_desc *d, bool native_bias)
{
    struct nmi_md *b = d->const_b ? &o->plain : &l->weights;
    dnnl_dims_t dims = {d->stride_b == 0 ? 1 : d->batch, d->k, d->n}, bias = {1, 1, d->n};
    const int64_t a[2] = {d->m, d->k}, c[2] = {d->m, d->n}, w[2] = {d->k, d->n};
    int skip = d->batch == 1 ? 1 : 0;
    l->kind = NMI_LAYER_MATMUL;
    dnnl_status_t s = matrix(&l->src, d, operand_type(o), a, d->stride_a, d->trans_a);
    if (s == dnnl_success) {
        s = matrix(&l->dst, d, dnnl_f32, c, d->stride_c, false);
    }
    if (s == dnnl_success) {
        s = matrix(b, d, dnnl_f32, w, d->stride_b, d->trans_b);
    }
    if (s == dnnl_success && native_bias) {
        s = nmi_md_tag(&l->bias, dnnl_f32, 3 - skip, bias + skip, skip ? dnnl_ab : dnnl_abc);
    }
    if (s == dnnl_success && d->const_b) {
        s = nmi_md_tag(&l->weights, operand_type(o), 3 - skip, dims + skip, dnnl_format_tag_any);
    }
    return s;
}

/*
 * One row by constant weights is a stream of weights: as an inner product whose weights lie row by
 * row it runs at the speed of memory, and ONNX's usual [n][k] is not even copied. 2048 x 1000 out
 * of memory on a Zen 4 core: 0.37 ms; packed matmul 0.43, packed inner product 0.43-0.49, 1x1
 * convolution 0.42-0.49 (3.7 is alike). From two rows on a packed matmul is as fast as a packed
 * inner product, and twice a 1x1 convolution (batch 64: 2.38, 2.43, 6.3 ms).
 */
static dnnl_status_t fill_inner(struct nmi_dnnl *o, struct nmi_layer *l,
                                const struct nmi_gemm_desc *d, bool native_bias)
{
    dnnl_dims_t src = {d->m, d->k}, weights = {d->n, d->k}, dst = {d->m, d->n}, bias = {d->n};
    l->kind = NMI_LAYER_INNER;
    dnnl_status_t s = nmi_md_tag(&l->src, operand_type(o), 2, src, dnnl_ab);
    if (s == dnnl_success) {
        s = nmi_md_tag(&l->dst, dnnl_f32, 2, dst, dnnl_ab);
    }
    if (s == dnnl_success && native_bias) {
        s = nmi_md_tag(&l->bias, dnnl_f32, 1, bias, dnnl_a);
    }
    if (s == dnnl_success) {
        s = nmi_md_tag(&o->plain, dnnl_f32, 2, weights, d->trans_b ? dnnl_ab : dnnl_ba);
    }
    return s == dnnl_success ? nmi_md_tag(&l->weights, operand_type(o), 2, weights, dnnl_ab) : s;
}

static nm_status try_layer(struct nmi_dnnl *o, const struct nmi_gemm_desc *d, bool inner,
                           nm_error *err)
{
    struct nmi_layer l = {0};
    bool native_bias = d->bias_rank == 1 && d->beta == 1.0f;
    dnnl_status_t made =
        inner ? fill_inner(o, &l, d, native_bias) : fill_matmul(o, &l, d, native_bias);
    nm_status s = nmi_dnnl_check(made, o, "describe its matrices", err);
    if (s == NM_OK) {
        s = nmi_dnnl_attr(o, &l, d->act, o->prefill, err);
    }
    if (s == NM_OK) {
        s = nmi_dnnl_describe(o, &l, err);
    }
    if (s != NM_OK) {
        nmi_md_free(&o->plain);
    }
    nmi_layer_free(&l);
    return s;
}

/* Rounds to nearest even; NaN stays NaN. */
static uint16_t to_bf16(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (uint16_t)(v == v ? (bits + 0x7fff + (bits >> 16 & 1)) >> 16 : bits >> 16 | 0x40);
}

void nmi_dnnl_gemm_narrow(const float *a, size_t count, uint16_t *narrow)
{
    for (size_t i = 0; i < count; i++) {
        narrow[i] = to_bf16(a[i]);
    }
}

/* From now on the operands are bfloat16. */
static nm_status narrow(struct nmi_dnnl *o, const struct nmi_gemm_desc *d, nm_error *err)
{
    int64_t batches = (d->batch - 1) * d->stride_a + d->m * d->k;
    if (!d->const_b || d->alpha != 1.0f) {
        return nmi_fail(err, NM_EUNSUPPORTED, "oneDNN: %s: bfloat16 needs a constant b, and alpha 1",
                        o->what);
    }
    o->narrow_a = (size_t)batches;
    return NM_OK;
}

nm_status nmi_dnnl_make_gemm(struct nmi_dnnl *o, const struct nmi_gemm_desc *desc,
                             enum nmi_dnnl_algo algo, nm_error *err)
{
    struct nmi_gemm_desc d = fold_batch(desc);
    snprintf(o->what, sizeof o->what, "product of %lld x %lldx%lld by %lldx%lld%s",
             (long long)d.batch, (long long)d.m, (long long)d.k, (long long)d.k, (long long)d.n,
             d.const_b ? " (constant)" : "");
    if (d.batch < 1 || d.m < 1 || d.n < 1 || d.k < 1) {
        return nmi_fail(err, NM_EUNSUPPORTED, "oneDNN: %s: empty", o->what);
    }
    if (d.alpha != 1.0f && !d.const_b) {
        return nmi_fail(err, NM_EUNSUPPORTED, "oneDNN: %s: alpha is %g, and b is not constant",
                        o->what, (double)d.alpha);
    }
    if (algo == NMI_DNNL_BF16) {
        NMI_TRY(narrow(o, &d, err));
    }
    o->scale = d.alpha;
    o->gemm = *desc;
    o->prefill = d.bias_rank != 0 && d.beta != 0.0f && (d.bias_rank != 1 || d.beta != 1.0f);
    if (d.const_b && d.batch == 1 && d.m == 1 && try_layer(o, &d, true, NULL) == NM_OK) {
        return NM_OK;
    }
    return try_layer(o, &d, false, err);
}
