/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the elements of an image tensor lie. A window operation over LANES needs no bounds test
 * because the neighbour of all lanes' pixels is the neighbouring vector; see kernel.h.
 */
#include "kernels/kernel.h"
#include "lib/base/checked.h"
#include "lib/base/mem.h"

enum { L1_LINES = 8, PAD_FROM = 4096, PAD_BYTES = 14 * 64 };

const char *nmi_layout_name(uint8_t kind)
{
    static const char *const name[NMI_LAYOUTS] = {"plain", "nhwc",      "block8",      "block16",
                                                  "lanes", "nhwc_bf16", "block16_bf16", "lanes_f16"};
    return kind < NMI_LAYOUTS ? name[kind] : "?";
}

/* Sets pitch and plane; plane 0 says that it does not fit. A plane of a multiple of eight cache
 * lines would put a tile's channels into a few sets of the L1 cache: pad it. */
static void set_plane(struct nmi_layout *layout)
{
    const int64_t pitch = (int64_t)layout->halo[1] + layout->sub_w + layout->halo[3];
    const int64_t rows = (int64_t)layout->halo[0] + layout->sub_h + layout->halo[2];
    const int64_t vector = layout->vl * (int64_t)nmi_layout_element(layout);
    int64_t plane;
    if (pitch > INT32_MAX || !nmi_mul_i64(pitch, rows, &plane) || plane > INT32_MAX / 64) {
        layout->pitch = layout->plane = 0;
        return;
    }
    const int64_t bytes = plane * vector;
    if (bytes >= PAD_FROM && bytes / NMI_CACHE_LINE % L1_LINES == 0) {
        plane += PAD_BYTES / vector;
    }
    layout->pitch = (int32_t)pitch;
    layout->plane = (int32_t)plane;
}

struct nmi_layout nmi_layout_lanes(int32_t vl, int32_t h, int32_t w, int32_t gy, int32_t gx,
                                   const int32_t halo[4])
{
    struct nmi_layout layout = {.kind = vl == NMI_HALVES ? NMI_LANES_F16 : NMI_LANES,
                                .vl = (uint8_t)vl,
                                .gy = (uint8_t)gy,
                                .gx = (uint8_t)gx,
                                .sub_h = h / gy + (h % gy != 0),
                                .sub_w = w / gx + (w % gx != 0),
                                .halo = {halo[0], halo[1], halo[2], halo[3]}};
    set_plane(&layout);
    return layout;
}

struct nmi_layout nmi_layout_best(int32_t vl, int32_t h, int32_t w, int32_t ipv,
                                  const int32_t halo[4])
{
    const int32_t cells = vl / ipv;
    struct nmi_layout best = {0};
    int64_t best_cost = INT64_MAX;
    for (int32_t gy = 1; gy <= cells; gy *= 2) {
        const struct nmi_layout l = nmi_layout_lanes(vl, h, w, gy, cells / gy, halo);
        const bool tiles_well = l.sub_w % 7 == 0 || l.sub_w == 4;
        /* vectors first; then the width; then the shortest frame */
        const int64_t cost =
            ((int64_t)l.sub_h * l.sub_w * 20 + (tiles_well ? 0 : 1)) * 1000 + l.sub_h + l.sub_w;
        if (cost < best_cost) {
            best_cost = cost;
            best = l;
        }
    }
    return best;
}

struct nmi_layout nmi_layout_input(const struct nmi_layout *out, int32_t stride_h, int32_t stride_w,
                                   const int32_t halo[4])
{
    struct nmi_layout layout = *out;
    int64_t sub_h, sub_w;
    for (int i = 0; i < 4; i++) {
        layout.halo[i] = halo[i];
    }
    if (!nmi_mul_i64(out->sub_h, stride_h, &sub_h) || !nmi_mul_i64(out->sub_w, stride_w, &sub_w) ||
        sub_h > INT32_MAX || sub_w > INT32_MAX) {
        layout.pitch = layout.plane = 0;
        return layout;
    }
    layout.sub_h = (int32_t)sub_h;
    layout.sub_w = (int32_t)sub_w;
    set_plane(&layout);
    return layout;
}

