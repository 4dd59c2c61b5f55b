/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times one implementation alone, on made-up operands of the right size (values do not matter, but
 * for being no denormals). Operands are shared by all that is timed in one planning; packed weights
 * and oneDNN objects belong to one subject.
 */
#ifndef NM_PLAN_STOPWATCH_H
#define NM_PLAN_STOPWATCH_H

#include "kernels/kernel.h"
#include "lib/sparse/csr.h"

enum nmi_made_up { NMI_MADE_X, NMI_MADE_Y, NMI_MADE_RES, NMI_MADE_BIAS, NMI_MADE_SCRATCH, NMI_MADE };

/* They grow to the largest that was asked for. */
struct nmi_operands {
    float *at[NMI_MADE];
    size_t bytes[NMI_MADE];
};
void nmi_operands_free(struct nmi_operands *operands);

/* One thing to time. */
struct nmi_subject {
    int32_t kind; /* enum nmi_kind */
    const union nmi_desc *desc;
    const struct nmi_kernel *kernel; /* NULL: oneDNN by algo */
    enum nmi_dnnl_algo algo;
    const struct nmi_csr *csr; /* of kernels that pack them */
    const float *weight;       /* dense, or NULL */
    int32_t threads;
    size_t x_bytes, y_bytes;
    /* between open and close */
    struct nmi_dnnl *dnnl;
    void *packed;
    int32_t parts;
};

/* Makes what the subject needs. NM_EUNSUPPORTED, NM_EINTERNAL: it cannot be made. Close it anyway. */
nm_status nmi_subject_open(struct nmi_operands *operands, struct nmi_subject *s, nm_error *err);
/* The fastest of a few runs (what disturbs a run only makes it slower), until `budget` seconds have
 * passed or it is hopeless beside a rival's time. */
nm_status nmi_subject_time(const struct nmi_operands *operands, const struct nmi_subject *s,
                           double budget, double rival, double *seconds);
void nmi_subject_close(struct nmi_subject *s);

/* oneDNN object for a layer under a thread count. */
nm_status nmi_plan_dnnl(int32_t kind, const union nmi_desc *desc, enum nmi_dnnl_algo algo,
                        int32_t threads, struct nmi_dnnl **object, nm_error *err);

#endif
