/* SPDX-License-Identifier: Apache-2.0 */
/* Polls a job until it is over. A restart of the server in the meantime is no reason to give up. */
#include "cli/job_wait.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "cli/job_view.h"
#include "cli/terminal.h"

#define FIRST_MS 20
#define LAST_MS 1000
#define AWAY_MS 30000 /* how long the server may be away */

int job_wait(struct hub *hub, const char *space, const char *id, int64_t deadline_ms,
             const struct job_wait_watcher *watcher, json_t **ret, struct error *err)
{
	autofree char *path = hub_path("/api/jobs/%s/%s", space, id);
	int64_t seen_ms = clock_monotonic_ms();
	int pause_ms = FIRST_MS;
	for (;;) {
		autojson json_t *job = NULL;
		int rc = hub_ask(hub, "GET", path, NULL, &job, err);
		int64_t now_ms = clock_monotonic_ms();
		if (rc < 0 && (err->code != E_UNAVAILABLE || now_ms - seen_ms > AWAY_MS))
			return -1;
		if (rc == 0) {
			seen_ms = now_ms;
			if (job_view_is_over(job)) {
				*ret = json_incref(job);
				return 0;
			}
			if (watcher)
				watcher->fn(watcher->arg, job);
		}
		int64_t left_ms = deadline_ms < 0 ? pause_ms : deadline_ms - now_ms;
		if (left_ms <= 0) {
			*ret = NULL;
			return 0;
		}
		if (!terminal_sleep(left_ms < pause_ms ? (int)left_ms : pause_ms))
			return fail(err, E_CONFLICT, "Interrupted");
		pause_ms = pause_ms * 2 < LAST_MS ? pause_ms * 2 : LAST_MS;
	}
}
