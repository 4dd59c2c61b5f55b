/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: arguments are checked, then lib/run does the work. */
#include "lib/api/api_session.h"

#include "lib/run/profile.h"

nm_status nm_session_create(nm_model *model, const nm_session_options *options,
                            nm_session **session, nm_error *error)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    if (model == NULL || session == NULL) {
        return nmi_fail(error, NM_EINVAL, "nm_session_create: %s is NULL",
                        model ? "session" : "model");
    }
    NMI_TRY(nmi_options_copy("nm_session_options", options, sizeof o, &o, error));
    nm_session *s = nmi_calloc(1, sizeof *s);
    if (s == NULL) {
        return nmi_fail_memory(error, sizeof *s, "a session");
    }
    nm_status status = nmi_session_create(&model->network, &o, &s->core, error);
    if (status != NM_OK) {
        nmi_free(s);
        return status;
    }
    nmi_model_retain(model);
    s->model = model;
    *session = s;
    return NM_OK;
}

void nm_session_free(nm_session *session)
{
    if (session != NULL) {
        nmi_session_free(session->core);
        nm_model_free(session->model);
        nmi_free(session);
    }
}

nm_status nm_run(nm_session *session, const nm_tensor *in, size_t n_in, nm_tensor *out,
                 size_t n_out, nm_error *error)
{
    if (session == NULL || (in == NULL && n_in > 0) || (out == NULL && n_out > 0)) {
        return nmi_fail(error, NM_EINVAL, "nm_run: %s is NULL",
                        session == NULL          ? "session"
                        : in == NULL && n_in > 0 ? "in"
                                                 : "out");
    }
    return nmi_session_run(session->core, in, n_in, out, n_out, error);
}

nm_status nm_session_prepare(nm_session *session, const nm_tensor *in, size_t n_in, nm_error *error)
{
    if (session == NULL || (in == NULL && n_in > 0)) {
        return nmi_fail(error, NM_EINVAL, "nm_session_prepare: %s is NULL",
                        session ? "in" : "session");
    }
    return nmi_session_prepare(session->core, in, n_in, error);
}

nm_status nm_session_profile(nm_session *session, nm_profile **profile, nm_error *error)
{
    if (session == NULL || profile == NULL) {
        return nmi_fail(error, NM_EINVAL, "nm_session_profile: %s is NULL",
                        session ? "profile" : "session");
    }
    return nmi_session_profile(session->core, profile, error);
}

void nm_profile_free(nm_profile *profile)
{
    nmi_profile_free(profile);
}
