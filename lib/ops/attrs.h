/* SPDX-License-Identifier: Apache-2.0 */
/* Attribute structs that passes and the plan read; those of other operators stay in their file. */
#ifndef NM_OPS_ATTRS_H
#define NM_OPS_ATTRS_H

#include "lib/ops/op.h"

enum nmi_auto_pad { NMI_PAD_NOTSET, NMI_PAD_SAME_UPPER, NMI_PAD_SAME_LOWER, NMI_PAD_VALID };

/*
 * Conv (ONNX opset 1, 11), ConvTranspose. Inputs: x, w, bias (optional), and, when `residual`,
 * a fourth: y = act(conv(x, w) + bias + residual). A Conv may have a fifth, a constant scale of each
 * output channel: then w[m] stands for scale[m] w[m], so that a folded BatchNormalization copies no
 * weights. Fusion fields and the last two inputs are set by passes only.
 */
#define NMI_CONV_SCALE 4
struct nmi_conv_attrs {
    int64_t group;
    int64_t auto_pad;                                       /* enum nmi_auto_pad */
    struct nmi_ints kernel_shape, strides, dilations, pads; /* n = 0: default */
    struct nmi_ints output_padding, output_shape;           /* ConvTranspose only */
    struct nmi_act act;
    int64_t residual;
};

/*
 * Gemm (7, 9, 11, 13): y = act(alpha A' B' + beta C). MatMul has only act (and no table);
 * passes may give it a third input, a row that is added.
 */
struct nmi_gemm_attrs {
    float alpha, beta;
    int64_t trans_a, trans_b;
    struct nmi_act act;
};

/* MaxPool, AveragePool, LpPool-free. */
struct nmi_pool_attrs {
    int64_t auto_pad, ceil_mode, count_include_pad, storage_order;
    struct nmi_ints kernel_shape, strides, dilations, pads;
};

/* BatchNormalization (7, 9, 14, 15). */
struct nmi_bn_attrs {
    float epsilon, momentum;
    int64_t training_mode, spatial;
};

/* Pad (2..19): mode; pads and value as attributes below opset 11. */
struct nmi_pad_attrs {
    int64_t mode; /* 0 constant, 1 reflect, 2 edge, 3 wrap (refused) */
    struct nmi_ints pads;
    float value;
};

/* Clip (6..13): bounds as attributes below opset 11. */
struct nmi_clip_attrs {
    float min, max;
};

/* LeakyRelu, Elu: alpha. HardSigmoid: alpha, beta. */
struct nmi_alpha_attrs {
    float alpha, beta;
};

/* Softmax, LogSoftmax (1, 11, 13), Concat, Flatten, Gather, Split...: axis. */
struct nmi_axis_attrs {
    int64_t axis;
    int64_t legacy; /* Softmax below opset 13: the axes from `axis` on are one */
};

/* LayerNormalization (17). */
struct nmi_layer_norm_attrs {
    int64_t axis;
    float epsilon;
};

/*
 * Resolves a convolution's or pooling's window along `spatial` (1 or 2) axes for a given input:
 * pads (auto_pad applied), output size. 1-D is written as 2-D with height 1. NM_ESHAPE when the
 * window does not fit. Unknown input dims give unknown output dims.
 */
struct nmi_window {
    int64_t kernel[2], stride[2], dilation[2], pad_begin[2], pad_end[2]; /* [0] height, [1] width */
    int64_t in[2], out[2];
};
nm_status nmi_window_resolve(const struct nmi_ints *kernel, const struct nmi_ints *strides,
                             const struct nmi_ints *dilations, const struct nmi_ints *pads,
                             int64_t auto_pad, int64_t ceil_mode, int32_t spatial,
                             const int64_t *in_dims, struct nmi_window *w, const char *node,
                             nm_error *err);

/* Descriptors of kernels/kernel.h, for nodes whose shapes are known: what the plan asks for. */
nm_status nmi_conv_describe(const struct nmi_conv_attrs *attrs, const struct nmi_tensor *x,
                            const struct nmi_tensor *w, const struct nmi_tensor *y, bool bias,
                            const char *node, struct nmi_conv_desc *desc, nm_error *err);
/* desc->pad of a transposed convolution is what ONNX calls pads; desc->y says the rest. */
nm_status nmi_deconv_describe(const struct nmi_conv_attrs *attrs, const struct nmi_tensor *x,
                              const struct nmi_tensor *w, const struct nmi_tensor *y, bool bias,
                              const char *node, struct nmi_conv_desc *desc, nm_error *err);
/* to[r][c] = scale[r] w[r][c]: what a Conv with scales means by its weights. */
void nmi_conv_scale_weights(const float *w, const float *scale, int64_t rows, int64_t cols,
                            float *to);
nm_status nmi_pool_describe(uint16_t op, const struct nmi_pool_attrs *attrs,
                            const struct nmi_tensor *x, const struct nmi_tensor *y,
                            const char *node, struct nmi_pool_desc *desc, nm_error *err);

/* const_b is left false. c: the third input, or NULL. MatMul whose batches do not follow each
 * other with one stride is NM_EUNSUPPORTED (eval does such batches one by one). */
nm_status nmi_gemm_describe(const struct nmi_gemm_attrs *attrs, const struct nmi_tensor *a,
                            const struct nmi_tensor *b, const struct nmi_tensor *c,
                            const char *node, struct nmi_gemm_desc *desc, nm_error *err);
nm_status nmi_matmul_describe(const struct nmi_gemm_attrs *attrs, const struct nmi_tensor *a,
                              const struct nmi_tensor *b, const struct nmi_tensor *c,
                              const char *node, struct nmi_gemm_desc *desc, nm_error *err);

#endif
