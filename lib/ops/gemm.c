/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm and MatMul: matrix products, described for kernels and evaluated by the reference kernel. */
#include "lib/ops/helpers.h"
#include "lib/ops/window.h"

#include <float.h>
#include <stddef.h>

static bool differ(int64_t a, int64_t b)
{
    return nmi_dim_known(a) && nmi_dim_known(b) && a != b;
}

/* ---- Gemm -------------------------------------------------------------------------------------
 */

#define ATTR(label, field, attr_kind, ...)                                                         \
    {                                                                                              \
        .name = label, .kind = attr_kind, .since = 1,                                              \
        .offset = offsetof(struct nmi_gemm_attrs, field), __VA_ARGS__                              \
    }
static const struct nmi_attr gemm_attrs[] = {
    ATTR("alpha", alpha, NMI_ATTR_FLOAT, .def = 1, .min = -FLT_MAX, .max = FLT_MAX),
    ATTR("beta", beta, NMI_ATTR_FLOAT, .def = 1, .min = -FLT_MAX, .max = FLT_MAX),
    ATTR("transA", trans_a, NMI_ATTR_INT, .min = INT32_MIN, .max = INT32_MAX),
    ATTR("transB", trans_b, NMI_ATTR_INT, .min = INT32_MIN, .max = INT32_MAX),
    {0}};

/* How C spreads over [m][n], as desc->bias_rank; 0 when it does not. */
static int32_t spread(int32_t rank, const int64_t *dims, int64_t m, int64_t n)
{
    int64_t rows = rank == 2 ? dims[0] : 1, cols = rank > 0 ? dims[rank - 1] : 1;
    if (rank > 2) {
        return 0;
    }
    if (rows == 1 && cols == 1) {
        return -1;
    }
    if (rows == 1 && cols == n) {
        return 1;
    }
    return rows != m ? 0 : cols == n ? 2 : cols == 1 ? -2 : 0;
}

static nm_status check_c(const struct nmi_fact *c, int64_t m, int64_t n, nm_error *err)
{
    if (c == NULL || c->rank < 0) {
        return NM_OK;
    }
    bool known = nmi_dim_known(m) && nmi_dim_known(n) && nmi_fact_concrete(c);
    if (c->rank <= 2 && (!known || spread(c->rank, c->dims, m, n) != 0)) {
        return NM_OK;
    }
    return nmi_fail(err, NM_ESHAPE, "C does not broadcast to the product's %lld x %lld",
                    (long long)m, (long long)n);
}

static nm_status gemm_infer(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_gemm_attrs *attrs = in->attrs;
    const struct nmi_fact *a = in->in[0], *b = in->in[1];
    NMI_TRY(nmi_fact_types(in, 1, NMI_T_FLOAT, err));
    NMI_TRY(nmi_fact_types(in, 2, NMI_T_FLOAT, err));
    if ((a->rank >= 0 && a->rank != 2) || (b->rank >= 0 && b->rank != 2)) {
        return nmi_fail(err, NM_ESHAPE, "inputs have rank %d and %d, expected 2", a->rank, b->rank);
    }
    bool ta = attrs->trans_a != 0, tb = attrs->trans_b != 0;
    int64_t m = a->rank == 2 ? a->dims[ta] : NMI_DIM_UNKNOWN;
    int64_t n = b->rank == 2 ? b->dims[!tb] : NMI_DIM_UNKNOWN;
    if (a->rank == 2 && b->rank == 2 && differ(a->dims[!ta], b->dims[tb])) {
        return nmi_fail(err, NM_ESHAPE, "inner dimensions differ: %lld and %lld",
                        (long long)a->dims[!ta], (long long)b->dims[tb]);
    }
    nmi_fact_set(&in->out[0], NM_F32, 2, (const int64_t[]){m, n});
    return check_c(nmi_infer_in(in, 2), m, n, err);
}

nm_status nmi_gemm_describe(const struct nmi_gemm_attrs *attrs, const struct nmi_tensor *a,
                            const struct nmi_tensor *b, const struct nmi_tensor *c,
                            const char *node, struct nmi_gemm_desc *desc, nm_error *err)
{
    bool ta = attrs->trans_a != 0, tb = attrs->trans_b != 0;
    if (a->rank != 2 || b->rank != 2 || a->dims[!ta] != b->dims[tb]) {
        return nmi_fail(err, NM_ESHAPE, "node %s: inputs are not two matrices that fit", node);
    }
    *desc = (struct nmi_gemm_desc){.batch = 1,
                                   .m = a->dims[ta],
                                   .n = b->dims[!tb],
                                   .k = a->dims[!ta],
                                   .trans_a = ta,
                                   .trans_b = tb,
                                   .alpha = attrs->alpha,
                                   .beta = attrs->beta,
                                   .act = attrs->act};
    if (c == NULL || attrs->beta == 0) {
        return NM_OK;
    }
    desc->bias_rank = spread(c->rank, c->dims, desc->m, desc->n);
    if (desc->bias_rank == 0 && desc->m > 0 && desc->n > 0) {
        return nmi_fail(err, NM_ESHAPE, "node %s: C does not broadcast to the product", node);
    }
    return NM_OK;
}

