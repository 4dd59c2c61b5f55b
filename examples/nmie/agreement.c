/* SPDX-License-Identifier: Apache-2.0 */
/* Comparison of tensors. */
#include "examples/nmie/agreement.h"

#include "examples/nmie/host_tensor.h"
#include "examples/nmie/nmie.h"

#include <math.h>
#include <string.h>

static nm_status compare_shapes(const char *name, const nm_tensor *y, const nm_tensor *ref,
                                nm_error *err)
{
    char a[256], b[256];
    if (y->type != ref->type) {
        return complain(err, NM_ETYPE, "output %s is %s, expected %s", name, nm_type_name(y->type),
                        nm_type_name(ref->type));
    }
    if (y->rank != ref->rank ||
        memcmp(y->dims, ref->dims, (size_t)ref->rank * sizeof *ref->dims) != 0) {
        return complain(err, NM_ESHAPE, "output %s has dims %s, expected %s", name,
                        host_dims_text(y->dims, NULL, y->rank, a),
                        host_dims_text(ref->dims, NULL, ref->rank, b));
    }
    return NM_OK;
}

/* |y - ref|, where equal infinities and two NaN are 0 and a lone NaN is infinite. */
static double distance(double y, double ref)
{
    if (y == ref || (isnan(y) && isnan(ref))) {
        return 0.0;
    }
    double d = fabs(y - ref);
    return isnan(d) ? (double)INFINITY : d;
}

static nm_status compare_bytes(const char *name, const nm_tensor *y, const nm_tensor *ref,
                               size_t count, nm_error *err)
{
    size_t size = nm_type_size(y->type);
    const char *a = y->data, *b = ref->data;
    for (size_t i = 0; i < count; i++) {
        if (memcmp(a + i * size, b + i * size, size) != 0) {
            return complain(err, NM_EFORMAT, "output %s: element %zu is %.17g, expected %.17g",
                            name, i, host_at(y, i), host_at(ref, i));
        }
    }
    return NM_OK;
}

nm_status compare_tensors(const char *name, const nm_tensor *y, const nm_tensor *ref,
                          const struct tolerance *tolerance, struct difference *difference,
                          nm_error *err)
{
    size_t count = 0;
    nm_status status = compare_shapes(name, y, ref, err);
    if (status || !host_count(ref->dims, ref->rank, &count)) {
        return status;
    }
    if (!host_is_float(y->type)) {
        return compare_bytes(name, y, ref, count, err);
    }
    double most = 0.0, largest = 0.0;
    size_t first = count, worst = 0;
    for (size_t i = 0; i < count; i++) {
        double r = host_at(ref, i), d = distance(host_at(y, i), r);
        bool wrong = isinf(d) || d > tolerance->atol + tolerance->rtol * fabs(r);
        first = wrong && first == count ? i : first;
        worst = d > most ? i : worst;
        most = fmax(most, d);
        largest = isfinite(r) ? fmax(largest, fabs(r)) : largest;
    }
    double rel = most > 0.0 ? most / largest : 0.0;
    difference->max_abs = fmax(difference->max_abs, most);
    difference->max_rel = fmax(difference->max_rel, rel);
    size_t at = tolerance->maxrel > 0.0 ? worst : first;
    if (tolerance->maxrel > 0.0 ? most <= tolerance->maxrel * largest : first == count) {
        return NM_OK;
    }
    return complain(err, NM_EFORMAT,
                    "output %s: element %zu is %.9g, expected %.9g; max|y-ref| = %.3g, "
                    "max|ref| = %.3g",
                    name, at, host_at(y, at), host_at(ref, at), most, largest);
}
