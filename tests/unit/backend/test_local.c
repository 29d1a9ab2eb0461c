/* SPDX-License-Identifier: Apache-2.0 */
/* The local backend with a spawner played by the test: what it asks for, what it tells, and that an
 * attempt is never started twice. */
#include "../fake_spawner.h"

#include "backend/local.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"

#include <sys/stat.h>
#include <sys/un.h>

#define JOB "687fb701029421ae5549d998"
#define NAME JOB ".1"
#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define LAYER "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct loop *loop;
static struct configuration *configuration;
static struct image_service *images;
static struct backend *backend;
static char root[32];
static int root_fd, images_fd, attempts_fd, link_fd, spawner_fd;
static struct job_record job;
static struct flavor flavor = {(char *)"small", (char *)"Small", 1500, 3LL << 29, 1LL << 30, 0};
static json_t *secrets;

static struct {
	bool is_running, is_ended;
	int64_t started_ms;
	char image[100], progress[200];
	struct exit_record record;
} told;

static void on_progress(void *arg, const char *id, int number, const char *message)
{
	(void)snprintf(told.progress, sizeof(told.progress), "%s", message);
}

static void on_image(void *arg, const char *id, int number, const char *digest)
{
	(void)snprintf(told.image, sizeof(told.image), "%s", digest);
}

static void on_running(void *arg, const char *id, int number, int64_t started_ms,
                       int64_t running_us)
{
	assert_string_equal(id, JOB);
	assert_int_equal(number, 1);
	assert_false(told.is_ended);
	told.is_running = true;
	told.started_ms = started_ms;
}

static void on_ended(void *arg, const char *id, int number, const struct exit_record *record)
{
	assert_string_equal(id, JOB);
	assert_false(told.is_ended); /* exactly once */
	told.is_ended = true;
	told.record = *record;
}

static int make_dirs(void)
{
	struct error err = ERROR_INIT;
	int fd;
	(void)snprintf(root, sizeof(root), "/tmp/hearth-test-XXXXXX");
	if (!mkdtemp(root) || file_open_dir(root, 0700, &root_fd, &err) < 0 ||
	    file_open_subdir(root_fd, "images", 0700, &images_fd, &err) < 0 ||
	    file_open_subdir(root_fd, "attempts", 0700, &attempts_fd, &err) < 0)
		return -1;
	const char *const folders[] = {"records", "layers", "used"};
	for (int i = 0; i < 3; i++) {
		if (file_open_subdir(images_fd, folders[i], 0700, &fd, &err) < 0)
			return -1;
		(void)close(fd);
	}
	return 0;
}

