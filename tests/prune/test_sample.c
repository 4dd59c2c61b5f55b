/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of a layer against im2col written out: windows, groups, positions, batches, seeds. */
#include "lib/base/mem.h"
#include "lib/prune/sample.h"
#include "tests/support/builder.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Convolutions to be sampled; kernels are kh x kw. */
struct window {
    int64_t rows, channels, group, kh, kw; /* channels of one group */
    int64_t stride[2], dilation[2], pads[4];
    int64_t h, w;
};

/* A node, its items, and outputs that tell where they come from: 1000 m + position. */
struct sampling {
    struct builder b;
    struct nmi_arena arena;
    struct nmi_targets targets;
    struct window win;
    struct nmi_tensor x, y;
    int64_t items, positions, y_w;
    float *skip_data;
};

static void choose(struct sampling *s)
{
    nm_prune_options o = NM_PRUNE_OPTIONS_INIT;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nmi_targets_choose(s->b.g, &o, NULL, &s->arena, &s->targets, &err) == NM_OK, "%s",
                  err.message);
    ck_assert_int_eq(s->targets.n, 1);
}

static void fill_outputs(struct sampling *s, int64_t rows, bool channels_first)
{
    float *y = malloc((size_t)(s->items * rows * s->positions) * sizeof *y);
    for (int64_t i = 0; i < s->items * rows * s->positions; i++) {
        const int64_t inside = i % (rows * s->positions);
        const int64_t m = channels_first ? inside / s->positions : inside % rows;
        const int64_t at = channels_first ? inside % s->positions : inside / rows;
        y[i] = (float)(1000 * m + at);
    }
    s->y.data = y;
}

static void open_conv(struct sampling *s, const struct window *w, int64_t items)
{
    const int64_t channels = w->channels * w->group;
    *s = (struct sampling){.win = *w, .items = items};
    build_begin(&s->b, 1);
    const int32_t x = build_input(&s->b, "x", DIMS(-1, channels, w->h, w->w));
    const int32_t weight = build_random(&s->b, "c.w", DIMS(w->rows, w->channels, w->kh, w->kw));
    build_output(&s->b, build_node(&s->b, NMI_OP_Conv, "c", IDS(x, weight)));
    struct nmi_conv_attrs *a = s->b.g->nodes[0].attrs;
    a->group = w->group;
    a->strides = (struct nmi_ints){2, {w->stride[0], w->stride[1]}};
    a->dilations = (struct nmi_ints){2, {w->dilation[0], w->dilation[1]}};
    a->pads = (struct nmi_ints){4, {w->pads[0], w->pads[1], w->pads[2], w->pads[3]}};
    const int64_t high = w->h + w->pads[0] + w->pads[2] - w->dilation[0] * (w->kh - 1) - 1;
    const int64_t wide = w->w + w->pads[1] + w->pads[3] - w->dilation[1] * (w->kw - 1) - 1;
    s->y_w = wide / w->stride[1] + 1;
    s->positions = (high / w->stride[0] + 1) * s->y_w;
    s->x = (struct nmi_tensor){.type = NM_F32, .rank = 4, .dims = {items, channels, w->h, w->w}};
    s->x.data = prune_floats((size_t)(items * channels * w->h * w->w), 8);
    s->y = (struct nmi_tensor){
        .type = NM_F32, .rank = 4, .dims = {items, w->rows, s->positions / s->y_w, s->y_w}};
    fill_outputs(s, w->rows, true);
    choose(s);
}

static void close_sampling(struct sampling *s)
{
    free(s->x.data);
    free(s->y.data);
    free(s->skip_data);
    nmi_arena_free(&s->arena);
    build_end(&s->b);
}

static struct nmi_samples room(const struct sampling *s, int64_t per_item, bool skip, uint64_t seed)
{
    struct nmi_samples samples;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nmi_samples_create(&s->targets.at[0], &s->b.g->nodes[0], s->items, s->positions,
                                     per_item, skip, seed, &samples, &err) == NM_OK, "%s",
                  err.message);
    return samples;
}

/* Items [first, first + count) of a tensor. */
static struct nmi_tensor slice(const struct nmi_tensor *t, int64_t first, int64_t count)
{
    struct nmi_tensor part = *t;
    int64_t item = 1;
    for (int32_t d = 1; d < t->rank; d++) {
        item *= t->dims[d];
    }
    part.dims[0] = count;
    part.data = (float *)t->data + first * item;
    return part;
}

/* All items in batches of so many. */
static struct nmi_samples take(const struct sampling *s, int64_t per_item, int64_t batch, uint64_t seed)
{
    struct nmi_samples samples = room(s, per_item, false, seed);
    nm_error err = {NM_OK, ""};
    for (int64_t first = 0; first < s->items; first += batch) {
        const int64_t count = s->items - first < batch ? s->items - first : batch;
        const struct nmi_tensor x = slice(&s->x, first, count), y = slice(&s->y, first, count);
        const struct nmi_sample_batch b = {first, &x, &y, NULL, NULL};
        ck_assert_msg(nmi_samples_take(&samples, &b, &err) == NM_OK, "%s", err.message);
    }
    return samples;
}

