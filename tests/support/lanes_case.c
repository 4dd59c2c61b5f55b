/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/lanes_case.h"
#include "kernels/ref/ref_lanes.h"
#include "lib/base/cpu.h"
#include "lib/base/mem.h"

#include <immintrin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;

void case_seed(void)
{
    const char *seed = getenv("NM_SEED");
    state = seed ? strtoull(seed, NULL, 10) : 1;
    printf("NM_SEED=%llu\n", (unsigned long long)state);
    state = state * 0x9e3779b97f4a7c15u + 1;
}

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1du;
}

int32_t case_random(int32_t low, int32_t high)
{
    return low + (int32_t)((next() >> 33) % (uint64_t)(high - low + 1));
}

float case_float(void)
{
    const float x = (float)(next() >> 40) / 8388608.0f - 1.0f;
    return x == 0.0f ? 0.5f : x;
}

int32_t case_ipv(int32_t vl)
{
    const int32_t ipv = 1 << case_random(0, 5);
    return ipv > vl ? vl : ipv;
}

struct case_image case_image_make(struct nmi_image image, bool at_end)
{
    struct case_image made = {.image = image};
    const size_t bytes = nmi_image_bytes(&image);
    ck_assert_uint_ne(bytes, 0);
    made.memory = guard_make(bytes - NMI_SLACK, at_end);
    made.data = made.memory.data;
    memset(made.data, 0xff, bytes - NMI_SLACK);
    return made;
}

void case_image_free(struct case_image *image)
{
    guard_free(&image->memory);
}

struct nmi_image case_plain(int32_t n, int32_t c, int32_t h, int32_t w)
{
    return (struct nmi_image){.n = n, .c = c, .h = h, .w = w};
}

/* Visits every element of the map: index i of a walk in plain order. */
static size_t element(const struct nmi_image *image, int64_t i)
{
    const int32_t x = (int32_t)(i % image->w), y = (int32_t)(i / image->w % image->h);
    const int64_t plane = i / image->w / image->h;
    return nmi_image_at(image, (int32_t)(plane / image->c), (int32_t)(plane % image->c), y, x);
}

static int64_t elements(const struct nmi_image *image)
{
    return (int64_t)image->n * image->c * image->h * image->w;
}

void case_image_fill(struct case_image *image, float low, float high)
{
    for (int64_t i = 0; i < elements(&image->image); i++) {
        const float unit = (case_float() + 1.0f) / 2.0f;
        nmi_ref_put(&image->image, image->data, element(&image->image, i),
                    low + unit * (high - low));
    }
}

void case_image_copy(const struct case_image *from, struct case_image *to)
{
    for (int64_t i = 0; i < elements(&from->image); i++) {
        nmi_ref_put(&to->image, to->data, element(&to->image, i),
                    nmi_ref_get(&from->image, from->data, element(&from->image, i)));
    }
}

double case_difference(const struct case_image *a, const struct case_image *want)
{
    double most = 0.0, scale = 0.0;
    for (int64_t i = 0; i < elements(&a->image); i++) {
        const double x = (double)nmi_ref_get(&a->image, a->data, element(&a->image, i));
        const double y = (double)nmi_ref_get(&want->image, want->data, element(&want->image, i));
        if (isnan(x) != isnan(y)) {
            return INFINITY;
        }
        if (!isnan(y) && isfinite(y)) {
            scale = fmax(scale, fabs(y));
        }
        if (!isnan(x) && x != y) {
            most = fmax(most, fabs(x - y));
        }
    }
    return most > 0.0 ? most / scale : 0.0;
}

const struct nmi_kernel *case_reference(int32_t kind, const union nmi_desc *desc)
{
    const char *reason = "none listed";
    const struct nmi_kernel *kernel = nmi_kernel_find(kind, NM_ISA_REF, desc, &reason);
    ck_assert_msg(kernel != NULL, "no reference for kind %d: %s", kind, reason);
    return kernel;
}

bool case_runs_here(const struct nmi_kernel *kernel)
{
    static const struct nmi_kernel *said[64];
    if (kernel->isa <= nmi_cpu_info()->best && (!kernel->fp16 || nmi_cpu_info()->fp16)) {
        return true;
    }
    for (size_t i = 0; i < NMI_COUNT(said); i++) {
        if (said[i] == kernel) {
            return false;
        }
        if (!said[i]) {
            said[i] = kernel;
            printf("skip: this CPU does not run %s\n", kernel->name);
            return false;
        }
    }
    return false;
}

void case_run(const struct nmi_kernel *kernel, const union nmi_desc *desc,
              const struct nmi_kargs *args, int parts)
{
    struct nmi_kargs with = *args;
    const size_t bytes = kernel->scratch_bytes ? kernel->scratch_bytes(desc, parts) : 0;
    struct guard scratch = guard_make(bytes, true);
    with.scratch = scratch.data;
    memset(scratch.data, 0xff, bytes);
    const unsigned state_before = _mm_getcsr() & ~0x3fu; /* without the sticky flags */
    for (int part = parts - 1; part >= 0; part--) {
        kernel->run(desc, &with, part, parts);
    }
    ck_assert_uint_eq(state_before, _mm_getcsr() & ~0x3fu);
    guard_free(&scratch);
}

