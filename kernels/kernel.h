/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only door to hand-written compute. A kernel is a pure function over a descriptor and pointers:
 * no allocation, no threads of its own, no global state, no knowledge of the graph. kernels.def
 * lists them, best first. oneDNN's layers are the other class, whole-step kernels (below).
 *
 * May be included by lib/ops and what stands above it, and by kernels/. Includes base only.
 */
#ifndef NM_KERNELS_KERNEL_H
#define NM_KERNELS_KERNEL_H

#include "lib/base/cc.h"
#include "lib/base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- activations --------------------------------------------------------------------------------- */

enum nmi_act_kind {
    NMI_ACT_NONE,
    NMI_ACT_RELU,       /* max(x, 0); NaN stays NaN */
    NMI_ACT_CLIP,       /* min(max(x, alpha), beta); NaN stays NaN */
    NMI_ACT_LEAKY,      /* x < 0 ? alpha x : x */
    NMI_ACT_SIGMOID,    /* 1 / (1 + exp(-x)) */
    NMI_ACT_HARDSWISH,  /* x clamp(x / 6 + 1/2, 0, 1)  (ONNX HardSwish, opset 14) */
    NMI_ACT_SWISH,      /* x sigmoid(x) */
    NMI_ACT_GELU        /* x (1 + erf(x / sqrt 2)) / 2 */
};
struct nmi_act {
    int32_t kind; /* enum nmi_act_kind */
    float alpha, beta;
};
/* The meaning of each, in plain C (kernels/ref/act.c). */
float nmi_act_apply(struct nmi_act act, float x);

/* ---- layouts ------------------------------------------------------------------------------------- */

enum nmi_layout_kind {
    NMI_PLAIN,   /* row-major: images as N, C, H, W; any other tensor too */
    NMI_NHWC,    /* N, H, W, C */
    NMI_BLOCK8,  /* N, C/8, H, W, 8c; channels beyond C are zero */
    NMI_BLOCK16, /* N, C/16, H, W, 16c; channels beyond C are zero */
    NMI_LANES,   /* see below */
    /* The same places, but elements are bfloat16. oneDNN's layers and copies only. */
    NMI_NHWC_BF16,
    NMI_BLOCK16_BF16,
    NMI_LANES_F16, /* LANES of float16. Our kernels only. */
    NMI_LAYOUTS
};

static inline bool nmi_in_lanes(uint8_t kind)
{
    return kind == NMI_LANES || kind == NMI_LANES_F16;
}

static inline bool nmi_layout_bf16(uint8_t kind)
{
    return kind == NMI_NHWC_BF16 || kind == NMI_BLOCK16_BF16;
}

/* Channels that stand together: 16, 8, or 1 where the layout is not blocked. */
static inline int32_t nmi_layout_block(uint8_t kind)
{
    return kind == NMI_BLOCK16 || kind == NMI_BLOCK16_BF16 ? 16 : kind == NMI_BLOCK8 ? 8 : 1;
}

/*
 * LANES: [group][C][plane][vl] floats; LANES_F16: the same of float16, vl 32, so that a vector has 64
 * bytes again. A vector holds one position of vl sub-images. Each image is cut into gy x gx
 * sub-images of sub_h x sub_w; a group is ipv = vl / (gy gx) images (1: lane = space; vl: lane =
 * image). Lane i of a vector belongs to image i / (gy gx) of the group and to the sub-image
 * (i % (gy gx) / gx, i % gx). A sub-image stands in a frame (halo) of vectors, which a
 * halo pass fills with the neighbours' edges and, outside the map, with a fill value. Lanes that
 * lie outside the map or the batch hold anything finite or not: only a halo pass makes them `fill`.
 * pitch and plane are in vectors, pitch >= halo[l] + sub_w + halo[r].
 */