static int set_up(void **state)
{
	int pair[2];
	struct backend_events events = {.progress = on_progress,
	                                .image = on_image,
	                                .running = on_running,
	                                .ended = on_ended};
	if (make_dirs() < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	link_fd = pair[0];
	spawner_fd = pair[1];
	loop = loop_new();
	configuration = configuration_new();
	images = image_service_new(loop, configuration, images_fd, link_fd);
	backend = backend_local_new(loop, configuration, images, attempts_fd, link_fd, &events);
	memset(&told, 0, sizeof(told));
	job = (struct job_record){.id = JOB, .timeout_s = 60, .attempts = 1};
	job.spec = json_pack("{s:s, s:[s,s], s:[s], s:{s:s, s:s}, s:s}", "dockerImage",
	                     "python:3.12", "command", "python", "-V", "arguments", "x",
	                     "environment", "A", "job", "CPU_CORES", "mine", "arch", "amd64");
	secrets = json_pack("{s:s, s:s}", "TOKEN", "hf_secret", "B", "secret");
	return 0;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;
	backend->ops->free(backend);
	run_until(loop, NULL, 2);
	image_service_free(images);
	configuration_free(configuration);
	loop_free(loop);
	json_decref(job.spec);
	json_decref(secrets);
	(void)close(link_fd);
	if (spawner_fd >= 0)
		(void)close(spawner_fd);
	(void)close(images_fd);
	(void)close(attempts_fd);
	(void)close(root_fd);
	return file_remove_tree(AT_FDCWD, root, &err);
}

static void store_image(const char *config)
{
	static const char reference[] = "docker.io/library/python:3.12";
	struct error err = ERROR_INIT;
	char digest[DIGEST_SIZE];
	digest_of(reference, strlen(reference), digest);
	autofree char *text =
	        xasprintf("{\"reference\":\"%s\",\"digest\":\"" DIGEST
	                  "\",\"config\":%s,\"architecture\":\"amd64\",\"layers\":[\"" LAYER
	                  "\"],\"size\":1,\"pulled_ms\":5,\"local\":true}",
	                  reference, config);
	autofree char *name = xasprintf("records/%s.json", digest_hex(digest));
	autoclose int record =
	        openat(images_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	autoclose int layer = openat(images_fd, "layers/" LAYER ".json",
	                             O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(file_write_all(record, text, strlen(text), &err), 0);
	assert_int_equal(file_write_all(layer, "{}", 2, &err), 0);
}

static const char *devices;     /* of the next start */
static json_t *metrics_devices; /* the same */

static void start(void)
{
	struct attempt_start begin = {
	        .job = &job,
	        .number = 1,
	        .slot = 7,
	        .flavor = &flavor,
	        .secrets = secrets,
	        .devices = devices,
	        .metrics_devices = metrics_devices,
	        .grace_s = 10,
	        .warning_s = devices ? 30 : 0,
	        .warning_signal = devices ? 10 : 0,
	};
	backend->ops->start(backend, &begin);
	assert_false(told.is_running || told.is_ended);
}

static void adopt(void)
{
	struct attempt_start begin = {&job, 1, 7, &flavor, secrets};
	backend->ops->adopt(backend, &begin);
	assert_false(told.is_running || told.is_ended);
}

static struct wish expect(enum spawn_kind kind)
{
	struct wish wish;
	assert_true(wish_take(loop, spawner_fd, &wish));
	assert_int_equal(wish.message.kind, kind);
	if (kind != SPAWN_PULL)
		assert_string_equal(wish.message.name, NAME);
	return wish;
}

/* After a pause of the backend's. */
static struct wish expect_later(enum spawn_kind kind)
{
	run_until(loop, NULL, 110);
	return expect(kind);
}

static void expect_nothing(void)
{
	struct wish wish;
	assert_false(wish_take(loop, spawner_fd, &wish));
}

static int open_folder(void)
{
	struct error err = ERROR_INIT;
	int fd;
	assert_int_equal(file_open_subdir(attempts_fd, NAME, 0750, &fd, &err), 0);
	return fd;
}

static void write_exit(int code)
{
	struct exit_record record = {.outcome = OUTCOME_EXITED, .exit_code = code};
	struct error err = ERROR_INIT;
	autoclose int fd = open_folder();
	assert_int_equal(exit_record_write(fd, &record, &err), 0);
}

static void runs_an_attempt(void **state)
{
	struct error err = ERROR_INIT;
	struct stat st;
	store_image(
	        "{\"Env\":[\"A=image\",\"B=image\",\"PATH=/bin\",\"C=a=b\"],\"User\":\"nobody\","
	        "\"WorkingDir\":\"/work\",\"Entrypoint\":[\"/entry\"],\"Cmd\":[\"cmd\"],"
	        "\"Volumes\":{\"/data\":{}}}");
	start();
	struct wish monitor = expect(SPAWN_MONITOR);
	assert_string_equal(told.image, DIGEST);
	autoclose int fd = open_folder();
	assert_int_equal(fstatat(fd, "spec.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	autojson json_t *spec = NULL;
	assert_int_equal(json_read_file(fd, "spec.json", 1 << 20, &spec, &err), 0);
	autojson json_t *want = json_pack(
	        "{s:s, s:i, s:i, s:[s], s:[s,s,s], s:[s,s,s,s,s,s,s,s,s], s:s, s:s, s:s, s:i, s:I, "
	        "s:I, "
	        "s:i, s:i, s:i, s:I, s:s, s:b, s:[s], s:[]}",
	        "job_id", JOB, "attempt", 1, "slot", 7, "layers", LAYER, "args", "python", "-V",
	        "x", "env", "A=job", "B=secret", "PATH=/bin", "C=a=b", "JOB_ID=" JOB,
	        "ACCELERATOR=none", "CPU_CORES=mine", "MEMORY=1536Mi", "TOKEN=hf_secret", "cwd",
	        "/work", "user", "nobody", "hostname", JOB, "cpu_millis", 1500, "memory_bytes",
	        (json_int_t)(3LL << 29), "storage_bytes", (json_int_t)(1LL << 30), "pids_limit",
	        4096, "timeout_s", 60, "grace_s", 10, "log_limit_bytes", (json_int_t)(1LL << 30),
	        "network", "bridge", "marker", 1, "volumes", "/data", "mounts");
	if (!json_equal(spec, want)) {
		autofree char *text = json_to_text(spec);
		fail_msg("%s", text);
	}
	wish_say(&monitor, "{\"type\":\"running\",\"started_ms\":1778597864120}");
	run_until(loop, &told.is_running, 500);
	assert_int_equal(told.started_ms, 1778597864120);
	backend->ops->extend(backend, JOB, 1, 600);
	autojson json_t *extend = wish_hear(loop, &monitor);
	assert_string_equal(json_get_text(extend, "type", ""), "extend");
	assert_int_equal(json_get_int(extend, "timeout_s", 0), 600);
	write_exit(3);
	wish_say(&monitor, "{\"type\":\"ended\"}");
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.outcome, OUTCOME_EXITED);
	assert_int_equal(told.record.exit_code, 3);
	wish_end(&monitor);
	run_until(loop, NULL, 5);
	expect_nothing();
}

static void devices_of_a_job(void **state)
{
	struct error err = ERROR_INIT;
	flavor.name = (char *)(uintptr_t) "a100-large";
	flavor.device_count = 2;
	devices = "nvidia.com/gpu=GPU-1,nvidia.com/gpu=GPU-2";
	metrics_devices = json_pack("[s,s]", "GPU-1", "GPU-2");
	store_image("{}");
	start();
	json_decref(metrics_devices);
	metrics_devices = NULL;
	devices = NULL;
	flavor.device_count = 0;
	struct wish monitor = expect(SPAWN_MONITOR);
	autoclose int fd = open_folder();
	autojson json_t *spec = NULL;
	assert_int_equal(json_read_file(fd, "spec.json", 1 << 20, &spec, &err), 0);
	autojson json_t *names = json_pack("[s,s]", "nvidia.com/gpu=GPU-1", "nvidia.com/gpu=GPU-2");
	autojson json_t *uuids = json_pack("[s,s]", "GPU-1", "GPU-2");
	assert_true(json_equal(json_object_get(spec, "devices"), names));
	assert_true(json_equal(json_object_get(spec, "metrics_devices"), uuids));
	assert_int_equal(json_get_int(spec, "warning_s", 0), 30);
	assert_int_equal(json_get_int(spec, "warning_signal", 0), 10);
	autojson json_t *accelerator = json_string("ACCELERATOR=a100-large");
	bool found = false;
	size_t i;
	json_t *item;
	json_array_foreach(json_object_get(spec, "env"), i, item) found =
	        found || json_equal(item, accelerator);
	assert_true(found);
	write_exit(0);
	wish_say(&monitor, "{\"type\":\"ended\"}");
	run_until(loop, &told.is_ended, 500);
	wish_end(&monitor);
	run_until(loop, NULL, 5);
}

static void entry_points(void **state)
{
	struct error err = ERROR_INIT;
	store_image("{\"Entrypoint\":[\"/entry\",\"-x\"],\"Cmd\":[\"cmd\"]}");
	json_object_del(job.spec, "command");
	json_object_del(job.spec, "arguments");
	start();
	struct wish monitor = expect(SPAWN_MONITOR);
	autoclose int fd = open_folder();
	autojson json_t *spec = NULL;
	assert_int_equal(json_read_file(fd, "spec.json", 1 << 20, &spec, &err), 0);
	autojson json_t *want = json_pack("[s,s,s]", "/entry", "-x", "cmd");
	assert_true(json_equal(json_object_get(spec, "args"), want));
	assert_string_equal(json_get_text(spec, "cwd", ""), "/");
	write_exit(0);
	wish_end(&monitor);
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.exit_code, 0); /* without `ended`: read from the folder */
}

static void no_command_at_all(void **state)
{
	store_image("{}");
	json_object_del(job.spec, "command");
	json_object_del(job.spec, "arguments");
	start();
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.outcome, OUTCOME_FAILED);
	assert_non_null(strstr(told.record.message, "No command"));
	assert_int_equal(faccessat(attempts_fd, NAME, F_OK, 0), -1);
	expect_nothing();
}

static void image_errors_end_it(void **state)
{
	start();
	struct wish pull = expect(SPAWN_PULL);
	wish_say(&pull, "{\"type\":\"progress\",\"layers_done\":1,\"layers\":2,\"bytes_done\":1,"
	                "\"bytes\":2}");
	run_until(loop, NULL, 5);
	assert_string_equal(told.progress, "Pulling image: 1 of 2 layers, 50 %, 1 B of 2 B");
	wish_say(&pull, "{\"type\":\"error\",\"code\":\"not found\",\"text\":\"Image not found: "
	                "python:3.12; the registry said no\"}");
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.outcome, OUTCOME_FAILED);
	assert_string_equal(told.record.message,
	                    "Image not found: python:3.12; the registry said no");
	wish_end(&pull);
	assert_int_equal(faccessat(attempts_fd, NAME, F_OK, 0), -1);
}

static void stops_while_pulling(void **state)
{
	start();
	struct wish pull = expect(SPAWN_PULL);
	backend->ops->stop(backend, JOB, 1);
	backend->ops->stop(backend, JOB, 1);
	backend->ops->stop(backend, JOB, 2);
	assert_false(told.is_ended);
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.outcome, OUTCOME_CANCELED);
	autojson json_t *request = wish_hear(loop, &pull);
	assert_non_null(request);
	assert_true(wish_is_closed(loop, &pull));
	wish_end(&pull);
}

