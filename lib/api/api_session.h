/* SPDX-License-Identifier: Apache-2.0 */
/* A public session: the core, and a reference to its model. */
#ifndef NM_API_API_SESSION_H
#define NM_API_API_SESSION_H

#include "lib/api/model.h"
#include "lib/run/session.h"

struct nm_session {
    nm_model *model;
    struct nmi_session *core;
};

#endif