struct nmi_layout {
    uint8_t kind; /* enum nmi_layout_kind; all that follows is for lanes, else zero */
    uint8_t vl, gy, gx;
    int32_t sub_h, sub_w;
    int32_t halo[4]; /* top, left, bottom, right, in vectors */
    int32_t pitch, plane;
};

/* An image tensor as kernels see it: shape of the whole tensor and its layout. */
struct nmi_image {
    int32_t n, c, h, w;
    struct nmi_layout layout;
};

static inline int32_t nmi_layout_ipv(const struct nmi_layout *l)
{
    return l->vl / (l->gy * l->gx);
}

/* Lanes of a vector of float16: LANES_F16. */
enum { NMI_HALVES = 32 };
/* LANES (LANES_F16 for vl NMI_HALVES) for h x w maps: the grid gy x gx, sub-images rounded up, this
 * halo; plane padded so that channels do not fall into the same L1 sets. */
struct nmi_layout nmi_layout_lanes(int32_t vl, int32_t h, int32_t w, int32_t gy, int32_t gx,
                                   const int32_t halo[4]);
/* The grid (powers of two, gy gx ipv = vl) with the fewest vectors, then a width that tiles well. */
struct nmi_layout nmi_layout_best(int32_t vl, int32_t h, int32_t w, int32_t ipv,
                                  const int32_t halo[4]);
/* The layout of a window operation's input whose lanes own what the output's lanes need: sub-images
 * of stride x the output's, the same grid. The input must fit them: where it is larger than stride
 * x output (no padding), lay the output out for ceil(input / stride). */
struct nmi_layout nmi_layout_input(const struct nmi_layout *out, int32_t stride_h, int32_t stride_w,
                                   const int32_t halo[4]);
bool nmi_layout_same(const struct nmi_layout *a, const struct nmi_layout *b);
/* Same grid and sub-images; halo may differ. */
bool nmi_layout_same_lanes(const struct nmi_layout *a, const struct nmi_layout *b);
/* Bytes of an element: 4, or 2 (bfloat16, float16). */
static inline int32_t nmi_layout_element(const struct nmi_layout *l)
{
    return nmi_layout_bf16(l->kind) || l->kind == NMI_LANES_F16 ? 2 : 4;
}
const char *nmi_layout_name(uint8_t kind); /* "plain", "nhwc_bf16", ...; "?" when it is none */
/* Bytes of an image tensor, the slack that kernels may over-read included. 0: overflow. */
size_t nmi_image_bytes(const struct nmi_image *image);
/* Index of an element, counted in elements; (y, x) inside the map. */
size_t nmi_image_at(const struct nmi_image *image, int32_t n, int32_t c, int32_t y, int32_t x);

/* ---- sparse weights ------------------------------------------------------------------------------- */

/* CSR: rows = output channels, cols = (ic / groups) * kh * kw in the order of the dense weight.
 * Columns ascend within a row; no stored zeros unless the builder was told to keep them. */
struct nmi_csr {
    int32_t rows, cols;
    int64_t nnz;
    const int32_t *row_start; /* rows + 1 */
    const int32_t *col;       /* nnz */
    const float *val;         /* nnz */
};
/* The first entry of a row whose column is col or a later one. */
int32_t nmi_csr_entry(const struct nmi_csr *w, int32_t row, int64_t col);
/* How many of the `most` rows from `row` on have, one after the other, its columns within
 * [from, to): 1..most. */
int32_t nmi_csr_alike(const struct nmi_csr *w, int32_t row, int32_t most, int64_t from, int64_t to);

/* ---- descriptors ----------------------------------------------------------------------------------- */

