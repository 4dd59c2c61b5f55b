/* SPDX-License-Identifier: Apache-2.0 */
/* The engines there are, by name. */
#include "examples/nmie/bench/engine.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct engine_kind *const kinds[] = {
    &engine_nm,       &engine_nm_half,  &engine_nm_dense,        &engine_ort,
    &engine_ort_cuda, &engine_openvino, &engine_openvino_default};

bool engine_is_exact(const struct engine_spec *spec, const struct settings *settings)
{
    bool ours = spec->kind == &engine_nm || spec->kind == &engine_nm_dense;
    return !spec->kind->rough && !(ours && settings->session.precision == NM_PRECISION_HALF);
}

bool engine_parse(const char *word, struct engine_spec *spec)
{
    size_t n = strcspn(word, "=");
    *spec = (struct engine_spec){0};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strlen(kinds[i]->name) == n && strncmp(kinds[i]->name, word, n) == 0) {
            spec->kind = kinds[i];
        }
    }
    if (!spec->kind || (word[n] && (!word[n + 1] || !spec->kind->libraries))) {
        return false;
    }
    spec->name = spec->kind->name;
    spec->path = word[n] ? strdup(word + n + 1) : NULL;
    return !word[n] || spec->path;
}

/* The name is what stands before '=', or the program's. */
bool engine_command(const char *word, struct engine_spec *spec)
{
    size_t n = 0;
    while (isalnum((unsigned char)word[n]) || (word[n] && strchr("_.-", word[n]))) {
        n++;
    }
    *spec = (struct engine_spec){.kind = &engine_cmd, .name = spec->own};
    if (word[n] == '=' && n > 0) {
        snprintf(spec->own, sizeof spec->own, "%.*s", (int)n, word);
        word += n + 1;
    } else {
        size_t end = strcspn(word, " ");
        const char *slash = memrchr(word, '/', end);
        const char *from = slash ? slash + 1 : word;
        snprintf(spec->own, sizeof spec->own, "%.*s", (int)(word + end - from), from);
    }
    spec->path = strdup(word);
    return spec->path != NULL;
}

void engine_free(struct engine_spec *spec)
{
    free(spec->path);
    spec->path = NULL;
}

/* path, or the first of names that can be found. */
static nm_status load(const char *path, const char *const *names, void **handle, nm_error *err)
{
    if (path) {
        *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        return *handle ? NM_OK : complain(err, NM_EIO, "cannot load %s: %.700s", path, dlerror());
    }
    for (size_t i = 0; names[i] && !*handle; i++) {
        *handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    }
    return *handle ? NM_OK
                   : complain(err, NM_EIO, "not installed: no %s; --engine NAME=PATH names it",
                              names[0]);
}

nm_status engine_find(const struct engine_spec *spec, void **handle, nm_error *err)
{
    const struct engine_kind *kind = spec->kind;
    *handle = NULL;
    if (!kind->libraries) {
        return NM_OK;
    }
    if (kind->variable) {
        setenv(kind->variable, "1", 1);
    }
    nm_status status = load(spec->path, kind->libraries, handle, err);
    if (!status && kind->symbol && !dlsym(*handle, kind->symbol)) {
        status = complain(err, NM_EIO, "not installed: this library has no %s", kind->symbol);
    }
    return status;
}

nm_status engine_symbol(void *handle, const char *name, void (**function)(void), nm_error *err)
{
    void *at = dlsym(handle, name);
    memcpy(function, &at, sizeof at); /* ISO C has no cast from object to function pointers */
    return at ? NM_OK : complain(err, NM_EUNSUPPORTED, "the library has no %s", name);
}