static void stops_while_running(void **state)
{
	store_image("{}");
	start();
	struct wish monitor = expect(SPAWN_MONITOR);
	backend->ops->stop(backend, JOB, 1);
	backend->ops->stop(backend, JOB, 1);
	autojson json_t *cancel = wish_hear(loop, &monitor);
	assert_string_equal(json_get_text(cancel, "type", ""), "cancel");
	assert_null(wish_hear(loop, &monitor));
	struct exit_record record = {.outcome = OUTCOME_CANCELED, .exit_code = -1};
	struct error err = ERROR_INIT;
	autoclose int fd = open_folder();
	assert_int_equal(exit_record_write(fd, &record, &err), 0);
	wish_say(&monitor, "{\"type\":\"ended\"}");
	wish_end(&monitor); /* what it said is heard although it is gone */
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.outcome, OUTCOME_CANCELED);
}

static void spawner_cannot_start_it(void **state)
{
	store_image("{}");
	start();
	struct wish monitor = expect(SPAWN_MONITOR);
	wish_say(&monitor,
	         "{\"type\":\"error\",\"code\":\"internal\",\"text\":\"no more processes\"}");
	wish_end(&monitor);
	/* The folder is the spawner's by now, and holds the secrets. */
	struct wish clean = expect(SPAWN_CLEAN);
	assert_false(told.is_ended);
	wish_say(&clean, "{\"type\":\"done\"}");
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.outcome, OUTCOME_FAILED);
	assert_string_equal(told.record.message, "no more processes");
	wish_end(&clean);
}

