/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/prune.h"

nm_status nmi_prune_analyze(const struct nmi_graph *optimised, const struct nmi_graph *source,
                            const nm_prune_options *options, char **json, nm_error *err)
{
    (void)optimised; (void)source; (void)options; (void)json;
    return nmi_fail(err, NM_EUNSUPPORTED, "not yet");
}