/* Element col of the im2col row of this group, item and position. */
static float window_at(const struct sampling *s, int64_t item, int64_t group, int64_t at, int64_t col)
{
    const struct window *w = &s->win;
    const int64_t taps = w->kh * w->kw, channel = group * w->channels + col / taps;
    const int64_t ky = col % taps / w->kw, kx = col % w->kw;
    const int64_t y = at / s->y_w * w->stride[0] - w->pads[0] + ky * w->dilation[0];
    const int64_t x = at % s->y_w * w->stride[1] - w->pads[1] + kx * w->dilation[1];
    if (y < 0 || y >= w->h || x < 0 || x >= w->w) {
        return 0;
    }
    return ((const float *)s->x.data)[((item * w->channels * w->group + channel) * w->h + y) * w->w + x];
}

static void expect_windows(const struct sampling *s, const struct nmi_samples *got)
{
    const struct nmi_target *t = got->target;
    bool *seen = calloc((size_t)(s->items * s->positions), sizeof *seen);
    ck_assert_int_eq(got->n, s->items * got->per_item);
    ck_assert_int_eq(got->rows, s->win.rows);
    for (int64_t i = 0; i < got->n; i++) {
        const int64_t item = i / got->per_item, at = (int64_t)got->full[i * got->rows];
        ck_assert(at >= 0 && at < s->positions && !seen[item * s->positions + at]);
        seen[item * s->positions + at] = true;
        for (int32_t m = 0; m < got->rows; m++) {
            ck_assert(got->full[i * got->rows + m] == (float)(1000 * m + at));
        }
        for (int32_t g = 0; g < t->groups; g++) {
            for (int32_t c = 0; c < t->cols; c++) {
                ck_assert(got->x[(g * got->n + i) * t->cols + c] == window_at(s, item, g, at, c));
            }
        }
    }
    free(seen);
}

static const struct window windows[] = {
    {4, 3, 1, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 5, 7},
    {4, 3, 1, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 5, 7},
    {6, 2, 2, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 8, 6},
    {4, 1, 4, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 4, 4},
    {3, 2, 1, 3, 3, {1, 1}, {2, 2}, {2, 2, 2, 2}, 7, 7},
    {3, 2, 1, 2, 3, {2, 1}, {1, 3}, {1, 0, 0, 2}, 6, 9},
    {2, 2, 1, 5, 5, {3, 3}, {1, 1}, {4, 4, 0, 3}, 4, 5},
    {2, 1, 2, 1, 4, {1, 2}, {1, 1}, {0, 3, 0, 1}, 3, 8},
    {5, 4, 1, 4, 4, {1, 1}, {1, 1}, {0, 0, 0, 0}, 4, 4},
};

/* ---- windows -------------------------------------------------------------------------------- */

START_TEST(convolutions_like_im2col)
{
    for (size_t i = 0; i < NMI_COUNT(windows); i++) {
        struct sampling s;
        open_conv(&s, &windows[i], 5);
        for (int64_t each = 1; each <= s.positions + 1; each += 6) {
            struct nmi_samples got = take(&s, each, 2, 3);
            ck_assert_int_eq(got.per_item, each < s.positions ? each : s.positions);
            expect_windows(&s, &got);
            nmi_samples_free(&got);
        }
        close_sampling(&s);
    }
}
END_TEST

/* x [items, positions, 6] or [items, 6] times a weight. */
static void check_matrix(uint16_t op, int64_t positions, bool trans_b)
{
    struct sampling s = {.items = 7, .positions = positions};
    build_begin(&s.b, 1);
    const int32_t x = positions > 1 ? build_input(&s.b, "x", DIMS(-1, positions, 6))
                                    : build_input(&s.b, "x", DIMS(-1, 6));
    const int32_t w = trans_b ? build_random(&s.b, "w", DIMS(4, 6)) : build_random(&s.b, "w", DIMS(6, 4));
    build_output(&s.b, build_node(&s.b, op, "m", IDS(x, w)));
    if (trans_b) {
        ((struct nmi_gemm_attrs *)s.b.g->nodes[0].attrs)->trans_b = 1;
    }
    s.x = (struct nmi_tensor){.type = NM_F32, .rank = 2, .dims = {7, 6}};
    s.y = (struct nmi_tensor){.type = NM_F32, .rank = 2, .dims = {7, 4}};
    if (positions > 1) {
        s.x = (struct nmi_tensor){.type = NM_F32, .rank = 3, .dims = {7, positions, 6}};
        s.y = (struct nmi_tensor){.type = NM_F32, .rank = 3, .dims = {7, positions, 4}};
    }
    s.x.data = prune_floats((size_t)(7 * positions * 6), 1);
    fill_outputs(&s, 4, false);
    choose(&s);
    struct nmi_samples got = take(&s, 3, 3, 1);
    for (int64_t i = 0; i < got.n; i++) {
        const int64_t at = (int64_t)got.full[i * 4], item = i / got.per_item;
        ck_assert_mem_eq(got.x + i * 6, (float *)s.x.data + (item * positions + at) * 6,
                         6 * sizeof(float));
        ck_assert(got.full[i * 4 + 3] == (float)(3000 + at));
    }
    nmi_samples_free(&got);
    close_sampling(&s);
}

