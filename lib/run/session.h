/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session: the plans of one network for the shapes seen so far. Used by one thread at a time; a
 * second concurrent call is NM_EBUSY.
 */
#ifndef NM_RUN_SESSION_H
#define NM_RUN_SESSION_H

#include "lib/run/exec.h"

struct nmi_session;

/* network must outlive the session. options and limits are copied; options->cache_file too. */
nm_status nmi_session_create(const struct nmi_network *network, const nm_session_options *options,
                             struct nmi_session **session, nm_error *err);
void nmi_session_free(struct nmi_session *session);

/* As nm_run, nm_session_prepare and nm_session_describe. */
nm_status nmi_session_run(struct nmi_session *s, const nm_tensor *in, size_t n_in, nm_tensor *out,
                          size_t n_out, nm_error *err);
nm_status nmi_session_prepare(struct nmi_session *s, const nm_tensor *in, size_t n_in,
                              nm_error *err);
/* The plan of the last call, and the time that each of its steps took then; NULL: there is none. */
const struct nmi_plan *nmi_session_plan(const struct nmi_session *s, const double **step_seconds);
nm_status nmi_session_describe(struct nmi_session *s, nm_describe what, struct nmi_text *t,
                               nm_error *err);
/* As nm_session_profile; freed with nmi_profile_free. */
nm_status nmi_session_profile(struct nmi_session *s, nm_profile **profile, nm_error *err);

#endif
