/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts and folders that travel with a job. */
#include "cli/artifacts.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/memory.h"
#include "cli/bucket_hub.h"
#include "cli/local_tree.h"
#include "cli/output.h"
#include "cli/sync_plan.h"
#include "cli/terminal.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

struct local_files {
	json_t *places; /* word → "/data/NAME" */
};

static bool is_url(const char *word)
{
	return strncmp(word, "http://", 7) == 0 || strncmp(word, "https://", 8) == 0;
}

static bool looks_like_file(const char *word)
{
	static const char *const endings[] = {".py", ".sh", ".yaml", ".yml", ".toml"};
	size_t len = strlen(word);
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		size_t n = strlen(endings[i]);
		if (len > n && word[len - n - 1] != '/' && strcmp(word + len - n, endings[i]) == 0)
			return true;
	}
	return false;
}

static bool is_taken(const json_t *places, const char *place)
{
	const char *word;
	json_t *other;
	json_object_foreach((json_t *)(uintptr_t)places, word, other)
	{
		if (strcmp(json_string_value(other), place) == 0)
			return true;
	}
	return false;
}

/* The file's own name with '_' for blanks; "(0)", "(1)" … before the ending of an equal one. */
static char *make_place(const json_t *places, const char *word)
{
	const char *slash = strrchr(word, '/');
	autofree char *name = xstrdup(slash ? slash + 1 : word);
	for (char *c = name; *c; c++)
		*c = *c == ' ' ? '_' : *c;
	const char *dot = strrchr(name, '.');
	size_t stem = dot && dot != name ? (size_t)(dot - name) : strlen(name);
	char *place = xasprintf(ARTIFACTS_MOUNT "/%s", name);
	for (int i = 0; is_taken(places, place); i++) {
		free(place);
		place = xasprintf(ARTIFACTS_MOUNT "/%.*s(%d)%s", (int)stem, name, i, name + stem);
	}
	return place;
}

int local_files_find(char *const *words, size_t count, struct local_files **ret, struct error *err)
{
	autojson json_t *places = json_object();
	for (size_t i = 0; i < count; i++) {
		struct stat st;
		if (json_object_get(places, words[i]))
			continue;
		if (stat(words[i], &st) == 0 && S_ISREG(st.st_mode)) {
			autofree char *place = make_place(places, words[i]);
			if (json_object_set_new(places, words[i], json_string(place)) < 0)
				return fail(err, E_INVALID,
				            "The name of file %zu is not valid UTF-8", i + 1);
		} else if (!is_url(words[i]) && looks_like_file(words[i])) {
			return fail(err, E_NOT_FOUND,
			            "'%s' is not a local file, and not a URL either", words[i]);
		}
	}
	struct local_files *files = xcalloc(1, sizeof *files);
	files->places = take_ptr(&places);
	*ret = files;
	return 0;
}

void local_files_free(struct local_files *files)
{
	if (!files)
		return;
	json_decref(files->places);
	free(files);
}

bool local_files_is_empty(const struct local_files *files)
{
	return json_object_size(files->places) == 0;
}

const char *local_files_place(const struct local_files *files, const char *word)
{
	return json_string_value(json_object_get(files->places, word));
}

/* "20260512T145740-a1b2c3" */
static void make_stamp(char ret[32])
{
	time_t now = time(NULL);
	unsigned char bytes[3];
	struct tm tm;
	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes || !gmtime_r(&now, &tm))
		BUG("no time or no randomness");
	size_t len = strftime(ret, 32, "%Y%m%dT%H%M%S", &tm);
	(void)snprintf(ret + len, 32 - len, "-%02x%02x%02x", bytes[0], bytes[1], bytes[2]);
}

static int open_bucket(struct hub *hub, const char *space, const char *path, struct bucket_uri *ret,
                       char **ret_url, struct error *err)
{
	autofree char *uri =
	        xasprintf("%s/" ARTIFACTS_BUCKET "%s%s", space, *path ? "/" : "", path);
	autojson json_t *answer = NULL;
	if (bucket_uri_parse(uri, ret, err) < 0)
		return -1;
	if (bucket_hub_create(hub, ret, "private", true, &answer, err) < 0) {
		bucket_uri_clear(ret);
		return error_prefix(err, "The bucket for local files");
	}
	if (ret_url)
		*ret_url = xstrdup(json_get_text(answer, "url", ""));
	return 0;
}

