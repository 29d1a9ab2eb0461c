/* SPDX-License-Identifier: Apache-2.0 */
/* A uv job and its cache (uv_cache.h). */
#include "container/monitor.h"

int monitor_uv_wait(struct monitor *m, struct error *err)
{
	(void)m;
	(void)err;
	return 0;
}

int monitor_uv_mount(struct monitor *m, uint32_t first_id, uint32_t uid, uint32_t gid,
                     struct error *err)
{
	(void)m, (void)first_id, (void)uid, (void)gid, (void)err;
	return 0;
}

void monitor_uv_watch(struct monitor *m)
{
	(void)m;
}

void monitor_uv_release(struct monitor *m)
{
	(void)m;
}

void monitor_uv_trim(struct monitor *m)
{
	(void)m;
}
