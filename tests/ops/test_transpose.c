/* SPDX-License-Identifier: Apache-2.0 */
/* Axes in another order, and repetition: against index arithmetic. */
#include "lib/ops/helpers.h"
#include "tests/support/op_case.h"

#include <check.h>
#include <string.h>

/* Row-major position i of a tensor, as an index. */
static void index_of(const struct nmi_tensor *t, int64_t i, int64_t *index)
{
    for (int32_t k = t->rank - 1; k >= 0; k--) {
        index[k] = i % t->dims[k];
        i /= t->dims[k];
    }
}

static int64_t position(const struct nmi_tensor *t, const int64_t *index)
{
    int64_t at = 0;
    for (int32_t k = 0; k < t->rank; k++) {
        at = at * t->dims[k] + index[k];
    }
    return at;
}

static void shuffle(struct nmi_ints *perm, int32_t n)
{
    perm->n = n;
    for (int32_t i = 0; i < n; i++) {
        int64_t k = op_case_random(0, i);
        perm->v[i] = perm->v[k];
        perm->v[k] = i;
    }
}

START_TEST(transpose_random_axes_of_every_element_size)
{
    static const nm_type types[] = {NM_F32, NM_BOOL, NM_BF16, NM_I64};
    op_case_seed();
    for (int round = 0; round < 400; round++) {
        struct op_case c;
        int64_t dims[NMI_MAX_DIMS], index[NMI_MAX_DIMS], from[NMI_MAX_DIMS];
        int32_t rank = (int32_t)op_case_random(1, 6);
        nm_type type = types[round % 4];
        size_t size = nm_type_size(type);
        unsigned char bytes[4096 * 8];
        for (int32_t i = 0; i < rank; i++) {
            dims[i] = op_case_random(1, 4);
        }
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (unsigned char)op_case_random(0, 255);
        }
        op_case_start(&c, NMI_OP_Transpose, 13);
        struct nmi_ints *perm = c.attrs;
        shuffle(perm, rank);
        op_case_in(&c, type, rank, dims, bytes);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        for (int64_t i = 0; i < nmi_count(&c.out[0]); i++) {
            index_of(&c.out[0], i, index);
            for (int32_t k = 0; k < rank; k++) {
                from[perm->v[k]] = index[k];
            }
            ck_assert_mem_eq((char *)c.out[0].data + (size_t)i * size,
                             bytes + (size_t)position(&c.in[0], from) * size, size);
        }
        op_case_end(&c);
    }
}
END_TEST

START_TEST(transpose_large_matrices_of_odd_sizes)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Transpose, 13);
    OP_IN(&c, NULL, 3, 67, 131);
    *(struct nmi_ints *)c.attrs = (struct nmi_ints){3, {0, 2, 1}};
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 3, 131, 67);
    const float *x = c.in[0].data, *y = op_case_floats(&c, 0);
    for (int64_t i = 0; i < 3 * 67 * 131; i++) {
        ck_assert_float_eq(y[i / 8777 * 8777 + i % 131 * 67 + i % 8777 / 131], x[i]);
    }
    op_case_end(&c);
}
END_TEST