enum nmi_kind {
    NMI_KIND_CONV,     /* dense weights [oc][ic/groups][kh][kw] (ref: plain; dnnl) */
    NMI_KIND_SPCONV,   /* CSR weights */
    NMI_KIND_FC,       /* CSR weights, y[n][m] = act(b + sum_k w[m][k] x[n][k]), plain */
    NMI_KIND_GEMM,     /* dense: c = act(alpha a b + beta bias), plain, batched */
    NMI_KIND_POOL,     /* max or average window */
    NMI_KIND_GPOOL,    /* global max or average; y plain [n][c] */
    NMI_KIND_HALO,     /* fill the frame (and surplus lanes) of a LANES image in place */
    NMI_KIND_CONVERT,  /* from one layout to another, frame filled */
    NMI_KIND_ELTWISE,  /* y = act(a op b) over flat floats */
    NMI_KIND_NORM,     /* softmax or layer normalisation of lines of floats, plain */
    NMI_KIND_DECONV,   /* ConvTranspose: weights [ic][oc/groups][kh][kw] (ref, dnnl) */
    NMI_KINDS
};

/* How a convolution walks. Winograd: tr = the tile's outputs a side, tc = tiles of a block.
 * Sparse: tiles of tr x tc vectors (rows x columns of sub-image positions),
 * channel blocks of icb input channels; order 0: tiles outside, 1: blocks outside. What decides
 * rounding (icb, accumulator sets, which follow from tr tc) is fixed here, before any split. */
struct nmi_blocking {
    int16_t tr, tc;
    int32_t icb;
    int16_t order;
    int16_t slices; /* output channels are packed in so many contiguous slices: units of work */
};

/* A max-pool behind a convolution's activation; kh 0: none. Windows over the padding count -inf. */
struct nmi_conv_pool {
    int32_t kh, kw, stride_h, stride_w;
    int32_t pad[4]; /* top, left, bottom, right */
};

struct nmi_conv_desc {
    struct nmi_image x, y; /* y.layout also holds the residual's layout; y is the pooled map */
    int32_t groups, kh, kw, stride_h, stride_w, dil_h, dil_w;
    int32_t pad[4]; /* top, left, bottom, right */
    struct nmi_act act;
    bool bias, residual;
    struct nmi_conv_pool pool;
    struct nmi_blocking blocking; /* of kernels that have `candidates` */
};

struct nmi_fc_desc { /* FC */
    int32_t n, m, k;
    bool bias;
    struct nmi_act act;
};

struct nmi_gemm_desc { /* GEMM: per batch c[m][n] = alpha op(a)[m][k] op(b)[k][n] + beta bias */
    int64_t batch, m, n, k;
    int64_t stride_a, stride_b, stride_c; /* elements between batches; 0: shared */
    bool trans_a, trans_b;
    bool const_b;                    /* b is a weight: it may be packed once */
    int32_t bias_rank;               /* 0 none, 1: [n], 2: [m][n]; -1: one scalar, -2: [m][1] */
    float alpha, beta;
    struct nmi_act act;
};

struct nmi_pool_desc {
    struct nmi_image x, y;
    bool average, include_pad; /* include_pad: divide by the whole window inside the padded map */
    int32_t kh, kw, stride_h, stride_w, dil_h, dil_w;
    int32_t pad[4]; /* top, left, bottom, right, as ONNX resolved them; ceil_mode windows may reach
                       beyond: cells outside map and pad never count */
};

struct nmi_gpool_desc {
    struct nmi_image x;
    bool average;
};

struct nmi_halo_desc {
    struct nmi_image x;
    float fill; /* 0, or -inf before a max-pool */
};

struct nmi_convert_desc {
    struct nmi_image from, to; /* same n, c, h, w */
    float fill;                /* of to's frame and surplus lanes (channels beyond C: always 0) */
};

enum nmi_eltwise_op {
    NMI_ELT_COPY, /* y = act(a) */
    NMI_ELT_ADD,
    NMI_ELT_SUB,
    NMI_ELT_MUL,
    NMI_ELT_MAX,
    NMI_ELT_MIN
};
struct nmi_eltwise_desc {
    int32_t op; /* enum nmi_eltwise_op */
    struct nmi_act act;
    int64_t count; /* floats of a and y */
    /* period 0: b has as many. Else b is `period` floats for `repeat` periods of a, then the next
     * `period`, and so on: channel factors in any layout, rows of a matrix. */
    int64_t period, repeat;
};

