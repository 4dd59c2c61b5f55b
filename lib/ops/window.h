/* SPDX-License-Identifier: Apache-2.0 */
/* Between window.c, kernel_desc.c and the operators that are convolutions, products and pools. */
#ifndef NM_OPS_WINDOW_H
#define NM_OPS_WINDOW_H

#include "lib/ops/attrs.h"

/* The rank of a window operation's input: 3 or 4, that is 1-D or 2-D. NM_EUNSUPPORTED for 3-D. */
nm_status nmi_window_rank(int32_t rank, const char *node, nm_error *err);
/* The same for an attribute of `n` spatial values: what a descriptor's finish can know. */
nm_status nmi_window_spatial(int32_t n, const char *node, nm_error *err);

/* Windows of Conv and ConvTranspose from the dims of x and w (unknown dims allowed), the agreement
 * of channels and groups included. node may be NULL here and in all of window.c. */
nm_status nmi_conv_window(const struct nmi_conv_attrs *attrs, int32_t rank, const int64_t *x,
                          const int64_t *w, struct nmi_window *window, const char *node,
                          nm_error *err);
nm_status nmi_deconv_window(const struct nmi_conv_attrs *attrs, int32_t rank, const int64_t *x,
                            const int64_t *w, struct nmi_window *window, const char *node,
                            nm_error *err);

/* Output channels of ConvTranspose: w[1] x group. */
nm_status nmi_deconv_channels(const struct nmi_conv_attrs *attrs, int64_t per_group, int64_t *out,
                              nm_error *err);

/* Runs the reference kernel of this kind as one part; scratch as nmi_reference_scratch says. */
nm_status nmi_reference_run(int32_t kind, const union nmi_desc *desc, const struct nmi_kargs *args,
                            nm_error *err);
size_t nmi_reference_scratch(int32_t kind, const union nmi_desc *desc);

#endif