static void a_lost_monitor_is_cleaned_first(void **state)
{
	store_image("{}");
	start();
	struct wish monitor = expect(SPAWN_MONITOR);
	wish_say(&monitor, "{\"type\":\"running\",\"started_ms\":1778597864120}");
	wish_end(&monitor);
	struct wish clean = expect(SPAWN_CLEAN);
	assert_true(told.is_running);
	assert_false(told.is_ended);
	/* The spawner fails at first: nothing is said about the attempt until it is clean. */
	wish_end(&clean);
	clean = expect_later(SPAWN_CLEAN);
	wish_say(&clean, "{\"type\":\"error\",\"code\":\"internal\",\"text\":\"busy\"}");
	wish_end(&clean);
	clean = expect_later(SPAWN_CLEAN);
	assert_false(told.is_ended);
	wish_say(&clean, "{\"type\":\"done\"}");
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.outcome, OUTCOME_LOST);
	assert_int_equal(told.record.started_ms, 1778597864120);
	wish_end(&clean);
}

static void adopts_the_ended(void **state)
{
	write_exit(5);
	adopt();
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.exit_code, 5);
	expect_nothing();
}

static void adopts_what_never_began(void **state)
{
	store_image("{}");
	adopt();
	struct wish monitor = expect(SPAWN_MONITOR);
	write_exit(0);
	wish_say(&monitor, "{\"type\":\"ended\"}");
	run_until(loop, &told.is_ended, 500);
	wish_end(&monitor);
}

