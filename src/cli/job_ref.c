/* SPDX-License-Identifier: Apache-2.0 */
/* Splits "namespace/id" and refuses what is neither that nor a bare id. */
#include "cli/job_ref.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

int job_ref_parse(const char *text, const char *known, struct job_ref *ret, struct error *err)
{
	if (*text == '\0')
		return fail(err, E_INVALID, "Job ID cannot be empty.");
	const char *slash = strchr(text, '/');
	if (!slash) {
		*ret = (struct job_ref){.id = text, .space = xstrdup(known)};
		return 0;
	}
	if (slash == text || slash[1] == '\0' || strchr(slash + 1, '/'))
		return fail(err, E_INVALID,
		            "Job ID must be in the form 'job_id' or 'namespace/job_id': '%s'.",
		            text);
	size_t len = (size_t)(slash - text);
	if (known && (strlen(known) != len || memcmp(known, text, len) != 0))
		return fail(err, E_INVALID,
		            "Conflicting namespace: got --namespace='%s' but job ID implies "
		            "namespace='%.*s'",
		            known, (int)len, text);
	*ret = (struct job_ref){.id = slash + 1, .space = xstrndup(text, len)};
	return 0;
}

void job_ref_clear(struct job_ref *ref)
{
	free(ref->space);
	*ref = (struct job_ref){0};
}