enum nmi_norm_op {
    NMI_NORM_SOFTMAX, /* e^(x - max) over their sum */
    NMI_NORM_LAYER    /* (x - mean) / sqrt(variance + epsilon) times w, plus bias */
};
struct nmi_norm_desc {
    int32_t op; /* enum nmi_norm_op */
    int64_t lines, count; /* each of count floats, w and bias too */
    float epsilon;
    bool bias;
};

union nmi_desc {
    struct nmi_conv_desc conv; /* CONV, SPCONV, DECONV */
    struct nmi_fc_desc fc;
    struct nmi_gemm_desc gemm;
    struct nmi_pool_desc pool;
    struct nmi_gpool_desc gpool;
    struct nmi_halo_desc halo;
    struct nmi_convert_desc convert;
    struct nmi_eltwise_desc eltwise;
    struct nmi_norm_desc norm;
};

/* Pointers of one run. y may equal residual (added first, in place), and x where the kind says so
 * (HALO: x is changed in place; ELTWISE: y may be a or b). */
struct nmi_kargs {
    const float *x;      /* ELTWISE: a; GEMM: a */
    const float *w;      /* CONV, GEMM: dense weights / b; NORM: factors */
    const void *packed;  /* SPCONV, FC and dnnl: made by pack */
    const float *bias;   /* [oc], or NULL */
    const float *res;    /* residual, layout of y; ELTWISE: b */
    float *y;
    void *scratch;       /* scratch_bytes(), 64-byte aligned */
};

/* ---- registry -------------------------------------------------------------------------------------- */

struct nmi_kernel {
    const char *name; /* nmi_k_<dtype>_<op>_<layout>_<tile>__<isa> without nmi_k_ */
    nm_isa isa;       /* NM_ISA_REF, NM_ISA_AVX2 or NM_ISA_AVX512: what the CPU must have */
    bool fp16;        /* and AVX512_FP16 beyond that */
    bool frames;      /* makes the frame of its input itself */
    int32_t kind;     /* enum nmi_kind */
    uint32_t over_read; /* bytes that may be read beyond the end of any input (<= NMI_SLACK) */
    /* NULL when it does this descriptor, else why not (a static sentence). */
    const char *(*refuse)(const union nmi_desc *desc);
    /* SPCONV in LANES, CONV: blockings worth trying, best guess first, at most max; returns the
     * count. NULL: desc->conv.blocking is not used. Depends on the shape and weights only (w is
     * NULL for CONV). */
    int (*candidates)(const union nmi_desc *desc, const struct nmi_csr *w, struct nmi_blocking *out,
                      int max);
    /* SPCONV, FC: bytes of the packed form (0: these weights do not fit the format). */
    size_t (*packed_bytes)(const union nmi_desc *desc, const struct nmi_csr *w);
    void (*pack)(const union nmi_desc *desc, const struct nmi_csr *w, void *packed);
    /* CONV: the same for dense weights [oc][ic/groups][kh][kw], each channel times scale[oc] unless
     * scale is NULL. */
    size_t (*dense_bytes)(const union nmi_desc *desc);
    void (*pack_dense)(const union nmi_desc *desc, const float *w, const float *scale,
                       void *packed);
    /* Bytes of scratch for a run in so many parts; NULL = none. */
    size_t (*scratch_bytes)(const union nmi_desc *desc, int parts);
    /* Most parts worth having on `threads` threads (>= 1). The bits do not depend on it. */
    int (*parts)(const union nmi_desc *desc, const void *packed, int threads);
    void (*run)(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts);
};

/* Every kernel of kernels.def, in its order (best first within a kind). */
extern const struct nmi_kernel *const nmi_kernels[];
extern const int nmi_kernel_count;

