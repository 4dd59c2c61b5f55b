/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse convolution in lanes against the reference: random shapes, blockings and splits. */
#include "kernels/spconv.h"
#include "lib/base/mem.h"
#include "tests/support/lanes_case.h"

#include <string.h>

enum { CASES = 60 };

static int32_t out_extent(int32_t in, int32_t k, int32_t stride, int32_t dil, int32_t before,
                          int32_t after)
{
    return (in + before + after - dil * (k - 1) - 1) / stride + 1;
}

static int32_t halo_after(int32_t k, int32_t stride, int32_t dil, int32_t before)
{
    const int32_t reach = (k - 1) * dil - before - (stride - 1);
    return reach > 0 ? reach : 0;
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The grid of an output whose input's sub-images cover the input. */
static void lay_out(struct nmi_conv_desc *d, int32_t vl)
{
    const int32_t ipv = case_ipv(vl);
    const int32_t window = d->pool.kh ? 2 : 1;
    const int32_t down = d->stride_h * window, across = d->stride_w * window;
    const int32_t h = larger(d->y.h, (d->x.h + down - 1) / down);
    const int32_t w = larger(d->y.w, (d->x.w + across - 1) / across);
    const int32_t more = case_random(0, 3) ? 0 : 1;
    int32_t out[4] = {0},
            in[4] = {d->pad[0], d->pad[1], halo_after(d->kh, d->stride_h, d->dil_h, d->pad[0]),
                     halo_after(d->kw, d->stride_w, d->dil_w, d->pad[1])};
    for (int i = 0; i < 4; i++) {
        in[i] += more ? case_random(0, 2) : 0;
        out[i] = case_random(0, 1) ? case_random(0, 2) : 0;
    }
    d->y.layout = nmi_layout_best(vl, h, w, ipv, out);
    d->x.layout = nmi_layout_input(&d->y.layout, down, across, in);
}

static struct nmi_act random_act(void)
{
    struct nmi_act act = {.kind = case_random(0, NMI_ACT_GELU), .alpha = 0.1f, .beta = 6.0f};
    if (act.kind == NMI_ACT_CLIP) {
        act.alpha = 0.0f;
    }
    return act;
}

static void random_window(struct nmi_conv_desc *d)
{
    const bool point = case_random(0, 2) == 0;
    d->kh = point ? 1 : case_random(1, 5);
    d->kw = point ? 1 : case_random(1, 5);
    d->stride_h = case_random(0, 1) ? 1 : case_random(1, 3);
    d->stride_w = case_random(0, 1) ? d->stride_h : case_random(1, 3);
    d->dil_h = case_random(0, 2) ? 1 : case_random(1, 3);
    d->dil_w = case_random(0, 2) ? 1 : case_random(1, 3);
    for (int i = 0; i < 4; i++) {
        d->pad[i] = point && case_random(0, 3) ? 0 : case_random(0, 3);
    }
}

static void random_pool(struct nmi_conv_desc *d)
{
    if (d->y.h > 1 && d->y.w > 1 && case_random(0, 3) == 0) {
        d->pool = (struct nmi_conv_pool){.kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2};
        d->y.h /= 2;
        d->y.w /= 2;
        d->residual = false;
    }
}

static struct nmi_conv_desc random_conv(int32_t vl)
{
    struct nmi_conv_desc d = {.bias = case_random(0, 1), .residual = case_random(0, 2) == 0};
    d.act = random_act();
    do {
        random_window(&d);
        d.groups = case_random(0, 2) ? 1 : case_random(1, 20);
        const bool many = d.kh * d.kw == 1 && d.groups == 1 && case_random(0, 1);
        const int32_t icg = case_random(1, d.groups > 1 ? 3 : 40);
        const int32_t ocg = case_random(1, 40) + (many ? 110 : 0); /* around NMI_SP_COPY_ROWS */
        d.x = case_plain(case_random(1, 3) == 1 ? case_random(1, 33) : case_random(1, 2),
                         icg * d.groups, case_random(1, 30), case_random(1, 30));
        d.y = d.x;
        d.y.c = d.groups * (d.groups > 1 ? (ocg + 9) / 10 : ocg);
        d.y.h = out_extent(d.x.h, d.kh, d.stride_h, d.dil_h, d.pad[0], d.pad[2]);
        d.y.w = out_extent(d.x.w, d.kw, d.stride_w, d.dil_w, d.pad[1], d.pad[3]);
    } while (d.x.h + d.pad[0] + d.pad[2] <= d.dil_h * (d.kh - 1) ||
             d.x.w + d.pad[1] + d.pad[3] <= d.dil_w * (d.kw - 1));
    random_pool(&d);
    lay_out(&d, vl);
    return d;
}

static void random_blocking(struct nmi_conv_desc *d)
{
    d->blocking.tr = (int16_t)case_random(1, 4);
    d->blocking.tc = (int16_t)case_random(1, 14);
    d->blocking.icb = case_random(1, d->x.c);
    d->blocking.order = (int16_t)case_random(0, 1);
    d->blocking.slices = (int16_t)case_random(1, 9);
    if (d->pool.kh) {
        d->blocking.tr = (int16_t)(2 * case_random(1, 3));
        d->blocking.tc = (int16_t)(2 * case_random(1, 3));
        d->blocking.order = 0;
    }
}

struct buffers {
    struct case_image x, y, x_plain, y_plain;
    struct guard bias, packed;
    struct nmi_kargs args, plain_args;
};

static void prepare(struct buffers *b, const struct nmi_conv_desc *d, bool at_end)
{
    struct nmi_image x = d->x, y = d->y;
    x.layout = y.layout = (struct nmi_layout){0};
    b->x_plain = case_image_make(x, at_end);
    b->y_plain = case_image_make(y, at_end);
    b->x = case_image_make(d->x, at_end);
    b->y = case_image_make(d->y, at_end);
    case_image_fill(&b->x_plain, -1.0f, 1.0f);
    case_image_copy(&b->x_plain, &b->x);
    const bool point = d->kh * d->kw == 1 && d->pad[0] + d->pad[1] + d->pad[2] + d->pad[3] == 0;
    if (!point) {
        case_halo(&b->x, 0.0f);
    }
    b->bias = guard_make((size_t)d->y.c * sizeof(float), true);
    float *bias = b->bias.data;
    for (int32_t i = 0; i < d->y.c; i++) {
        bias[i] = case_float();
    }
    b->args = (struct nmi_kargs){.x = b->x.data, .y = b->y.data, .res = b->y.data};
    b->plain_args =
        (struct nmi_kargs){.x = b->x_plain.data, .y = b->y_plain.data, .res = b->y_plain.data};
    b->args.bias = b->plain_args.bias = d->bias ? bias : NULL;
}

static void release(struct buffers *b)
{
    case_image_free(&b->x);
    case_image_free(&b->y);
    case_image_free(&b->x_plain);
    case_image_free(&b->y_plain);
    guard_free(&b->bias);
    guard_free(&b->packed);
}

/* Frames and padding between planes keep the NaN that they were made of. */
static void check_frame(const struct case_image *y)
{
    const struct nmi_layout *l = &y->image.layout;
    const int32_t ipv = nmi_layout_ipv(l);
    const int64_t planes = (int64_t)((y->image.n + ipv - 1) / ipv) * y->image.c;
    for (int64_t v = 0; v < planes * l->plane; v++) {
        const int64_t row = v % l->plane / l->pitch - l->halo[0];
        const int64_t col = v % l->plane % l->pitch - l->halo[1];
        uint32_t bits;
        memcpy(&bits, y->data + v * l->vl, sizeof bits);
        if (row < 0 || row >= l->sub_h || col < 0 || col >= l->sub_w) {
            ck_assert(bits == UINT32_MAX);
        }
    }
}

/* The reference's convolution, then its pool. */
static void run_reference(const struct nmi_conv_desc *d, const struct nmi_csr *w, struct buffers *b,
                          bool at_end)
{
    union nmi_desc plain = {.conv = *d};
    const struct nmi_image y = b->y_plain.image;
    plain.conv.pool = (struct nmi_conv_pool){0};
    plain.conv.x.layout = plain.conv.y.layout = (struct nmi_layout){0};
    plain.conv.y.h = out_extent(d->x.h, d->kh, d->stride_h, d->dil_h, d->pad[0], d->pad[2]);
    plain.conv.y.w = out_extent(d->x.w, d->kw, d->stride_w, d->dil_w, d->pad[1], d->pad[3]);
    struct case_image map = case_image_make(plain.conv.y, at_end);
    if (d->pool.kh) {
        b->plain_args.y = map.data;
    }
    const struct nmi_kernel *reference = case_reference(NMI_KIND_SPCONV, &plain);
    struct guard packed = guard_make(reference->packed_bytes(&plain, w), true);
    reference->pack(&plain, w, packed.data);
    b->plain_args.packed = packed.data;
    case_run(reference, &plain, &b->plain_args, 1);
    if (d->pool.kh) {
        const union nmi_desc pool = {.pool = {.x = map.image,
                                              .y = y,
                                              .kh = d->pool.kh,
                                              .kw = d->pool.kw,
                                              .stride_h = d->pool.stride_h,
                                              .stride_w = d->pool.stride_w,
                                              .dil_h = 1,
                                              .dil_w = 1}};
        const struct nmi_kargs args = {.x = map.data, .y = b->y_plain.data};
        case_run(case_reference(NMI_KIND_POOL, &pool), &pool, &args, 1);
    }
    case_image_free(&map);
    guard_free(&packed);
}

/* One shape: the reference's values, and the same bits for every split. */
static void compare(const struct nmi_kernel *kernel, const union nmi_desc *desc,
                    const struct nmi_csr *w, bool at_end)
{
    const struct nmi_conv_desc *d = &desc->conv;
    struct buffers b = {0};
    prepare(&b, d, at_end);
    struct case_image start = case_image_make(b.y_plain.image, at_end);
    case_image_fill(&start, -1.0f, 1.0f); /* the residual, or something to overwrite */
    case_image_copy(&start, &b.y_plain);
    run_reference(d, w, &b, at_end);
    b.packed = guard_make(kernel->packed_bytes(desc, w), at_end);
    kernel->pack(desc, w, b.packed.data);
    b.args.packed = b.packed.data;
    struct case_image before = case_image_make(d->y, at_end);
    case_image_copy(&start, &before);
    memcpy(b.y.data, before.data, b.y.memory.bytes);
    case_run(kernel, desc, &b.args, 1);
    check_frame(&b.y);
    ck_assert_double_le(case_difference(&b.y, &b.y_plain), 1e-5);
    struct case_image first = case_image_make(d->y, at_end);
    memcpy(first.data, b.y.data, b.y.memory.bytes);
    for (int parts = 2; parts <= 8; parts++) {
        ck_assert_int_ge(kernel->parts(desc, b.packed.data, parts), 1);
        memcpy(b.y.data, before.data, b.y.memory.bytes);
        case_run(kernel, desc, &b.args, parts);
        ck_assert_mem_eq(b.y.data, first.data, b.y.memory.bytes);
    }
    case_image_free(&start);
    case_image_free(&before);
    case_image_free(&first);
    release(&b);
}

static void random_shapes(const struct nmi_kernel *kernel)
{
    static const double densities[] = {0.02, 0.1, 0.3, 1.0};
    static const int32_t alike[] = {1, 2, 4, 0};
    int done = 0;
    for (int tries = 0; tries < CASES * 100 && done < CASES; tries++) {
        union nmi_desc desc = {.conv = random_conv(nmi_isa_lanes(kernel->isa))};
        random_blocking(&desc.conv);
        if (kernel->refuse(&desc)) {
            continue;
        }
        const int32_t cols = desc.conv.x.c / desc.conv.groups * desc.conv.kh * desc.conv.kw;
        struct case_csr w = case_csr_make(desc.conv.y.c, cols, densities[case_random(0, 3)],
                                           alike[case_random(0, 3)]);
        if (kernel->packed_bytes(&desc, &w.csr) != 0) {
            compare(kernel, &desc, &w.csr, case_random(0, 1));
            done++;
        }
        case_csr_free(&w);
    }
    ck_assert_int_eq(done, CASES);
}

START_TEST(spconv_random_shape_matches_reference)
{
    case_each(NMI_KIND_SPCONV, random_shapes);
}
END_TEST

static void every_candidate(const struct nmi_kernel *kernel)
{
    for (int done = 0; done < 12;) {
        union nmi_desc desc = {.conv = random_conv(nmi_isa_lanes(kernel->isa))};
        struct nmi_blocking candidates[12];
        if (kernel->refuse(&desc)) {
            continue;
        }
        const int32_t cols = desc.conv.x.c / desc.conv.groups * desc.conv.kh * desc.conv.kw;
        struct case_csr w = case_csr_make(desc.conv.y.c, cols, 0.2, case_random(0, 4));
        const int n = kernel->candidates(&desc, &w.csr, candidates, 12);
        ck_assert_int_ge(n, 1);
        ck_assert_int_le(n, 12);
        for (int i = 0; i < n; i++) {
            desc.conv.blocking = candidates[i];
            ck_assert_uint_ne(kernel->packed_bytes(&desc, &w.csr), 0);
        }
        desc.conv.blocking = candidates[0];
        compare(kernel, &desc, &w.csr, true);
        case_csr_free(&w);
        done++;
    }
}

START_TEST(spconv_candidate_is_packed_and_right)
{
    case_each(NMI_KIND_SPCONV, every_candidate);
}
END_TEST

/* No nonzero at all, and a single one. */
static void nearly_empty(const struct nmi_kernel *kernel)
{
    for (int done = 0; done < 12;) {
        union nmi_desc desc = {.conv = random_conv(nmi_isa_lanes(kernel->isa))};
        random_blocking(&desc.conv);
        desc.conv.blocking.tc = 1;
        const int32_t cols = desc.conv.x.c / desc.conv.groups * desc.conv.kh * desc.conv.kw;
        struct case_csr w = case_csr_make(desc.conv.y.c, cols, 0.0, 1);
        w.csr.nnz = done % 2;
        for (int32_t r = 0; r < w.csr.rows; r++) {
            w.row_start[r + 1] = done % 2;
        }
        w.col[0] = cols - 1;
        w.val[0] = 1.0f;
        if (!kernel->refuse(&desc) && kernel->packed_bytes(&desc, &w.csr) != 0) {
            compare(kernel, &desc, &w.csr, false);
            done++;
        }
        case_csr_free(&w);
    }
}

START_TEST(spconv_without_nonzeros_gives_bias)
{
    case_each(NMI_KIND_SPCONV, nearly_empty);
}
END_TEST

/* Rows of the packed form by how many are together. */
static void count_rows(const void *packed, int32_t rows[NMI_SP_ROWS + 1])
{
    const char *blob = packed;
    const struct nmi_sp_packed *head = packed;
    const struct nmi_sp_slice *slice = (const void *)(blob + head->slice);
    const struct nmi_sp_block *block = (const void *)(blob + head->block);
    for (int32_t b = 0; b < slice[head->slices - 1].block + slice[head->slices - 1].blocks; b++) {
        const struct nmi_sp_group *group = (const void *)(blob + block[b].group);
        for (int32_t g = 0; g < block[b].groups; g++) {
            rows[group[g].rows] += group[g].rows * group[g].entries;
        }
    }
}

/* 23 rows alike by fours in one block: as many together as fit the tile, and 3 are left over. */
static void rows_alike(const struct nmi_kernel *kernel)
{
    enum { ROWS = 23, COLS = 40 };
    const int32_t vl = nmi_isa_lanes(kernel->isa), none[4] = {0};
    for (int32_t tc = 1; tc <= NMI_SP_TILE; tc++) {
        union nmi_desc desc = {.conv = {.groups = 1, .kh = 1, .kw = 1, .stride_h = 1,
                                        .stride_w = 1, .dil_h = 1, .dil_w = 1}};
        desc.conv.x = case_plain(1, COLS, 40, 40);
        desc.conv.y = case_plain(1, ROWS, 40, 40);
        desc.conv.x.layout = desc.conv.y.layout = nmi_layout_best(vl, 40, 40, 1, none);
        desc.conv.blocking =
            (struct nmi_blocking){.tr = 1, .tc = (int16_t)tc, .icb = COLS, .slices = 2};
        if (kernel->refuse(&desc)) {
            return;
        }
        struct case_csr w = case_csr_make(ROWS, COLS, 0.5, 4);
        struct guard packed = guard_make(kernel->packed_bytes(&desc, &w.csr), true);
        const int32_t most = nmi_sp_together(vl, tc), left = most == 4 ? 3 : most == 2 ? 1 : ROWS;
        int32_t rows[NMI_SP_ROWS + 1] = {0};
        kernel->pack(&desc, &w.csr, packed.data);
        count_rows(packed.data, rows);
        ck_assert_int_ge(rows[most], ROWS - left); /* by chance more: neighbours that are empty */
        ck_assert_int_eq(rows[1] + rows[2] + rows[4], ROWS);
        guard_free(&packed);
        case_csr_free(&w);
    }
}

START_TEST(spconv_rows_alike_are_together)
{
    case_each(NMI_KIND_SPCONV, rows_alike);
}
END_TEST

/* A window that leaves the frame, and maps larger than their sub-images. */
START_TEST(spconv_frame_too_small_refused)
{
    const int32_t none[4] = {0}, one[4] = {1, 1, 1, 1};
    struct nmi_conv_desc d = {.groups = 1,
                              .kh = 3,
                              .kw = 3,
                              .stride_h = 1,
                              .stride_w = 1,
                              .dil_h = 1,
                              .dil_w = 1,
                              .pad = {1, 1, 1, 1}};
    for (int i = 0; i < nmi_kernel_count; i++) {
        const struct nmi_kernel *kernel = nmi_kernels[i];
        const int32_t vl = nmi_isa_lanes(kernel->isa);
        if (kernel->kind != NMI_KIND_SPCONV || vl == 0) {
            continue;
        }
        d.x = d.y = case_plain(1, 4, 16, 16);
        d.y.layout = nmi_layout_best(vl, 16, 16, 1, none);
        d.x.layout = d.y.layout;
        union nmi_desc desc = {.conv = d};
        ck_assert_ptr_nonnull(kernel->refuse(&desc));
        desc.conv.x.layout = nmi_layout_input(&d.y.layout, 1, 1, one);
        desc.conv.x.h = 17;
        ck_assert_ptr_nonnull(kernel->refuse(&desc));
    }
}
END_TEST

/* Pools that are not 2 x 2 cells side by side inside the convolution's map. */
static void other_pool(const struct nmi_kernel *kernel)
{
    const int32_t vl = nmi_isa_lanes(kernel->isa);
    for (int tries = 0, done = 0; tries < 4000 && done < 8; tries++) { /* one never pools */
        union nmi_desc desc = {.conv = random_conv(vl)};
        struct nmi_conv_desc *d = &desc.conv;
        if (d->pool.kh == 0 || kernel->refuse(&desc)) {
            continue;
        }
        int32_t *const fields[] = {&d->pool.kh,       &d->pool.kw,     &d->pool.stride_h,
                                   &d->pool.stride_w, &d->pool.pad[1], &d->pool.pad[2],
                                   &d->y.h,           &d->y.w};
        ++*fields[done++];
        ck_assert_ptr_nonnull(kernel->refuse(&desc));
    }
}

START_TEST(spconv_other_pool_refused)
{
    case_each(NMI_KIND_SPCONV, other_pool);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        spconv_random_shape_matches_reference, spconv_candidate_is_packed_and_right,
        spconv_without_nonzeros_gives_bias, spconv_rows_alike_are_together,
        spconv_frame_too_small_refused, spconv_other_pool_refused};
    return case_main("lanes_spconv", tests, NMI_COUNT(tests));
}