static json_t *make_volume(const struct bucket_uri *bucket, const char *mount, bool is_read_only)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:s}", "type", "bucket", "source", bucket->id,
	                 "mountPath", mount, "readOnly", is_read_only, "path", bucket->path);
}

int local_files_upload(const struct local_files *files, struct hub *hub, const char *space,
                       json_t **ret_volume, char **ret_url, struct error *err)
{
	struct bucket_uri bucket autouri = {0};
	autofree char *url = NULL;
	char stamp[32];
	const char *word;
	json_t *place;
	make_stamp(stamp);
	if (open_bucket(hub, space, stamp, &bucket, &url, err) < 0)
		return -1;
	json_object_foreach(files->places, word, place)
	{
		const char *name = json_string_value(place) + strlen(ARTIFACTS_MOUNT "/");
		autofree char *path = bucket_path_join(bucket.path, name);
		if (bucket_hub_upload_file(hub, &bucket, path, word, err) < 0)
			return -1;
	}
	*ret_volume = make_volume(&bucket, ARTIFACTS_MOUNT, false);
	*ret_url = take_ptr(&url);
	return 0;
}

char *artifacts_folder_name(const char *path)
{
	char resolved[PATH_MAX], digest[DIGEST_SIZE];
	struct utsname host;
	if (!realpath(path, resolved))
		(void)snprintf(resolved, sizeof resolved, "%s", path);
	if (uname(&host) < 0)
		*host.nodename = '\0';
	autofree char *text = xasprintf("%s:%s", host.nodename, resolved);
	digest_of(text, strlen(text), digest);
	const char *slash = strrchr(resolved, '/');
	autofree char *name = xstrdup(slash && slash[1] ? slash + 1 : "root");
	for (char *c = name; *c; c++)
		*c = *c == ' ' ? '_' : *c;
	return xasprintf("%s-%.8s", name, digest_hex(digest));
}

static void warn_if_public(struct hub *hub, const struct bucket_uri *bucket)
{
	autojson json_t *info = NULL;
	struct error ignored = ERROR_INIT;
	if (bucket_hub_info(hub, bucket, &info, &ignored) == 0 &&
	    json_is_false(json_object_get(info, "private")))
		output_warning("Bucket '%s' already exists and is public: data synced for the Job "
		               "will be publicly accessible. Make it private with: hearth bucket "
		               "settings %s --private",
		               bucket->id, bucket->id);
}

/* A folder cannot be empty in a bucket, and mounting one that is not there fails the job. */
static int keep_empty(struct hub *hub, const struct bucket_uri *bucket, struct error *err)
{
	autofree char *path = bucket_path_join(bucket->path, ".keep");
	autoclose int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return bucket_hub_upload(hub, bucket, path, fd, 0, -1, err);
}

static void count_file(void *arg, const struct local_file *file)
{
	(*(size_t *)arg)++;
}

int artifacts_sync(struct hub *hub, const char *space, const char *folder, const char *mount,
                   bool is_read_only, json_t **ret_volume, struct error *err)
{
	struct bucket_uri bucket autouri = {0};
	struct sync_plan plan = {0};
	struct sync_options options = {.shows_status = terminal_is(STDERR_FILENO)};
	autofree char *name = artifacts_folder_name(folder);
	size_t files = 0;
	if (open_bucket(hub, space, name, &bucket, NULL, err) < 0)
		return -1;
	warn_if_public(hub, &bucket);
	autofree char *dest = xasprintf(BUCKET_URI_PREFIX "%s/%s", bucket.id, name);
	int rc = sync_plan_init(&plan, folder, dest, err);
	if (rc == 0)
		rc = sync_plan_compute(&plan, hub, &options, err);
	if (rc == 0)
		rc = sync_plan_execute(&plan, hub, false, options.shows_status, err);
	if (rc == 0)
		rc = local_tree_each(folder, count_file, &files, err);
	if (rc == 0 && files == 0)
		rc = keep_empty(hub, &bucket, err);
	sync_plan_clear(&plan);
	if (rc == 0)
		*ret_volume = make_volume(&bucket, mount, is_read_only);
	return rc;
}