START_TEST(matrices_row_by_row)
{
    check_matrix(NMI_OP_Gemm, 1, false);
    check_matrix(NMI_OP_Gemm, 1, true);
    check_matrix(NMI_OP_MatMul, 1, false);
    check_matrix(NMI_OP_MatMul, 9, false);
}
END_TEST

/* ---- batches and seeds ---------------------------------------------------------------------- */

START_TEST(the_same_for_any_batches_and_its_seed)
{
    struct sampling s;
    open_conv(&s, &windows[2], 12);
    struct nmi_samples one = take(&s, 4, 12, 5);
    const size_t x = (size_t)(one.n * one.target->cols * one.target->groups) * sizeof(float);
    const size_t y = (size_t)(one.n * one.rows) * sizeof(float);
    for (int64_t batch = 1; batch <= 12; batch++) {
        struct nmi_samples got = take(&s, 4, batch, 5);
        ck_assert_mem_eq(got.x, one.x, x);
        ck_assert_mem_eq(got.full, one.full, y);
        nmi_samples_free(&got);
    }
    struct nmi_samples other = take(&s, 4, 12, 6);
    ck_assert_mem_ne(other.full, one.full, y);
    nmi_samples_free(&other);
    bool differ = false; /* items have positions of their own */
    for (int64_t i = 4; i < one.n; i++) {
        differ |= one.full[i * one.rows] != one.full[(i - 4) * one.rows];
    }
    ck_assert(differ);
    nmi_samples_free(&one);
    close_sampling(&s);
}
END_TEST

START_TEST(positions_are_drawn_evenly)
{
    struct sampling s;
    const struct window w = {1, 1, 1, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 3, 3};
    int32_t count[9] = {0};
    open_conv(&s, &w, 3000);
    struct nmi_samples got = take(&s, 3, 3000, 1);
    for (int64_t i = 0; i < got.n; i++) {
        count[(int)got.full[i]]++;
    }
    for (int i = 0; i < 9; i++) {
        ck_assert_msg(count[i] > 850 && count[i] < 1150, "position %d: %d of 9000", i, count[i]);
    }
    nmi_samples_free(&got);
    close_sampling(&s);
}
END_TEST

/* ---- skips ---------------------------------------------------------------------------------- */

START_TEST(skips_of_both_networks)
{
    struct sampling s;
    open_conv(&s, &windows[1], 3);
    const int64_t n = 3 * s.win.rows * s.positions;
    s.skip_data = malloc((size_t)(2 * n) * sizeof(float));
    for (int64_t i = 0; i < n; i++) {
        s.skip_data[i] = 0.5f * ((float *)s.y.data)[i];
        s.skip_data[n + i] = -((float *)s.y.data)[i];
    }
    struct nmi_tensor dense = s.y, own = s.y;
    dense.data = s.skip_data;
    own.data = s.skip_data + n;
    struct nmi_samples got = room(&s, 5, true, 2);
    const struct nmi_sample_batch b = {0, &s.x, &s.y, &dense, &own};
    ck_assert_int_eq(nmi_samples_take(&got, &b, NULL), NM_OK);
    for (int64_t i = 0; i < got.n * got.rows; i++) {
        ck_assert(got.full[i] == -1.5f * got.skip[i]);
    }
    nm_error err = {NM_OK, ""};
    own.dims[1] = 1; /* a map that is spread over the channels */
    ck_assert_int_eq(nmi_samples_take(&got, &b, &err), NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "another shape"));
    nmi_samples_free(&got);
    close_sampling(&s);
}
END_TEST

START_TEST(mixed_items_refused)
{
    struct sampling s;
    nm_error err = {NM_OK, ""};
    open_conv(&s, &windows[1], 4);
    struct nmi_samples got = room(&s, 5, false, 2);
    struct nmi_tensor y = s.y;
    y.dims[0] = 2;
    y.dims[1] *= 2;
    const struct nmi_sample_batch fewer = {0, &s.x, &y, NULL, NULL};
    ck_assert_int_eq(nmi_samples_take(&got, &fewer, &err), NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "mixes items"));
    const struct nmi_sample_batch beyond = {1, &s.x, &s.y, NULL, NULL};
    ck_assert_int_eq(nmi_samples_take(&got, &beyond, &err), NM_EUNSUPPORTED);
    nmi_samples_free(&got);
    close_sampling(&s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sample");
    TCase *t = tcase_create("sample");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, convolutions_like_im2col);
    tcase_add_test(t, matrices_row_by_row);
    tcase_add_test(t, the_same_for_any_batches_and_its_seed);
    tcase_add_test(t, positions_are_drawn_evenly);
    tcase_add_test(t, skips_of_both_networks);
    tcase_add_test(t, mixed_items_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