START_TEST(transpose_default_reverses_and_nonsense_is_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Transpose, 13);
    OP_IN(&c, NULL, 2, 3, 4);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, 4, 3, 2);
    struct nmi_ints *perm = c.attrs;
    *perm = (struct nmi_ints){2, {0, 1}};
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    *perm = (struct nmi_ints){3, {0, 1, 1}};
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EINVAL);
    *perm = (struct nmi_ints){3, {0, 1, 3}};
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    *perm = (struct nmi_ints){3, {0, 1, -1}};
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(depth_to_space_by_hand_and_back)
{
    float x[16];
    for (int i = 0; i < 16; i++) {
        x[i] = (float)i;
    }
    for (int64_t mode = 0; mode < 2; mode++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_DepthToSpace, 13);
        int64_t *a = c.attrs; /* blocksize, mode */
        a[0] = 2;
        a[1] = mode;
        OP_IN(&c, x, 1, 8, 1, 2);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_DIMS(&c, 1, 2, 2, 4);
        for (int64_t i = 0; i < 16; i++) {
            int64_t ch = i / 8, h = i / 4 % 2, w = i % 4, block = h * 2 + w % 2;
            int64_t from = mode == 0 ? block * 2 + ch : ch * 4 + block;
            ck_assert_float_eq(op_case_floats(&c, 0)[i], x[from * 2 + w / 2]);
        }
        struct op_case back;
        op_case_start(&back, NMI_OP_SpaceToDepth, 13);
        *(int64_t *)back.attrs = 2;
        OP_IN(&back, op_case_floats(&c, 0), 1, 2, 2, 4);
        ck_assert_int_eq(op_case_run(&back, 1), NM_OK);
        OP_DIMS(&back, 1, 8, 1, 2);
        ck_assert(mode == 1 || memcmp(back.out[0].data, x, sizeof x) == 0);
        op_case_end(&back);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(depth_to_space_sizes_that_do_not_divide_are_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_DepthToSpace, 13);
    *(int64_t *)c.attrs = 2;
    OP_IN(&c, NULL, 1, 6, 1, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_SpaceToDepth, 13);
    *(int64_t *)c.attrs = 1 << 12;
    op_case_in(&c, NM_F32, 4, (const int64_t[]){1, (int64_t)1 << 40, 0, 0}, NULL);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ELIMIT);
    op_case_end(&c);
}
END_TEST

START_TEST(expand_and_tile_repeat)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Expand, 13);
    OP_IN(&c, ((const float[]){1, 2}), 2, 1);
    OP_LIST(&c, 2, 1, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2, 2, 3);
    OP_VALUES(&c, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Tile, 13);
    OP_IN(&c, ((const float[]){1, 2, 3, 4}), 2, 2);
    OP_LIST(&c, 2, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 4, 6);
    OP_VALUES(&c, 1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4, 1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4);
    op_case_end(&c);
}
END_TEST

START_TEST(tile_random_repeats_follow_the_index)
{
    op_case_seed();
    for (int round = 0; round < 200; round++) {
        struct op_case c;
        int64_t dims[4], repeats[4], index[4];
        for (int i = 0; i < 4; i++) {
            dims[i] = op_case_random(1, 4);
            repeats[i] = op_case_random(round % 20 == 0 ? 0 : 1, 4);
        }
        op_case_start(&c, NMI_OP_Tile, 13);
        op_case_in(&c, NM_F32, 4, dims, NULL);
        OP_LONG_IN(&c, repeats, 4);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        const float *x = c.in[0].data;
        for (int64_t i = 0; i < nmi_count(&c.out[0]); i++) {
            index_of(&c.out[0], i, index);
            for (int k = 0; k < 4; k++) {
                index[k] %= dims[k];
            }
            ck_assert_float_eq(op_case_floats(&c, 0)[i], x[position(&c.in[0], index)]);
        }
        op_case_end(&c);
    }
}
END_TEST

START_TEST(expand_and_tile_nonsense_is_refused)
{
    static const int64_t sizes[] = {-1, INT64_MIN, INT64_MAX, (int64_t)1 << 47};
    for (size_t i = 0; i < NMI_COUNT(sizes); i++) {
        for (int k = 0; k < 2; k++) {
            struct op_case c;
            op_case_start(&c, k == 0 ? NMI_OP_Expand : NMI_OP_Tile, 13);
            OP_IN(&c, NULL, 4, 1);
            OP_LIST(&c, 4, sizes[i]);
            nm_status status = op_case_infer(&c, 1);
            ck_assert(status == NM_ESHAPE || status == NM_ELIMIT);
            op_case_end(&c);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transpose");
    TCase *t = tcase_create("transpose");
    tcase_add_test(t, transpose_random_axes_of_every_element_size);
    tcase_add_test(t, transpose_large_matrices_of_odd_sizes);
    tcase_add_test(t, transpose_default_reverses_and_nonsense_is_refused);
    tcase_add_test(t, depth_to_space_by_hand_and_back);
    tcase_add_test(t, depth_to_space_sizes_that_do_not_divide_are_refused);
    tcase_add_test(t, expand_and_tile_repeat);
    tcase_add_test(t, tile_random_repeats_follow_the_index);
    tcase_add_test(t, expand_and_tile_nonsense_is_refused);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