/* The first kernel of this kind at or below the cap that does not refuse. reason (may be NULL)
 * receives why the last better one refused. NULL when there is none. */
const struct nmi_kernel *nmi_kernel_find(int32_t kind, nm_isa cap, const union nmi_desc *desc,
                                         const char **reason);
/* Whether a kernel for sparse convolutions in LANES_F16 runs on this CPU, at or below the cap. */
bool nmi_kernels_half(nm_isa cap);
/* Vector length in floats of an instruction set's LANES: 16, 8, or 0. */
int32_t nmi_isa_lanes(nm_isa isa);
/* GFLOP/s that one core reaches with multiply-adds whose operand is in L1 and one broadcast for a
 * tile of them, measured now (a few milliseconds); 0 without vectors. */
double nmi_bound_gflops(nm_isa isa);

/* ---- whole-step kernels: oneDNN (kernels/dnnl) -------------------------------------------------------
 * An object made at plan time that runs a whole layer on oneDNN's own OpenMP team (see
 * nmi_threads_enter). Outside the promise of equal bits for every split. Never used under
 * NM_ISA_REF. An object is used by one session. */

/* BF16: a GEMM with const_b whose operands are rounded to bfloat16 (a while it runs, b packed); sums
 * and c are float. CONV and POOL are in bfloat16 when their layouts are: bias and sums are float. */
enum nmi_dnnl_algo { NMI_DNNL_DIRECT, NMI_DNNL_WINOGRAD, NMI_DNNL_BF16 };

struct nmi_dnnl;

/* The layouts (PLAIN, NHWC, BLOCK8, BLOCK16) that oneDNN likes best for this convolution; the ones
 * in desc are not looked at. NM_EUNSUPPORTED: oneDNN does not do it this way. */
nm_status nmi_dnnl_conv_layouts(const struct nmi_conv_desc *desc, enum nmi_dnnl_algo algo,
                                uint8_t *x_kind, uint8_t *y_kind, nm_error *err);
/* CONV, DECONV, GEMM, POOL, CONVERT (no LANES), for the layouts in desc. residual: y must hold it
 * before the run (post-op sum). NM_EUNSUPPORTED: oneDNN has no fast code for it on this CPU. */
nm_status nmi_dnnl_create(int32_t kind, const union nmi_desc *desc, enum nmi_dnnl_algo algo,
                          struct nmi_dnnl **object, nm_error *err);
/* CONV, DECONV, GEMM with const_b: weights in oneDNN's own format. pack_key names the format:
 * equal keys, equal bytes. packed_bytes 0: the plain weights are used as they are (args.w). */
size_t nmi_dnnl_packed_bytes(const struct nmi_dnnl *object);
uint64_t nmi_dnnl_pack_key(const struct nmi_dnnl *object);
nm_status nmi_dnnl_pack(const struct nmi_dnnl *object, const float *w, void *packed, nm_error *err);
size_t nmi_dnnl_scratch_bytes(const struct nmi_dnnl *object);
nm_status nmi_dnnl_run(struct nmi_dnnl *object, const struct nmi_kargs *args);
const char *nmi_dnnl_impl(const struct nmi_dnnl *object); /* oneDNN's name of its implementation */
void nmi_dnnl_free(struct nmi_dnnl *object);
/* c[m][n] = alpha op(a)[m][k] op(b)[k][n] + beta c, row-major, with leading dimensions; on the calling
 * thread's team (one thread inside nmi_parallel_for). */
struct nmi_sgemm {
    bool trans_a, trans_b; /* a is [k][m], b is [n][k] in memory */
    int64_t m, n, k;
    float alpha, beta;
    const float *a, *b;
    float *c;
    int64_t lda, ldb, ldc;
};
nm_status nmi_sgemm(const struct nmi_sgemm *product, nm_error *err);
/* The version of the oneDNN library that runs: 10000 major + 100 minor + patch. */
int32_t nmi_dnnl_version(void);

#endif
