/* SPDX-License-Identifier: Apache-2.0 */
/* Zones by name, read once, and the span of an instant. */
#include "job/time_zone.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "job/time_zone_private.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define ZONE_FILE_MAX ((size_t)256 * 1024)

static struct time_zone utc = {.name = "UTC"};
static struct time_zone *zones = &utc; /* UTC needs no database */

const struct time_zone *time_zone_utc(void)
{
	return &utc;
}

const char *time_zone_name(const struct time_zone *zone)
{
	return zone->name;
}

void time_zone_free(struct time_zone *zone)
{
	if (!zone)
		return;
	free(zone->at);
	free(zone->offset_s);
	free(zone);
}

void time_zone_add(struct time_zone *zone, int64_t at_s, int32_t offset_s)
{
	if (offset_s == (zone->n ? zone->offset_s[zone->n - 1] : zone->first_offset_s))
		return;
	if (zone->n == zone->cap) {
		zone->cap = zone->cap ? zone->cap * 2 : 64;
		zone->at = xrealloc(zone->at, zone->cap * sizeof(*zone->at));
		zone->offset_s = xrealloc(zone->offset_s, zone->cap * sizeof(*zone->offset_s));
	}
	zone->at[zone->n] = at_s;
	zone->offset_s[zone->n++] = offset_s;
}

void time_zone_span_at(const struct time_zone *zone, int64_t at_s, struct time_zone_span *ret)
{
	size_t low = 0, high = zone->n; /* changes before `low` are not after at_s */

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->at[middle] <= at_s)
			low = middle + 1;
		else
			high = middle;
	}
	ret->from = low ? zone->at[low - 1] : INT64_MIN;
	ret->until = low < zone->n ? zone->at[low] : INT64_MAX;
	ret->offset_s = low ? zone->offset_s[low - 1] : zone->first_offset_s;
}

/* Letters of names in the database; a name becomes a path, so no part of it begins with a dot. The
 * zones of "right" count leap seconds, which Unix time does not. */
static bool zone_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > TIME_ZONE_NAME_MAX || name[0] == '/' || name[len - 1] == '/' ||
	    strncmp(name, "right/", 6) == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_/.",
		            name[i]))
			return false;
		if (name[i] == '.' && (i == 0 || name[i - 1] == '/'))
			return false;
	}
	return !strstr(name, "//");
}

static int zone_fail_unknown(const char *name, struct error *err)
{
	char shown[TIME_ZONE_NAME_MAX + 1];
	size_t i;

	for (i = 0; i < TIME_ZONE_NAME_MAX && name[i]; i++)
		shown[i] = (char)(name[i] > ' ' && name[i] <= '~' ? name[i] : '?');
	shown[i] = '\0';
	return fail(err, E_INVALID,
	            "the time zone \"%s\" is not known; names are those of the zone database, such "
	            "as Europe/Paris or America/New_York",
	            shown);
}

static int zone_read(const char *name, struct time_zone **ret, struct error *err)
{
	autobuffer struct buffer data = BUFFER_INIT(ZONE_FILE_MAX);
	struct error ignored = ERROR_INIT;
	autoclose int folder = open(ZONE_FOLDER, O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int fd = -1;
	ssize_t n;

	if (folder < 0 || file_open_in_root(folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, &fd,
	                                    &ignored) < 0)
		return zone_fail_unknown(name, err);
	while (buffer_reserve(&data, 4096) == 0 && (n = read(fd, data.data + data.len, 4096)) > 0)
		data.len += (size_t)n;
	if (data.len < 4 || memcmp(data.data, "TZif", 4) != 0)
		return zone_fail_unknown(name, err); /* a folder, or one of its text files */
	if (time_zone_parse(data.data, data.len, ret, err) < 0)
		return error_prefix(err, "the time zone \"%s\"", name);
	return 0;
}

int time_zone_get(const char *name, const struct time_zone **ret, struct error *err)
{
	struct time_zone *zone;

	for (zone = zones; zone; zone = zone->next) {
		if (strcmp(zone->name, name) == 0) {
			*ret = zone;
			return 0;
		}
	}
	if (!zone_name_is_valid(name))
		return zone_fail_unknown(name, err);
	if (zone_read(name, &zone, err) < 0)
		return -1;
	memcpy(zone->name, name, strlen(name) + 1);
	zone->next = zones;
	zones = zone;
	*ret = zone;
	return 0;
}
