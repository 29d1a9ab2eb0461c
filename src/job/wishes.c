/* SPDX-License-Identifier: Apache-2.0 */
/* Reserved labels. See the header. */
#include "job/wishes.h"

int job_wishes_parse(const struct configuration *configuration, const json_t *labels,
                     struct job_wishes *ret, struct error *err)
{
	*ret = (struct job_wishes){
	        .grace_s = configuration->grace_s,
	        .warning_s = configuration->warning_s,
	        .retry.delay_s = -1,
	};
	return 0;
}

json_t *job_wishes_merge(const json_t *old, const json_t *fresh)
{
	return json_copy((json_t *)(uintptr_t)fresh);
}