void case_halo(struct case_image *image, float fill)
{
    const union nmi_desc desc = {.halo = {.x = image->image, .fill = fill}};
    const struct nmi_kargs args = {.x = image->data, .y = image->data};
    const struct nmi_layout *l = &image->image.layout;
    const int32_t ipv = nmi_layout_ipv(l), tail = image->image.n % ipv;
    case_run(case_reference(NMI_KIND_HALO, &desc), &desc, &args, 1);
    if (tail == 0) {
        return;
    }
    const int64_t vectors = (int64_t)image->image.c * l->plane;
    const int64_t first = (int64_t)(image->image.n / ipv) * vectors * l->vl;
    for (int64_t i = 0; i < vectors * l->vl; i++) {
        if (i % l->vl >= tail * l->gy * l->gx) {
            nmi_ref_put(&image->image, image->data, (size_t)(first + i), NAN);
        }
    }
}

void case_each(int32_t kind, void (*test)(const struct nmi_kernel *kernel))
{
    for (int i = 0; i < nmi_kernel_count; i++) {
        const struct nmi_kernel *kernel = nmi_kernels[i];
        if (kernel->kind == kind && kernel->isa != NM_ISA_REF && !kernel->fp16 &&
            case_runs_here(kernel)) {
            test(kernel);
        }
    }
}

int case_main(const char *name, const struct TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 0);
    case_seed();
    for (size_t i = 0; i < count; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

struct nmi_layout case_layout(int32_t vl, int32_t h, int32_t w, int32_t deep)
{
    int32_t halo[4];
    for (int i = 0; i < 4; i++) {
        halo[i] = case_random(0, deep);
    }
    if (case_random(0, 2)) {
        return nmi_layout_best(vl, h, w, case_ipv(vl), halo);
    }
    const int32_t cells = vl / case_ipv(vl);
    int32_t gy = 1 << case_random(0, 5);
    gy = gy > cells ? cells : gy;
    return nmi_layout_lanes(vl, h + case_random(0, 3), w + case_random(0, 3), gy, cells / gy, halo);
}

static const uint32_t untouched = UINT32_MAX; /* as case_image_make leaves an element */

/* Element i of both; want NULL: not written. */
static void same_bits(const struct case_image *a, const struct case_image *want, int64_t i)
{
    const int32_t bytes = nmi_layout_element(&a->image.layout);
    const void *there = (const char *)a->data + i * bytes;
    const void *expected = want != NULL ? (const char *)want->data + i * bytes : (void *)&untouched;
    if (memcmp(there, expected, (size_t)bytes) != 0) {
        ck_abort_msg("%g, expected %g", (double)nmi_ref_get(&a->image, there, 0),
                     (double)nmi_ref_get(&a->image, expected, 0));
    }
}

void case_same_cells(const struct case_image *a, const struct case_image *want)
{
    const struct nmi_image *image = &a->image;
    const struct nmi_layout *l = &image->layout;
    const int64_t count = (int64_t)a->memory.bytes / nmi_layout_element(l);
    const int64_t cells = (int64_t)l->pitch * (l->halo[0] + l->sub_h + l->halo[2]);
    for (int64_t i = 0; i < count; i++) {
        if (!nmi_in_lanes(l->kind)) {
            same_bits(a, want, i);
            continue;
        }
        const int64_t lane = i % l->vl, vector = i / l->vl;
        const int64_t group = vector / l->plane / image->c;
        if (vector % l->plane >= cells) {
            same_bits(a, NULL, i);
        } else if (group * nmi_layout_ipv(l) + lane / (l->gy * l->gx) < image->n) {
            same_bits(a, want, i);
        }
    }
}

/* Columns of a row: those of the row above up to `same`, then random ones. */
static void random_row(struct case_csr *m, int32_t row, double density, int32_t same)
{
    const int32_t kind = case_random(0, 15); /* 0: an empty row, 1: a full one */
    const double chance = kind == 0 ? 0.0 : kind == 1 ? 1.0 : density;
    int32_t above = row > 0 ? m->row_start[row - 1] : 0;
    for (int32_t c = 0; c < m->csr.cols; c++) {
        bool taken = (double)case_random(0, 1 << 20) < chance * (1 << 20);
        if (c < same) {
            taken = above < m->row_start[row] && m->col[above] == c;
            above += taken;
        }
        if (taken) {
            m->col[m->csr.nnz] = c;
            m->val[m->csr.nnz++] = case_float();
        }
    }
    m->row_start[row + 1] = (int32_t)m->csr.nnz;
}

struct case_csr case_csr_make(int32_t rows, int32_t cols, double density, int32_t alike)
{
    struct case_csr made = {.csr = {.rows = rows, .cols = cols}};
    const size_t most = (size_t)rows * (size_t)cols;
    made.row_start = nmi_calloc((size_t)rows + 1, sizeof(int32_t));
    made.col = nmi_calloc(most + 1, sizeof(int32_t));
    made.val = nmi_calloc(most + 1, sizeof(float));
    for (int32_t r = 0; r < rows; r++) {
        const int32_t mixed[] = {0, case_random(0, cols), cols, cols};
        const int32_t same = alike > 0 ? (r % alike ? cols : 0) : mixed[case_random(0, 3)];
        random_row(&made, r, density, r > 0 ? same : 0);
    }
    made.csr.row_start = made.row_start;
    made.csr.col = made.col;
    made.csr.val = made.val;
    return made;
}

void case_csr_free(struct case_csr *csr)
{
    nmi_free(csr->row_start);
    nmi_free(csr->col);
    nmi_free(csr->val);
}