bool nmi_layout_same_lanes(const struct nmi_layout *a, const struct nmi_layout *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    return !nmi_in_lanes(a->kind) || (a->vl == b->vl && a->gy == b->gy && a->gx == b->gx &&
                                    a->sub_h == b->sub_h && a->sub_w == b->sub_w);
}

bool nmi_layout_same(const struct nmi_layout *a, const struct nmi_layout *b)
{
    if (!nmi_layout_same_lanes(a, b)) {
        return false;
    }
    for (int i = 0; nmi_in_lanes(a->kind) && i < 4; i++) {
        if (a->halo[i] != b->halo[i]) {
            return false;
        }
    }
    return !nmi_in_lanes(a->kind) || (a->pitch == b->pitch && a->plane == b->plane);
}

/* Elements that the tensor takes, padding included. */
static bool count_elements(const struct nmi_image *image, size_t *out)
{
    const struct nmi_layout *l = &image->layout;
    if (image->n < 0 || image->c < 0 || image->h < 0 || image->w < 0) {
        return false;
    }
    const size_t n = (size_t)image->n, c = (size_t)image->c;
    size_t plane, planes;
    if (nmi_in_lanes(l->kind)) {
        const size_t ipv = (size_t)nmi_layout_ipv(l);
        const bool covers =
            (int64_t)l->gy * l->sub_h >= image->h && (int64_t)l->gx * l->sub_w >= image->w;
        return covers && l->plane > 0 && nmi_mul(n / ipv + (n % ipv != 0), c, &planes) &&
               nmi_mul((size_t)l->plane, l->vl, &plane) && nmi_mul(planes, plane, out);
    }
    const size_t block = (size_t)nmi_layout_block(l->kind);
    return nmi_mul(n, (c + block - 1) / block * block, &planes) &&
           nmi_mul((size_t)image->h, (size_t)image->w, &plane) && nmi_mul(planes, plane, out);
}

size_t nmi_image_bytes(const struct nmi_image *image)
{
    const size_t each = (size_t)nmi_layout_element(&image->layout);
    size_t count, bytes;
    if (!count_elements(image, &count) || !nmi_mul(count, each, &bytes) ||
        !nmi_add(bytes, NMI_SLACK, &bytes) || bytes > PTRDIFF_MAX) {
        return 0;
    }
    return bytes;
}

static size_t at_lanes(const struct nmi_image *image, int32_t n, int32_t c, int32_t y, int32_t x)
{
    const struct nmi_layout *l = &image->layout;
    const int32_t ipv = nmi_layout_ipv(l);
    const int32_t lane = (n % ipv * l->gy + y / l->sub_h) * l->gx + x / l->sub_w;
    const size_t row = (size_t)(l->halo[0] + y % l->sub_h),
                 col = (size_t)(l->halo[1] + x % l->sub_w);
    const size_t plane = (size_t)(n / ipv) * (size_t)image->c + (size_t)c;
    return (plane * (size_t)l->plane + row * (size_t)l->pitch + col) * l->vl + (size_t)lane;
}

size_t nmi_image_at(const struct nmi_image *image, int32_t n, int32_t c, int32_t y, int32_t x)
{
    const size_t channels = (size_t)image->c, h = (size_t)image->h, w = (size_t)image->w;
    const size_t in = (size_t)n, ic = (size_t)c, iy = (size_t)y, ix = (size_t)x;
    size_t block;
    switch (image->layout.kind) {
    case NMI_LANES:
    case NMI_LANES_F16:
        return at_lanes(image, n, c, y, x);
    case NMI_NHWC:
    case NMI_NHWC_BF16:
        return ((in * h + iy) * w + ix) * channels + ic;
    case NMI_BLOCK8:
    case NMI_BLOCK16:
    case NMI_BLOCK16_BF16:
        block = (size_t)nmi_layout_block(image->layout.kind);
        return ((((in * ((channels + block - 1) / block) + ic / block) * h) + iy) * w + ix) *
                   block +
               ic % block;
    default:
        return ((in * channels + ic) * h + iy) * w + ix;
    }
}
