/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk under the state folder. A full one is no reason for jobs to fail: none are accepted,
 * those that wait go on waiting, those that run wait with their logs (container/log_writer.h).
 */
#include "job/active.h"

#include "base/log.h"
#include "base/quantity.h"

#include <sys/statvfs.h>

#define LEFT_MIN_BYTES (INT64_C(16) * 1024 * 1024)
#define LOOK_AGAIN_MS 2000

int service_check_disk(const struct job_service *service, struct error *err)
{
	char left[QUANTITY_TEXT_SIZE], size[QUANTITY_TEXT_SIZE];
	struct statvfs fs;
	int64_t left_bytes;

	if (service->attempts_fd < 0 || fstatvfs(service->attempts_fd, &fs) < 0)
		return 0;
	left_bytes = (int64_t)(fs.f_bavail * fs.f_frsize);
	if (left_bytes >= LEFT_MIN_BYTES)
		return 0;
	return fail(err, E_UNAVAILABLE,
	            "The disk of this server is full: %s of %s are left for its state folder; jobs "
	            "are accepted again when there is room (hearth image prune makes some)",
	            quantity_format_bytes(left_bytes, left),
	            quantity_format_bytes((int64_t)(fs.f_blocks * fs.f_frsize), size));
}

static void disk_look_again(void *arg)
{
	service_schedule(arg);
}

bool service_has_room(struct job_service *service)
{
	struct error err = ERROR_INIT;
	bool was_full = service->is_disk_full;

	service->is_disk_full = service_check_disk(service, &err) < 0;
	if (!service->is_disk_full)
		return true;
	if (!was_full)
		log_warning("no job is started: %s", err.text);
	if (!service->disk_timer)
		service->disk_timer = loop_timer_new(service->loop, disk_look_again, service);
	loop_timer_start(service->disk_timer, LOOK_AGAIN_MS, 0);
	return false;
}
