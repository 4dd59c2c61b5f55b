/* SPDX-License-Identifier: Apache-2.0 */
/* All cases of a bench, one after the other. */
#include "examples/nmie/bench/matrix.h"

#include "examples/nmie/bench/environment.h"
#include "examples/nmie/interrupt.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- lines ----------------------------------------------------------------------------------- */

static void print_head(const struct matrix *m)
{
    if (!m->quiet) {
        printf("%-17s %5s %7s %11s %9s %9s %10s %7s %7s %15s %8s %7s %6s\n", "engine", "batch",
               "threads", "median ms", "p90 ms", "p99 ms", "items/s", "spread", "ratio", "interval",
               "error", "plan s", "MiB");
    }
}

static void print_row(const struct contest *c, const struct contestant *a)
{
    char ratio[16] = "-", interval[32] = "-", error[16] = "-";
    if (a->ratio.median > 0.0) {
        snprintf(ratio, sizeof ratio, "%.2f", a->ratio.median);
        snprintf(interval, sizeof interval, "%.2f-%.2f", a->ratio.low, a->ratio.high);
    }
    if (a->compared) {
        snprintf(error, sizeof error, "%.1e", a->error);
    }
    printf("%-17s %5lld %7d %11.3f %9.3f %9.3f %10.2f %6.1f%% %7s %15s %8s %7.2f %6.0f\n",
           a->spec->name, (long long)c->batch, (int)c->threads, 1e3 * a->stats.median,
           1e3 * a->stats.p90, 1e3 * a->stats.p99, (double)c->batch / a->stats.median,
           100.0 * a->spread, ratio, interval, error, json_number(a->about, "plan_seconds"),
           json_number(a->about, "peak_rss_mib"));
}

/* What went wrong, each in one line. */
static void speak(struct matrix *m, const struct contest *c, const struct contestant *a)
{
    if (a->fate != RAN) {
        say("%s: %s: %s", a->spec->name, a->fate == MISSING ? "skipped" : "FAILED", a->reason);
        m->failed = m->failed || a->fate == FAILED;
    } else if (a->compared && !a->agrees) {
        say("batch %lld: outputs of %s and %s differ by %.2g of max|y|, allowed are 1e-4",
            (long long)c->batch, a->spec->name,
            c->reference < 0 ? "libnm" : c->at[c->reference].spec->name, a->error);
        m->apart = true;
    }
}

/* ---- one case -------------------------------------------------------------------------------- */

static bool keep(struct matrix *m, const struct contest *c, const struct rows_case *about,
                 const struct contestant *a)
{
    struct json j;
    bool skipped = a->fate != RAN;
    bool dense = m->compare && a == &c->at[0] && c->at[1].fate == RAN;
    if (m->compare && a == &c->at[1] && !skipped) {
        return true; /* it is in the other's row */
    }
    if (!ledger_begin(&m->ledger, &j)) {
        return false;
    }
    if (skipped) {
        rows_tell_skipped(&j, c, about, a);
    } else {
        rows_tell(&j, c, about, a, dense ? &c->at[1] : NULL);
    }
    return ledger_end(&m->ledger, skipped);
}

static nm_status run_case(struct matrix *m, struct contest *c, const struct rows_case *about,
                          nm_error *err)
{
    char line[256];
    nm_status status = contest_run(c, err);
    for (size_t i = 0; i < c->n && !status; i++) {
        speak(m, c, &c->at[i]);
        if (!m->quiet && c->at[i].fate == RAN) {
            print_row(c, &c->at[i]);
        }
        if (!keep(m, c, about, &c->at[i])) {
            status = complain(err, NM_ENOMEM, "no memory for results");
        }
    }
    fflush(stdout);
    if (!status && *noise_line(&c->noise, line)) {
        say("%s", line);
    }
    contest_free(c);
    return status;
}

static nm_status run_shapes(struct matrix *m, const struct prep *prep, const char *folder,
                            const struct rows_case *about, nm_error *err)
{
    nm_status status = NM_OK;
    for (size_t t = 0; t < m->threads.n; t++) {
        cpu_set_t cores;
        bool pinned = environment_cores((int)m->threads.at[t], &cores);
        for (size_t b = 0; b < m->batches.n && !status && !interrupt_status(); b++) {
            struct contest c = {.settings = m->settings,
                                .prep = prep,
                                .folder = folder,
                                .specs = m->specs,
                                .n = m->n_specs,
                                .cores = pinned ? &cores : NULL,
                                .batch = m->batches.at[b],
                                .threads = (int32_t)m->threads.at[t],
                                .rounds = m->rounds,
                                .seconds = m->seconds,
                                .timeout = m->timeout,
                                .baseline = m->baseline,
                                .profile = m->profile};
            status = run_case(m, &c, about, err);
        }
    }
    return status;
}

/* ---- one model ------------------------------------------------------------------------------- */

static void empty_folder(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    while (d && (entry = readdir(d))) {
        char path[4400];
        snprintf(path, sizeof path, "%.4000s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') {
            unlink(path);
        }
    }
    if (d) {
        closedir(d);
    }
}

static nm_status run_model(struct matrix *m, const char *name, const struct zeros *zeros,
                           const char *folder, nm_error *err)
{
    struct prep prep;
    const struct prep_wish wish = {.settings = m->settings,
                                   .name = name,
                                   .folder = folder,
                                   .shape = m->shape,
                                   .batches = m->batches,
                                   .zeros = zeros,
                                   .timeout = m->timeout};
    nm_status status = prep_make(&prep, &wish, err);
    if (status) {
        return status;
    }
    if (!m->quiet) {
        printf("%s%s", m->ledger.n_rows ? "\n" : "", name);
        if (zeros_wanted(zeros)) {
            printf(", pruned%s%s to %.1f %% in %.2f s", zeros->profile ? " by " : "",
                   zeros->profile ? zeros->profile : "", 100.0 * prep.sparsity, prep.prune_seconds);
        }
        printf("\n");
        print_head(m);
        fflush(stdout);
    }
    struct rows_case about = {name, zeros->profile, prep.sparsity, prep.prune_seconds};
    status = run_shapes(m, &prep, folder, &about, err);
    prep_free(&prep);
    return status;
}

nm_status matrix_run(struct matrix *m, nm_error *err)
{
    char folder[4000];
    const char *tmp = getenv("TMPDIR");
    nm_status status = NM_OK;
    snprintf(folder, sizeof folder, "%.3900s/nmie-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    interrupt_catch();
    if (!mkdtemp(folder)) {
        return complain(err, NM_EIO, "%s: %s", folder, strerror(errno));
    }
    static const struct zeros as_it_is;
    const size_t n_zeros = m->zeros.n ? m->zeros.n : 1, n = m->n_models * n_zeros;
    for (size_t i = 0; i < n && (!status || n > 1) && !interrupt_status(); i++) {
        const char *name = m->models[i / n_zeros];
        const struct zeros *zeros = m->zeros.n ? &m->zeros.at[i % n_zeros] : &as_it_is;
        status = run_model(m, name, zeros, folder, err);
        if (status && n > 1) {
            say("%s: %s", name, err->message);
            m->failed = true;
            m->refused = m->refused || model_at_fault(status);
        }
        empty_folder(folder);
    }
    rmdir(folder);
    return n > 1 ? NM_OK : status;
}
