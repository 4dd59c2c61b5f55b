/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed weights of a model: append-only and mutex-guarded, so that weights are packed once however
 * many sessions use them. Sessions take references while planning; nm_run never comes here.
 */
#ifndef NM_PLAN_WEIGHTS_H
#define NM_PLAN_WEIGHTS_H

#include "lib/base/status.h"

struct nmi_weights;

nm_status nmi_weights_create(struct nmi_weights **weights, nm_error *err);
void nmi_weights_free(struct nmi_weights *weights);

/* Writes the packed form into bytes of nmi_alloc'd memory. */
typedef nm_status (*nmi_pack_fn)(void *context, void *packed, nm_error *err);

/* The packed form with this key (constant and packing, hashed with nmi_hash), made by pack when it
 * is not there yet. *packed lives as long as the store. */
nm_status nmi_weights_get(struct nmi_weights *weights, uint64_t key, size_t bytes, nmi_pack_fn pack,
                          void *context, const void **packed, nm_error *err);

/* Bytes held. */
size_t nmi_weights_bytes(struct nmi_weights *weights);

#endif
