/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/net_case.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- nmie --------------------------------------------------------------------------------------
 */

/* The program stands two folders above the tests. */
int net_nmie(const char *format, ...)
{
    char self[PATH_MAX] = "", arguments[2048], line[8192];
    va_list list;
    ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(line, sizeof line, "'%.4000s/../../nmie' %s >'%s' 2>&1", dirname(self), arguments,
             scratch_path("said"));
    const int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *net_said(void)
{
    static char text[65536];
    FILE *f = fopen(scratch_path("said"), "r");
    text[f != NULL ? fread(text, 1, sizeof text - 1, f) : 0] = '\0';
    if (f != NULL) {
        fclose(f);
    }
    return text;
}

nm_model *net_load(const char *path)
{
    nm_model *model = NULL;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nm_model_load(path, NULL, &model, &err) == NM_OK, "%s", err.message);
    return model;
}

nm_model *net_synth(const char *name, int size, int classes, double sparsity)
{
    const char *path = scratch_path("net.onnx");
    const int status = net_nmie("synth %s --size %d --classes %d --sparsity %g -o '%s'", name, size,
                                classes, sparsity, path);
    ck_assert_msg(status == 0, "nmie synth %s: %s", name, net_said());
    nm_model *model = net_load(path);
    unlink(path);
    return model;
}

/* ---- runs --------------------------------------------------------------------------------------
 */

nm_tensor net_images(const nm_model *model, int64_t n)
{
    const nm_value_info *info = nm_model_input(model, 0);
    nm_tensor in = {.type = NM_F32, .rank = info->rank};
    size_t count = 1;
    uint64_t state = 1;
    ck_assert_int_eq(info->type, NM_F32);
    for (int32_t i = 0; i < info->rank; i++) {
        in.dims[i] = info->dims[i] < 0 ? n : info->dims[i];
        count *= (size_t)in.dims[i];
    }
    float *x = malloc(count * sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        x[i] = (float)(state >> 40) / 8388608.0f - 1.0f;
    }
    in.data = x;
    in.capacity = count * sizeof *x;
    return in;
}

struct net_output net_run(nm_model *model, const nm_tensor *in, const nm_session_options *options)
{
    nm_session *session = NULL;
    nm_error err = {NM_OK, ""};
    nm_tensor out = {0};
    struct net_output r = {NULL, 1};
    ck_assert_msg(nm_session_create(model, options, &session, &err) == NM_OK, "%s", err.message);
    ck_assert_msg(nm_run(session, in, 1, &out, 1, &err) == NM_OK, "%s", err.message);
    for (int32_t i = 0; i < out.rank; i++) {
        r.n *= (size_t)out.dims[i];
    }
    r.y = malloc(r.n * sizeof *r.y);
    ck_assert_ptr_nonnull(r.y);
    memcpy(r.y, out.data, r.n * sizeof *r.y);
    nm_session_free(session);
    return r;
}

void net_within(const struct net_output *a, const struct net_output *b, size_t n, float bound,
                const char *what)
{
    float worst = 0, largest = 0;
    ck_assert_uint_ge(a->n, n);
    ck_assert_uint_ge(b->n, n);
    for (size_t i = 0; i < n; i++) {
        const float d = fabsf(a->y[i] - b->y[i]);
        worst = d <= worst ? worst : isnan(d) ? INFINITY : d;
        largest = fmaxf(largest, fabsf(b->y[i]));
    }
    ck_assert_msg(largest > 0, "%s: all outputs are zero", what);
    ck_assert_msg(worst <= bound * largest, "%s: max|y-ref| is %g of max|ref|", what,
                  (double)(worst / largest));
}

void net_close(const struct net_output *a, const struct net_output *b, size_t n, const char *what)
{
    net_within(a, b, n, 1e-4f, what);
}

void net_check_half(nm_model *model, int64_t batch, const char *what)
{
    nm_tensor in = net_images(model, batch);
    for (int rule = 0; rule < 2; rule++) {
        nm_session_options o = NM_SESSION_OPTIONS_INIT;
        o.fixed_plan = rule;
        struct net_output f32 = net_run(model, &in, &o);
        o.precision = NM_PRECISION_HALF;
        struct net_output half = net_run(model, &in, &o);
        ck_assert_uint_eq(half.n, f32.n);
        net_within(&half, &f32, f32.n, 2e-2f, what);
        free(f32.y);
        free(half.y);
    }
    free(in.data);
}

struct check {
    nm_model *model;
    const char *what;
    nm_tensor in; /* as many images as the largest batch has */
    struct net_output reference;
    int64_t most;
};

/* The first n images under these options, against the reference. */
static struct net_output check_batch(const struct check *c, int64_t n, const nm_session_options *o)
{
    char what[160];
    nm_tensor in = c->in;
    in.dims[0] = n;
    struct net_output y = net_run(c->model, &in, o);
    snprintf(what, sizeof what, "%s, batch %d, %s, %d threads, %s", c->what, (int)n,
             nm_isa_name(o->isa), o->threads, o->fixed_plan ? "by rule" : "measured");
    ck_assert_uint_eq(y.n, c->reference.n / (size_t)c->most * (size_t)n);
    net_close(&y, &c->reference, y.n, what);
    return y;
}

static void check_isa(const struct check *c, const int64_t *batches, nm_isa isa)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.isa = isa;
    o.fixed_plan = 1;
    for (const int64_t *n = batches; *n > 0; n++) {
        o.threads = 1;
        struct net_output one = check_batch(c, *n, &o);
        o.threads = 2;
        struct net_output two = check_batch(c, *n, &o);
        ck_assert_msg(*n <= 2 || memcmp(one.y, two.y, one.n * sizeof *one.y) == 0,
                      "%s, batch %d, %s: two threads give other bits than one", c->what, (int)*n,
                      nm_isa_name(isa));
        free(one.y);
        free(two.y);
    }
    if (isa == nm_isa_best()) {
        o.fixed_plan = 0;
        free(check_batch(c, batches[0], &o).y);
    }
}

void net_check(nm_model *model, const int64_t *batches, const char *what)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    struct check c = {.model = model, .what = what};
    for (const int64_t *n = batches; *n > 0; n++) {
        c.most = *n;
    }
    c.in = net_images(model, c.most);
    o.isa = NM_ISA_REF;
    c.reference = net_run(model, &c.in, &o);
    for (int isa = NM_ISA_AVX2; isa <= (int)nm_isa_best(); isa++) {
        check_isa(&c, batches, (nm_isa)isa);
    }
    free(c.in.data);
    free(c.reference.y);
}
