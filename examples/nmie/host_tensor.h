/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_tensor.h - a tensor that owns its memory, and the files it comes from and goes to: .npy
 * (NumPy), .pb (ONNX TensorProto), .bin (the bare elements, little-endian).
 */
#ifndef NMIE_HOST_TENSOR_H
#define NMIE_HOST_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include <nm/nm.h>

#define HOST_TENSOR_FILE_MAX ((size_t)1 << 36)

struct host_tensor {
    nm_tensor t; /* t.name == name; t.data is owned, 64-byte aligned and never NULL once made */
    char *name;  /* owned; may be NULL */
};

/* Elements of these dims; false when one is negative or the product is too large. */
bool host_count(const int64_t *dims, int32_t rank, size_t *count);

/* Memory, all zeros, for type and dims, which the caller has put into h->t. Sets capacity. */
nm_status host_make(struct host_tensor *h, nm_error *err);

/* Gives h->t.name a copy of name. */
nm_status host_name(struct host_tensor *h, const char *name, nm_error *err);

/*
 * Reads a file by the end of its name. A .bin file has no header: its type and dims are wanted's
 * (one free dimension, at most, follows from the size). wanted may be NULL for the other kinds.
 */
nm_status host_load(const char *path, const nm_value_info *wanted, struct host_tensor *h,
                    nm_error *err);

/* Writes t by the end of the file's name. */
nm_status host_save(const char *path, const nm_tensor *t, nm_error *err);

void host_free(struct host_tensor *h);

/* Element i as a double. The type must be a real one (not NM_TYPE_NONE). */
double host_at(const nm_tensor *t, size_t i);

/* True for float32, float64, float16 and bfloat16. */
bool host_is_float(nm_type type);

/* "[1,3,224,224]" into text; free dims as their symbol or '?'. symbols may be NULL. */
const char *host_dims_text(const int64_t *dims, const char *const *symbols, int32_t rank,
                           char text[static 256]);

#endif
