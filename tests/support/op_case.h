/* SPDX-License-Identifier: Apache-2.0 */
/* One operator alone: attributes, inputs, then inference and evaluation as the library does them.
 */
#ifndef NM_TESTS_SUPPORT_OP_CASE_H
#define NM_TESTS_SUPPORT_OP_CASE_H

#include "lib/base/mem.h"
#include "lib/ops/attrs.h"

enum { OP_CASE_INPUTS = 8, OP_CASE_OUTPUTS = 5 };

struct op_case {
    uint16_t op;
    int32_t opset;
    void *attrs; /* the operator's struct, with its defaults */
    struct nmi_fact facts[OP_CASE_INPUTS];
    struct nmi_fact out_facts[OP_CASE_OUTPUTS];
    struct nmi_tensor in[OP_CASE_INPUTS], out[OP_CASE_OUTPUTS];
    bool given[OP_CASE_INPUTS];
    int32_t n_in, n_out;
    struct nmi_arena arena;
    nm_error err;
};

void op_case_start(struct op_case *c, uint16_t op, int32_t opset);
void op_case_end(struct op_case *c);

/* The next input; data is copied (floats by number), or random numbers when it is NULL. */
void op_case_in(struct op_case *c, nm_type type, int32_t rank, const int64_t *dims,
                const void *data);
void op_case_skip(struct op_case *c); /* an omitted input */
#define OP_IN(c, data, ...)                                                                        \
    op_case_in(c, NM_F32, (int32_t)NMI_COUNT(((int64_t[]){__VA_ARGS__})),                          \
               (const int64_t[]){__VA_ARGS__}, data)

/* finish, then inference, with the facts of the inputs as they stand. */
nm_status op_case_infer(struct op_case *c, int32_t n_out);
/* Inference, then evaluation into canaried memory. */
nm_status op_case_run(struct op_case *c, int32_t n_out);

const float *op_case_floats(const struct op_case *c, int32_t output);
/* Fails the test unless output 0 has these dims. */
#define OP_DIMS(c, ...)                                                                            \
    op_case_dims(c, (int32_t)NMI_COUNT(((int64_t[]){__VA_ARGS__})), (const int64_t[]){__VA_ARGS__})
void op_case_dims(const struct op_case *c, int32_t rank, const int64_t *dims);
/* Fails the test unless output 0 has these values, up to 1e-5 of the largest. */
void op_case_values(const struct op_case *c, const float *expected, int64_t n);
#define OP_VALUES(c, ...)                                                                          \
    op_case_values(c, (const float[]){__VA_ARGS__}, (int64_t)NMI_COUNT(((float[]){__VA_ARGS__})))

/* Fails the test unless output 0, of an integer type or bool, has exactly these values. */
void op_case_longs(const struct op_case *c, const int64_t *expected, int64_t n);
#define OP_LONGS(c, ...)                                                                           \
    op_case_longs(c, (const int64_t[]){__VA_ARGS__}, (int64_t)NMI_COUNT(((int64_t[]){__VA_ARGS__})))
/* The next input: int64, of these dims, or a list. */
#define OP_LONG_IN(c, data, ...)                                                                   \
    op_case_in(c, NM_I64, (int32_t)NMI_COUNT(((int64_t[]){__VA_ARGS__})),                          \
               (const int64_t[]){__VA_ARGS__}, data)
#define OP_LIST(c, ...)                                                                            \
    op_case_in(c, NM_I64, 1, (const int64_t[]){(int64_t)NMI_COUNT(((int64_t[]){__VA_ARGS__}))},    \
               (const int64_t[]){__VA_ARGS__})

/* The seed: NM_SEED or 1; prints it. Then numbers in [low, high], and floats in (-1, 1). */
void op_case_seed(void);
int64_t op_case_random(int64_t low, int64_t high);
float op_case_float(void);

#endif
