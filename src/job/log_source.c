/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs being read. The middle of a live log can vanish under its readers (the limit punches a
 * hole): the monitor writes log.gap before it makes the hole, so after every read that met a NUL
 * byte the gap is looked up again before the bytes are believed.
 */
#include "job/log_private.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct log_source *sources;

static struct {
	const struct log_source *source;
	int64_t offset;
	size_t len;
	uint64_t generation;
	bool is_end; /* the log ended behind it when it was read */
	char data[LOG_WINDOW_SIZE];
} window;

static int open_in(const struct log_source *source, const char *file)
{
	char path[SPAWN_NAME_MAX + 16];
	(void)snprintf(path, sizeof(path), "%s/%s", source->name, file);
	return openat(source->attempts_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

static bool has_file(const struct log_source *source, const char *file)
{
	char path[SPAWN_NAME_MAX + 16];
	(void)snprintf(path, sizeof(path), "%s/%s", source->name, file);
	return faccessat(source->attempts_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void load_gap(struct log_source *source)
{
	char path[SPAWN_NAME_MAX + 16];
	struct error err = ERROR_INIT;
	autojson json_t *gap = NULL;
	(void)snprintf(path, sizeof(path), "%s/log.gap", source->name);
	if (json_read_file(source->attempts_fd, path, 4096, &gap, &err) < 0) {
		if (err.code != E_NOT_FOUND)
			log_warning("log of attempt %s: %s", source->name, err.text);
		return;
	}
	int64_t from = json_get_int(gap, "from", 0);
	int64_t to = json_get_int(gap, "to", 0);
	if (from >= 0 && to > from)
		source->gap = (struct log_gap){from, to, json_get_int(gap, "records", 0)};
}

/* The monitor makes log.zst durable before it removes `log`. */
static void open_log(struct log_source *source)
{
	source->fd = open_in(source, "log");
	if (source->fd < 0 && !log_frames_open(source))
		return;
	load_gap(source);
	source->generation++;
	if (!source->frames)
		log_notify_add(source);
}

struct log_source *log_source_get(struct loop *loop, int attempts_fd, const char *name)
{
	struct log_source *source = sources;
	while (source && strcmp(source->name, name) != 0)
		source = source->next;
	if (source) {
		source->references++;
		return source;
	}
	if (faccessat(attempts_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	source = xcalloc(1, sizeof(*source));
	source->loop = loop;
	source->attempts_fd = attempts_fd;
	source->references = 1;
	(void)snprintf(source->name, sizeof(source->name), "%s", name);
	source->fd = -1;
	source->watch = -1;
	source->next = sources;
	source->place = &sources;
	if (sources)
		sources->place = &source->next;
	sources = source;
	open_log(source);
	(void)log_source_look(source, false);
	return source;
}

void log_source_put(struct log_source *source)
{
	if (--source->references > 0)
		return;
	if (source->followers)
		BUG("log of attempt %s: freed under its followers", source->name);
	log_notify_remove(source);
	log_frames_forget(source);
	if (window.source == source)
		window.source = NULL;
	*source->place = source->next;
	if (source->next)
		source->next->place = source->place;
	if (source->fd >= 0)
		(void)close(source->fd);
	free(source->frames);
	free(source);
}

void log_source_follow(struct log_source *source, struct log_follower *follower)
{
	follower->next = source->followers;
	follower->place = &source->followers;
	if (follower->next)
		follower->next->place = &follower->next;
	source->followers = follower;
}

void log_source_unfollow(struct log_follower *follower)
{
	if (!follower->place)
		return;
	*follower->place = follower->next;
	if (follower->next)
		follower->next->place = follower->place;
	follower->place = NULL;
	follower->next = NULL;
}

void log_source_grown(struct log_source *source)
{
	source->generation++;
	for (struct log_follower *follower = source->followers, *next; follower; follower = next) {
		next = follower->next;
		follower->wake(follower->arg);
	}
}

static size_t read_plain(struct log_source *source, int64_t offset, char *data, size_t max)
{
	size_t done = 0;
	while (source->fd >= 0 && done < max) {
		ssize_t n = pread(source->fd, data + done, max - done, offset + (int64_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			log_warning("log of attempt %s: %s", source->name, strerror(errno));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static void fill_window(struct log_source *source, int64_t offset)
{
	uint64_t generation = source->generation;
	size_t n = source->frames
	                   ? log_frames_read(source, offset, window.data, sizeof(window.data))
	                   : read_plain(source, offset, window.data, sizeof(window.data));
	window.source = source;
	window.offset = offset;
	window.len = n;
	window.generation = generation;
	window.is_end = n < sizeof(window.data);
	if (!source->frames && memchr(window.data, '\0', n))
		load_gap(source);
}

static bool window_serves(const struct log_source *source, int64_t offset, size_t want)
{
	if (window.source != source || offset < window.offset ||
	    offset > window.offset + (int64_t)window.len)
		return false;
	size_t left = window.len - (size_t)(offset - window.offset);
	return left >= want || (window.is_end && window.generation == source->generation);
}

size_t log_source_read(struct log_source *source, int64_t offset, size_t want, const char **ret)
{
	if (!window_serves(source, offset, want))
		fill_window(source, offset);
	size_t skip = (size_t)(offset - window.offset);
	size_t len = window.len - skip;
	*ret = window.data + skip;
	if (source->gap.to > source->gap.from) {
		if (offset >= source->gap.from && offset < source->gap.to)
			return 0;
		if (offset < source->gap.from && (int64_t)len > source->gap.from - offset)
			len = (size_t)(source->gap.from - offset);
	}
	return len;
}

int64_t log_source_size(struct log_source *source)
{
	struct stat st;
	if (source->frames)
		return source->size;
	return source->fd >= 0 && fstat(source->fd, &st) == 0 ? st.st_size : 0;
}

struct log_gap log_source_gap(const struct log_source *source)
{
	return source->gap;
}

bool log_source_is_complete(const struct log_source *source)
{
	return source->is_complete;
}

bool log_source_look(struct log_source *source, bool is_over)
{
	if (source->is_complete)
		return true;
	is_over = is_over || has_file(source, "exit.json");
	if (source->fd < 0)
		open_log(source);
	if (!is_over)
		return false;
	source->is_complete = true;
	source->generation++;
	load_gap(source);
	log_notify_remove(source);
	return true;
}
