/* SPDX-License-Identifier: Apache-2.0 */
/* Wishes for images: one pull for all, freshness, stale ones in need, exclusive runs, the limit. */
#include "../fake_spawner.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/reference.h"
#include "job/image_service.h"

#define PYTHON "docker.io/library/python:3.12"
#define LAYER "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct loop *loop;
static struct configuration *configuration;
static struct image_service *service;
static char root[32];
static int root_fd, link_fd, spawner_fd;

struct answer {
	bool is_done;
	char digest[100];
	struct error err;
	char progress[200];
	int64_t freed;
};

static int set_up(void **state)
{
	struct error err = ERROR_INIT;
	int pair[2], fd;
	(void)snprintf(root, sizeof(root), "/tmp/hearth-test-XXXXXX");
	if (!mkdtemp(root) || file_open_dir(root, 0700, &root_fd, &err) < 0)
		return -1;
	const char *const folders[] = {"records", "layers", "used"};
	for (int i = 0; i < 3; i++) {
		if (file_open_subdir(root_fd, folders[i], 0700, &fd, &err) < 0)
			return -1;
		(void)close(fd);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	link_fd = pair[0];
	spawner_fd = pair[1];
	loop = loop_new();
	configuration = configuration_new();
	service = image_service_new(loop, configuration, root_fd, link_fd);
	return 0;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;
	run_until(loop, NULL, 2);
	image_service_free(service);
	configuration_free(configuration);
	loop_free(loop);
	(void)close(link_fd);
	(void)close(spawner_fd);
	(void)close(root_fd);
	return file_remove_tree(AT_FDCWD, root, &err);
}

static void on_progress(void *arg, const char *message)
{
	struct answer *answer = arg;
	(void)snprintf(answer->progress, sizeof(answer->progress), "%s", message);
}

static void on_done(void *arg, const json_t *record, const struct error *err)
{
	struct answer *answer = arg;
	assert_false(answer->is_done);
	answer->is_done = true;
	if (!record)
		answer->err = *err;
	else
		(void)snprintf(answer->digest, sizeof(answer->digest), "%s",
		               json_get_text(record, "digest", ""));
	answer->freed = json_get_int(record, "freed_bytes", -1);
}

static struct image_wait *want(struct answer *answer, bool always)
{
	struct image_wait_events events = {on_progress, on_done, answer};
	memset(answer, 0, sizeof(*answer));
	return image_service_want(service, PYTHON, "amd64", always, &events);
}

static char *record_text(int64_t pulled_ms, bool is_local)
{
	return xasprintf("{\"reference\":\"" PYTHON "\",\"digest\":\"" DIGEST "\",\"config\":{},"
	                 "\"architecture\":\"amd64\",\"layers\":[\"" LAYER "\"],\"size\":1,"
	                 "\"pulled_ms\":%lld,\"local\":%s}",
	                 (long long)pulled_ms, is_local ? "true" : "false");
}

static void store_image(int64_t pulled_ms, bool is_local)
{
	struct error err = ERROR_INIT;
	char digest[DIGEST_SIZE];
	digest_of(PYTHON, strlen(PYTHON), digest);
	autofree char *text = record_text(pulled_ms, is_local);
	autofree char *name = xasprintf("records/%s.json", digest_hex(digest));
	autoclose int record =
	        openat(root_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	autoclose int layer = openat(root_fd, "layers/" LAYER ".json",
	                             O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(file_write_all(record, text, strlen(text), &err), 0);
	assert_int_equal(file_write_all(layer, "{}", 2, &err), 0);
}

static void check_request(const struct wish *wish, const char *action)
{
	assert_int_equal(wish->message.kind, SPAWN_PULL);
	autojson json_t *request = wish_hear(loop, wish);
	assert_non_null(request);
	assert_string_equal(json_get_text(request, "action", ""), action);
}

static void say_done(const struct wish *wish)
{
	autofree char *record = record_text(clock_now_ms(), false);
	autofree char *text = xasprintf("{\"type\":\"done\",\"image\":%s}", record);
	wish_say(wish, text);
}

static void fresh_ones_come_from_the_store(void **state)
{
	struct wish wish;
	struct answer answer;
	store_image(clock_now_ms() - 1000, false);
	(void)want(&answer, false);
	assert_false(answer.is_done); /* never from inside */
	run_until(loop, &answer.is_done, 500);
	assert_string_equal(answer.digest, DIGEST);
	assert_false(wish_take(loop, spawner_fd, &wish));
}

static void imported_ones_are_never_refreshed(void **state)
{
	struct answer answer;
	store_image(5, true);
	(void)want(&answer, false);
	run_until(loop, &answer.is_done, 500);
	assert_string_equal(answer.digest, DIGEST);
	(void)want(&answer, true);
	run_until(loop, &answer.is_done, 500);
	assert_string_equal(answer.digest, DIGEST);
}

static void one_pull_for_all(void **state)
{
	struct wish wish, more;
	struct answer answers[50], late;
	for (int i = 0; i < 50; i++)
		(void)want(&answers[i], i % 2);
	assert_true(wish_take(loop, spawner_fd, &wish));
	check_request(&wish, "pull");
	assert_false(wish_take(loop, spawner_fd, &more));
	wish_say(&wish, "{\"type\":\"progress\",\"layers_done\":2,\"layers\":5,\"bytes_done\":"
	                "45088768,\"bytes\":104857600}");
	run_until(loop, NULL, 5);
	assert_string_equal(answers[49].progress,
	                    "Pulling image: 2 of 5 layers, 43 %, 43 MiB of 100 MiB");
	(void)want(&late, false);
	run_until(loop, NULL, 5);
	assert_string_equal(late.progress, answers[0].progress);
	say_done(&wish);
	run_until(loop, &answers[0].is_done, 500);
	for (int i = 0; i < 50; i++)
		assert_string_equal(answers[i].digest, DIGEST);
	assert_string_equal(late.digest, DIGEST);
	wish_end(&wish);
	/* And now it is known. */
	(void)want(&late, false);
	run_until(loop, &late.is_done, 500);
	assert_false(wish_take(loop, spawner_fd, &more));
}

static void fails_with_the_registrys_words(void **state)
{
	struct wish wish;
	struct answer answer;
	store_image(5, false); /* old; but the registry did answer */
	(void)want(&answer, false);
	assert_true(wish_take(loop, spawner_fd, &wish));
	wish_say(&wish,
	         "{\"type\":\"error\",\"code\":\"not found\",\"text\":\"Image not found: x\"}");
	run_until(loop, &answer.is_done, 500);
	assert_int_equal(answer.err.code, E_NOT_FOUND);
	assert_string_equal(answer.err.text, "Image not found: x");
	wish_end(&wish);
	/* A pull that dies is made once more; dying again is an answer. */
	(void)want(&answer, false);
	assert_true(wish_take(loop, spawner_fd, &wish));
	wish_end(&wish);
	assert_true(wish_take(loop, spawner_fd, &wish));
	assert_false(answer.is_done);
	wish_end(&wish);
	run_until(loop, &answer.is_done, 500);
	assert_int_equal(answer.err.code, E_INTERNAL);
}

static void stale_ones_serve_when_nobody_answers(void **state)
{
	static const char silent[] =
	        "{\"type\":\"error\",\"code\":\"unavailable\",\"text\":\"no answer\"}";
	struct wish wish;
	struct answer answer;
	store_image(5, false);
	(void)want(&answer, false);
	assert_true(wish_take(loop, spawner_fd, &wish));
	wish_say(&wish, silent);
	run_until(loop, &answer.is_done, 500);
	assert_string_equal(answer.digest, DIGEST);
	wish_end(&wish);
	/* Not asked again by the next job… */
	(void)want(&answer, false);
	run_until(loop, &answer.is_done, 500);
	assert_string_equal(answer.digest, DIGEST);
	assert_false(wish_take(loop, spawner_fd, &wish));
	/* … and whoever insists gets the truth. */
	(void)want(&answer, true);
	assert_true(wish_take(loop, spawner_fd, &wish));
	wish_say(&wish, silent);
	run_until(loop, &answer.is_done, 500);
	assert_int_equal(answer.err.code, E_UNAVAILABLE);
	wish_end(&wish);
}

static void cancelling_ends_the_pull_with_the_last(void **state)
{
	struct wish wish;
	struct answer first, second, third;
	struct image_wait *one = want(&first, false);
	struct image_wait *two = want(&second, false);
	image_wait_cancel(want(&third, false)); /* before it even began */
	assert_true(wish_take(loop, spawner_fd, &wish));
	image_wait_cancel(one);
	check_request(&wish, "pull");
	assert_false(wish_is_closed(loop, &wish));
	image_wait_cancel(two);
	assert_true(wish_is_closed(loop, &wish));
	wish_end(&wish);
	assert_false(first.is_done || second.is_done || third.is_done);
}

static void no_spawner(void **state)
{
	struct answer answer;
	(void)close(spawner_fd);
	spawner_fd = -1;
	(void)want(&answer, false);
	run_until(loop, &answer.is_done, 500);
	assert_int_equal(answer.err.code, E_UNAVAILABLE);
}

static void pruning_runs_alone(void **state)
{
	struct wish pull, prune, after;
	struct answer pulling, pruning, cached, later;
	struct image_wait_events events = {NULL, on_done, &pruning};
	(void)want(&pulling, false);
	assert_true(wish_take(loop, spawner_fd, &pull));
	check_request(&pull, "pull");
	memset(&pruning, 0, sizeof(pruning));
	image_service_hold(service, DIGEST);
	image_service_hold(service, DIGEST);
	image_service_run(service, json_pack("{s:s, s:i}", "action", "prune", "keep_bytes", 0), -1,
	                  &events);
	assert_false(wish_take(loop, spawner_fd, &prune)); /* a pull is running */
	say_done(&pull);
	run_until(loop, &pulling.is_done, 500);
	wish_end(&pull);
	assert_true(wish_take(loop, spawner_fd, &prune));
	autojson json_t *request = wish_hear(loop, &prune);
	assert_string_equal(json_get_text(request, "action", ""), "prune");
	const json_t *in_use = json_object_get(request, "in_use");
	assert_int_equal(json_array_size(in_use), 1);
	assert_string_equal(json_string_value(json_array_get(in_use, 0)), DIGEST);
	/* Meanwhile even what is known has to wait: it may be going. */
	(void)want(&cached, false);
	run_until(loop, NULL, 5);
	assert_false(cached.is_done);
	wish_say(&prune, "{\"type\":\"done\",\"freed_bytes\":77,\"removed\":[]}");
	run_until(loop, &pruning.is_done, 500);
	assert_int_equal(pruning.freed, 77);
	wish_end(&prune);
	assert_true(wish_take(loop, spawner_fd, &after));
	say_done(&after);
	run_until(loop, &cached.is_done, 500);
	assert_string_equal(cached.digest, DIGEST);
	wish_end(&after);
	image_service_release(service, DIGEST);
	image_service_release(service, DIGEST);
	(void)want(&later, false);
	run_until(loop, &later.is_done, 500);
}

static void used_images_stay(void **state)
{
	struct answer answer;
	struct wish wish;
	struct image_wait_events events = {NULL, on_done, &answer};
	memset(&answer, 0, sizeof(answer));
	store_image(clock_now_ms(), false);
	image_service_hold(service, DIGEST);
	image_service_run(service, json_pack("{s:s, s:s}", "action", "remove", "reference", PYTHON),
	                  -1, &events);
	run_until(loop, &answer.is_done, 500);
	assert_int_equal(answer.err.code, E_CONFLICT);
	image_service_release(service, DIGEST);
	memset(&answer, 0, sizeof(answer));
	image_service_run(service, json_pack("{s:s, s:s}", "action", "remove", "reference", PYTHON),
	                  -1, &events);
	assert_true(wish_take(loop, spawner_fd, &wish));
	wish_say(&wish, "{\"type\":\"error\",\"code\":\"not found\",\"text\":\"gone\"}");
	run_until(loop, &answer.is_done, 500);
	assert_int_equal(answer.err.code, E_NOT_FOUND);
	wish_end(&wish);
}

static void imports_hand_their_archive_on(void **state)
{
	struct answer answer;
	struct wish wish;
	struct image_wait_events events = {NULL, on_done, &answer};
	int archive = openat(root_fd, "archive", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char text[8] = "";
	memset(&answer, 0, sizeof(answer));
	assert_int_equal(write(archive, "tar", 3), 3);
	image_service_run(service, json_pack("{s:s, s:s}", "action", "import", "reference", PYTHON),
	                  archive, &events);
	(void)close(archive);
	assert_true(wish_take(loop, spawner_fd, &wish));
	assert_int_equal(pread(wish.extra_fd, text, 7, 0), 3);
	assert_string_equal(text, "tar");
	say_done(&wish);
	run_until(loop, &answer.is_done, 500);
	assert_int_equal(answer.err.code, E_NONE);
	wish_end(&wish);
}

static void the_limit_is_kept_after_a_pull(void **state)
{
	struct answer answer;
	struct wish wish, prune;
	configuration->image_disk_bytes = 12345;
	(void)want(&answer, false);
	assert_true(wish_take(loop, spawner_fd, &wish));
	say_done(&wish);
	run_until(loop, &answer.is_done, 500);
	wish_end(&wish);
	assert_true(wish_take(loop, spawner_fd, &prune));
	autojson json_t *request = wish_hear(loop, &prune);
	assert_string_equal(json_get_text(request, "action", ""), "prune");
	assert_int_equal(json_get_int(request, "keep_bytes", 0), 12345);
	wish_say(&prune, "{\"type\":\"done\",\"freed_bytes\":0,\"removed\":[]}");
	run_until(loop, NULL, 5);
	wish_end(&prune);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        TEST(fresh_ones_come_from_the_store),
	        TEST(imported_ones_are_never_refreshed),
	        TEST(one_pull_for_all),
	        TEST(fails_with_the_registrys_words),
	        TEST(stale_ones_serve_when_nobody_answers),
	        TEST(cancelling_ends_the_pull_with_the_last),
	        TEST(no_spawner),
	        TEST(pruning_runs_alone),
	        TEST(used_images_stay),
	        TEST(imports_hand_their_archive_on),
	        TEST(the_limit_is_kept_after_a_pull),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
