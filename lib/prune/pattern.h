/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of zeros: which weights go together. A weight is rows x cols, cols = input channels x
 * taps; blocks and groups run along output channels and along input channels at the same tap.
 */
#ifndef NM_PRUNE_PATTERN_H
#define NM_PRUNE_PATTERN_H

#include "lib/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum nmi_pattern_kind {
    NMI_PATTERN_ANY,    /* each weight by itself */
    NMI_PATTERN_BLOCK,  /* blocks of a output channels x b input channels stay or go whole */
    NMI_PATTERN_N_M,    /* of each b input channels a stay */
    NMI_PATTERN_FILTER, /* whole output channels */
};

struct nmi_pattern {
    uint8_t kind; /* enum nmi_pattern_kind */
    int32_t a, b; /* 1..64 */
};

/* "any", "4x1" (blocks), "2:4" (N:M), "filter". NM_EINVAL with a sentence for other words. */
nm_status nmi_pattern_parse(const char *word, struct nmi_pattern *pattern, nm_error *err);
/* The word for it, in a caller's buffer. */
#define NMI_PATTERN_WORD 16
const char *nmi_pattern_word(const struct nmi_pattern *pattern, char word[NMI_PATTERN_WORD]);

/* A weight's shape for a pattern. */
struct nmi_pattern_shape {
    int32_t rows, channels, taps; /* elements are [rows][channels][taps] */
};

/*
 * Keeps the groups with the largest mean squares: mask[i] is 1 where the weight stays. The share
 * `sparsity` of the groups goes, counted down (N:M fixes its own share). Ties are broken in the order
 * of the weights, the first go.
 */
nm_status nmi_pattern_select(const struct nmi_pattern *pattern, const struct nmi_pattern_shape *shape,
                             const float *values, double sparsity, uint8_t *mask, nm_error *err);

#endif