static nm_status gemm_eval(const struct nmi_eval *e, nm_error *err)
{
    const struct nmi_tensor *c = nmi_eval_in(e, 2);
    union nmi_desc desc;
    NMI_TRY(nmi_gemm_describe(e->attrs, e->in[0], e->in[1], c, e->name, &desc.gemm, err));
    struct nmi_kargs args = {.x = e->in[0]->data,
                             .w = e->in[1]->data,
                             .bias = c != NULL ? c->data : NULL,
                             .y = e->out[0].data,
                             .scratch = e->scratch};
    return nmi_reference_run(NMI_KIND_GEMM, &desc, &args, err);
}

static size_t gemm_scratch(const struct nmi_eval *e)
{
    union nmi_desc desc;
    nm_status status =
        nmi_gemm_describe(e->attrs, e->in[0], e->in[1], NULL, e->name, &desc.gemm, NULL);
    return status == NM_OK ? nmi_reference_scratch(NMI_KIND_GEMM, &desc) : 0;
}

static double gemm_work(const struct nmi_eval *e)
{
    const struct nmi_gemm_attrs *attrs = e->attrs;
    double inner = (double)e->in[0]->dims[attrs->trans_a == 0];
    return (double)nmi_count(&e->out[0]) * (inner + 1);
}

/* ---- MatMul -----------------------------------------------------------------------------------
 */

/* The shape of a product by numpy's rules: a 1-D operand is a row on the left, a column on the
 * right, and its axis of 1 is not in the result. */
struct product {
    int64_t m, k, n;
    int64_t k_right;   /* what b says k is */
    int32_t a_batches; /* leading axes that are batches */
    int32_t b_batches;
};

static nm_status product_of(int32_t a_rank, const int64_t *a, int32_t b_rank, const int64_t *b,
                            struct product *p, nm_error *err)
{
    if (a_rank < 1 || b_rank < 1) {
        return nmi_fail(err, NM_ESHAPE, "inputs have rank %d and %d, expected 1 or more", a_rank,
                        b_rank);
    }
    p->m = a_rank > 1 ? a[a_rank - 2] : 1;
    p->k = a[a_rank - 1];
    p->n = b_rank > 1 ? b[b_rank - 1] : 1;
    p->k_right = b_rank > 1 ? b[b_rank - 2] : b[0];
    p->a_batches = a_rank > 2 ? a_rank - 2 : 0;
    p->b_batches = b_rank > 2 ? b_rank - 2 : 0;
    if (differ(p->k, p->k_right)) {
        return nmi_fail(err, NM_ESHAPE, "inner dimensions differ: %lld and %lld", (long long)p->k,
                        (long long)p->k_right);
    }
    return NM_OK;
}

static nm_status matmul_infer(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *a = in->in[0], *b = in->in[1];
    const struct nmi_fact *row = nmi_infer_in(in, 2);
    NMI_TRY(nmi_fact_types(in, 1, NMI_T_FLOAT, err));
    NMI_TRY(nmi_fact_types(in, 2, NMI_T_FLOAT, err));
    if (a->rank < 0 || b->rank < 0) {
        nmi_fact_set(&in->out[0], NM_F32, -1, NULL);
        return NM_OK;
    }
    struct product p;
    NMI_TRY(product_of(a->rank, a->dims, b->rank, b->dims, &p, err));
    if (row != NULL && (row->rank != 1 || row->dims[0] != p.n)) {
        return nmi_fail(err, NM_ESHAPE, "input 2 is not a row of %lld elements", (long long)p.n);
    }
    struct nmi_fact a_batch, b_batch;
    nmi_fact_set(&a_batch, NM_F32, p.a_batches, a->dims);
    nmi_fact_set(&b_batch, NM_F32, p.b_batches, b->dims);
    int64_t dims[NMI_MAX_DIMS];
    int32_t rank = 0;
    NMI_TRY(nmi_broadcast(&a_batch, &rank, dims, err));
    NMI_TRY(nmi_broadcast(&b_batch, &rank, dims, err));
    if (a->rank > 1) {
        dims[rank++] = p.m;
    }
    if (b->rank > 1) {
        dims[rank++] = p.n;
    }
    nmi_fact_set(&in->out[0], NM_F32, rank, dims);
    return NM_OK;
}

static struct nmi_gemm_desc describe_one(const struct nmi_gemm_attrs *attrs,
                                         const struct product *p, bool row)
{
    return (struct nmi_gemm_desc){.batch = 1,
                                  .m = p->m,
                                  .n = p->n,
                                  .k = p->k,
                                  .alpha = 1,
                                  .beta = 1,
                                  .bias_rank = row ? 1 : 0,
                                  .act = attrs->act};
}

