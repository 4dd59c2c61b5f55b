/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf-c gets an allocator whose free does nothing: the arena goes as a whole, and a fault in
 * what protobuf-c frees can't hurt. The arena's limit checks the walk's prediction. */
#include "lib/onnx/decode.h"

#include <string.h>

static void *arena_alloc(void *arena, size_t bytes)
{
    return nmi_arena_alloc(arena, bytes);
}

static void arena_keep(void *arena, void *p)
{
    (void)arena;
    (void)p;
}

static nm_status unpack(const void *bytes, size_t size, struct nmi_decoded *d, nm_error *err)
{
    const struct nmi_wire *wire = &d->wire;
    unsigned char *slim = NULL;
    if (wire->n_edits > 0) {
        slim = nmi_alloc(wire->slim_bytes);
        if (slim == NULL) {
            return nmi_fail_memory(err, wire->slim_bytes, "the model without its weights");
        }
        nmi_wire_slim(wire, bytes, size, slim);
    }
    ProtobufCAllocator allocator = {
        .alloc = arena_alloc, .free = arena_keep, .allocator_data = &d->arena};
    d->model = onnx__model_proto__unpack(&allocator, wire->slim_bytes, slim != NULL ? slim : bytes);
    nmi_free(slim);
    if (d->model == NULL) { /* the walk has checked the bytes: only memory can be missing */
        return nmi_fail_memory(err, (size_t)wire->heap, "the model's messages");
    }
    return NM_OK;
}

nm_status nmi_decode(const void *bytes, size_t size, const nm_limits *limits,
                     struct nmi_decoded *decoded, nm_error *err)
{
    memset(decoded, 0, sizeof *decoded);
    NMI_TRY(nmi_wire_scan(bytes, size, limits, &decoded->wire, err));
    decoded->arena.limit = (size_t)nmi_wire_heap_limit(limits, size);
    nm_status status = unpack(bytes, size, decoded, err);
    decoded->arena.limit = 0;
    if (status != NM_OK) {
        nmi_decode_free(decoded);
    }
    return status;
}

void nmi_decode_free(struct nmi_decoded *decoded)
{
    nmi_arena_free(&decoded->arena);
    nmi_wire_free(&decoded->wire);
    decoded->model = NULL;
}