static void adopts_the_dead(void **state)
{
	autoclose int fd = open_folder();
	struct error err = ERROR_INIT;
	assert_int_equal(file_write_atomic(fd, "spec.json", "{}", 2, 0600, false, &err), 0);
	adopt();
	struct wish clean = expect(SPAWN_CLEAN);
	assert_false(told.is_ended);
	wish_say(&clean, "{\"type\":\"done\"}");
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.outcome, OUTCOME_LOST);
	wish_end(&clean);
}

static int listen_at_control(int folder_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control",
	               folder_fd);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* A lock of another process: flock belongs to the open file, so another descriptor will do. */
static void adopts_the_living(void **state)
{
	struct error err = ERROR_INIT;
	autoclose int folder = open_folder();
	int lock;
	assert_int_equal(file_lock(folder, "lock", &lock, &err), 0);
	adopt();
	backend->ops->stop(backend, JOB, 1); /* cancelled before hearthd died */
	run_until(loop, NULL, 150);          /* it has no socket yet */
	assert_false(told.is_ended);
	autoclose int control = listen_at_control(folder);
	expect_nothing();
	run_until(loop, NULL, 250);
	struct wish monitor = {.fd = accept4(control, NULL, NULL, SOCK_CLOEXEC), .extra_fd = -1};
	assert_true(monitor.fd >= 0);
	autojson json_t *cancel = wish_hear(loop, &monitor);
	assert_string_equal(json_get_text(cancel, "type", ""), "cancel");
	wish_say(&monitor, "{\"type\":\"running\",\"started_ms\":1778597864120}");
	run_until(loop, &told.is_running, 500);
	assert_true(told.is_running);
	/* Its connection breaks, but it lives: it is connected again, not cleaned. */
	wish_end(&monitor);
	run_until(loop, NULL, 150);
	monitor.fd = accept4(control, NULL, NULL, SOCK_CLOEXEC);
	expect_nothing();
	write_exit(0);
	wish_say(&monitor, "{\"type\":\"ended\"}");
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.exit_code, 0);
	wish_end(&monitor);
	(void)close(lock);
	expect_nothing();
}

static void never_starts_what_is_there(void **state)
{
	store_image("{}");
	write_exit(9);
	start();
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.exit_code, 9);
	expect_nothing();
}

static void no_spawner(void **state)
{
	store_image("{}");
	(void)close(spawner_fd);
	spawner_fd = -1;
	start();
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.outcome, OUTCOME_FAILED);
	/* No secrets stay behind. */
	assert_int_equal(faccessat(attempts_fd, NAME, F_OK, 0), -1);
}

/* The link takes some hundred requests; the loop does not wait for more room. */
static void a_full_link_delays_only(void **state)
{
	int filler[4096], n = 0;
	struct error err = ERROR_INIT;
	store_image("{}");
	while (spawner_link_try(link_fd, SPAWN_CLEAN, NAME, -1, &filler[n], &err) == 0)
		n++;
	assert_int_equal(err.code, E_BUSY);
	start();
	run_until(loop, NULL, 10);
	assert_false(told.is_ended);
	struct wish wish;
	for (int i = 0; i < n; i++) {
		wish = expect(SPAWN_CLEAN);
		wish_end(&wish);
		(void)close(filler[i]);
	}
	wish = expect(SPAWN_MONITOR);
	write_exit(0);
	wish_end(&wish);
	run_until(loop, &told.is_ended, 500);
	assert_int_equal(told.record.outcome, OUTCOME_EXITED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        TEST(runs_an_attempt),
	        TEST(devices_of_a_job),
	        TEST(entry_points),
	        TEST(no_command_at_all),
	        TEST(image_errors_end_it),
	        TEST(stops_while_pulling),
	        TEST(stops_while_running),
	        TEST(spawner_cannot_start_it),
	        TEST(a_lost_monitor_is_cleaned_first),
	        TEST(adopts_the_ended),
	        TEST(adopts_what_never_began),
	        TEST(adopts_the_dead),
	        TEST(adopts_the_living),
	        TEST(never_starts_what_is_there),
	        TEST(no_spawner),
	        TEST(a_full_link_delays_only),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