nm_status nmi_matmul_describe(const struct nmi_gemm_attrs *attrs, const struct nmi_tensor *a,
                              const struct nmi_tensor *b, const struct nmi_tensor *c,
                              const char *node, struct nmi_gemm_desc *desc, nm_error *err)
{
    struct product p;
    NMI_TRY(product_of(a->rank, a->dims, b->rank, b->dims, &p, err));
    int64_t left = nmi_span_count(a->dims, 0, p.a_batches);
    int64_t right = nmi_span_count(b->dims, 0, p.b_batches);
    bool same = p.a_batches == p.b_batches;
    for (int32_t i = 0; same && i < p.a_batches; i++) {
        same = a->dims[i] == b->dims[i];
    }
    if (!same && left != 1 && right != 1) {
        return nmi_fail(err, NM_EUNSUPPORTED, "node %s: batches broadcast in both operands", node);
    }
    *desc = describe_one(attrs, &p, c != NULL);
    desc->batch = left == 1 ? right : left;
    desc->stride_a = left == 1 ? 0 : p.m * p.k;
    desc->stride_b = right == 1 ? 0 : p.k * p.n;
    desc->stride_c = p.m * p.n;
    return NM_OK;
}

static nm_status matmul_eval(const struct nmi_eval *e, nm_error *err)
{
    const struct nmi_tensor *a = e->in[0], *b = e->in[1], *y = &e->out[0];
    const struct nmi_tensor *row = nmi_eval_in(e, 2);
    struct product p;
    NMI_TRY(product_of(a->rank, a->dims, b->rank, b->dims, &p, err));
    union nmi_desc desc = {.gemm = describe_one(e->attrs, &p, row != NULL)};
    struct nmi_walk walk;
    struct nmi_walk_at at;
    int32_t batches = p.a_batches > p.b_batches ? p.a_batches : p.b_batches;
    nmi_walk_start(&walk, batches, y->dims);
    nmi_walk_broadcast(&walk, batches, y->dims);
    nmi_walk_broadcast(&walk, p.a_batches, a->dims);
    nmi_walk_broadcast(&walk, p.b_batches, b->dims);
    for (bool more = nmi_walk_begin(&walk, &at); more; more = nmi_walk_next(&walk, &at)) {
        for (int64_t i = 0; i < walk.inner; i++) {
            int64_t to = at.offset[0] + i * nmi_walk_step(&walk, 0);
            int64_t left = at.offset[1] + i * nmi_walk_step(&walk, 1);
            int64_t right = at.offset[2] + i * nmi_walk_step(&walk, 2);
            struct nmi_kargs args = {.x = (const float *)a->data + left * p.m * p.k,
                                     .w = (const float *)b->data + right * p.k * p.n,
                                     .bias = row != NULL ? row->data : NULL,
                                     .y = (float *)y->data + to * p.m * p.n,
                                     .scratch = e->scratch};
            NMI_TRY(nmi_reference_run(NMI_KIND_GEMM, &desc, &args, err));
        }
    }
    return NM_OK;
}

static size_t matmul_scratch(const struct nmi_eval *e)
{
    struct product p;
    union nmi_desc desc;
    if (product_of(e->in[0]->rank, e->in[0]->dims, e->in[1]->rank, e->in[1]->dims, &p, NULL) !=
        NM_OK) {
        return 0;
    }
    desc.gemm = describe_one(e->attrs, &p, false);
    return nmi_reference_scratch(NMI_KIND_GEMM, &desc);
}

static double matmul_work(const struct nmi_eval *e)
{
    double inner = (double)e->in[0]->dims[e->in[0]->rank - 1];
    return (double)nmi_count(&e->out[0]) * (inner + 1);
}

const struct nmi_op nmi_op_Gemm = {
    .name = "Gemm",
    .domain = "",
    .since = 7,
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_FLOAT,
    .flags = NMI_OP_WEIGHTED,
    .attr_bytes = sizeof(struct nmi_gemm_attrs),
    .attr = gemm_attrs,
    .infer = gemm_infer,
    .eval = gemm_eval,
    .scratch = gemm_scratch,
    .work = gemm_work,
    .doc = "float32 only",
};

static const struct nmi_attr no_attrs[] = {{0}};

const struct nmi_op nmi_op_MatMul = {
    .name = "MatMul",
    .domain = "",
    .since = 1,
    .min_in = 2,
    .max_in = 3, /* passes add a row */
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_FLOAT,
    .flags = NMI_OP_WEIGHTED,
    .attr_bytes = sizeof(struct nmi_gemm_attrs),
    .attr = no_attrs,
    .infer = matmul_infer,
    .eval = matmul_eval,
    .scratch = matmul_scratch,
    .work = matmul_work,
    .doc = "float32 only",
};
