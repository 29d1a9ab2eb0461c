/* SPDX-License-Identifier: Apache-2.0 */
/* The files between hearthd and a monitor: exit record, lock, spec. */
#include "base/cleanup.h"
#include "base/file.h"
#include "container/attempt_folder.h"
#include "container/monitor_spec.h"
#include "container/overlay.h"
#include "container/runtime.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

static int dir_fd;
static char dir_path[] = "/tmp/hearth-test.XXXXXX";

static int set_up(void **state)
{
	if (!mkdtemp(dir_path))
		return -1;
	dir_fd = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;

	(void)close(dir_fd);
	return file_remove_tree(AT_FDCWD, dir_path, &err);
}

static void test_outcome_names(void **state)
{
	for (int i = OUTCOME_NONE; i <= OUTCOME_LOST; i++)
		assert_int_equal(outcome_by_name(outcome_name((enum attempt_outcome)i)), i);
	assert_int_equal(outcome_by_name("unheard"), -1);
}

static void test_exit_record(void **state)
{
	struct error err = ERROR_INIT;
	struct exit_record read, record = {
	                                 .outcome = OUTCOME_OOM,
	                                 .exit_code = -1,
	                                 .signal = 9,
	                                 .started_ms = 1778597864120,
	                                 .ended_ms = 1778597865120,
	                                 .running_us = 1000001,
	                                 .memory_peak_bytes = 1LL << 40,
	                                 .memory_limit_bytes = 1LL << 41,
	                                 .log_bytes = 77,
	                                 .message = "\"quoted\" \xc3\xa4",
	                         };

	assert_int_equal(exit_record_read(dir_fd, &read, &err), -1);
	assert_int_equal(err.code, E_NOT_FOUND);
	assert_int_equal(exit_record_write(dir_fd, &record, &err), 0);
	assert_int_equal(exit_record_read(dir_fd, &read, &err), 0);
	assert_memory_equal(&read, &record, offsetof(struct exit_record, message));
	assert_string_equal(read.message, record.message);
}

static void test_message_of_any_bytes(void **state)
{
	struct error err = ERROR_INIT;
	struct exit_record read, record = {.outcome = OUTCOME_FAILED, .message = "cut \xc3"};

	/* A message that was cut inside a character must not keep a job from ending. */
	assert_int_equal(exit_record_write(dir_fd, &record, &err), 0);
	assert_int_equal(exit_record_read(dir_fd, &read, &err), 0);
	assert_int_equal(strncmp(read.message, "cut ", 4), 0);
}

static void test_damaged_record(void **state)
{
	struct error err = ERROR_INIT;
	struct exit_record read;

	assert_int_equal(file_write_atomic(dir_fd, "exit.json", "{\"outcome\":\"x\"}", 15, 0600,
	                                   false, &err),
	                 0);
	assert_int_equal(exit_record_read(dir_fd, &read, &err), -1);
	assert_int_equal(err.code, E_INTERNAL);
}

static void test_lock(void **state)
{
	struct error err = ERROR_INIT;
	int fd;

	assert_false(attempt_folder_is_locked(dir_fd));
	assert_int_equal(file_lock(dir_fd, "lock", &fd, &err), 0);
	assert_true(attempt_folder_is_locked(dir_fd));
	(void)close(fd);
	assert_false(attempt_folder_is_locked(dir_fd));
}

#define GOOD                                                                                       \
	"{\"job_id\":\"0123456789abcdef01234567\",\"attempt\":1,\"slot\":0,\"layers\":[],"         \
	"\"args\":[\"true\"],\"env\":[\"A=b\"],\"cwd\":\"/\",\"user\":\"\",\"hostname\":\"h\","    \
	"\"cpu_millis\":1,\"memory_bytes\":0,\"storage_bytes\":0,\"pids_limit\":0,"                \
	"\"timeout_s\":1,\"grace_s\":0,\"log_limit_bytes\":0,\"network\":\"none\",\"marker\":true"

static int read_spec(const char *text, struct monitor_spec *ret)
{
	struct error err = ERROR_INIT;

	assert_int_equal(
	        file_write_atomic(dir_fd, "spec.json", text, strlen(text), 0600, false, &err), 0);
	int rc = monitor_spec_read(dir_fd, ret, &err);
	/* Gone in any case: it holds secrets. */
	assert_int_equal(faccessat(dir_fd, "spec.json", F_OK, 0), -1);
	return rc;
}

static void test_spec(void **state)
{
	/* A later member of the same name would be refused as a duplicate, so these replace one. */
	static const char *const bad[][2] = {
	        {"\"attempt\":1", "\"attempt\":0"},
	        {"\"slot\":0", "\"slot\":70000"},
	        {"\"layers\":[]", "\"layers\":[\"../../../etc\"]"},
	        {"\"layers\":[]", "\"layers\":[7]"},
	        {"\"args\":[\"true\"]", "\"args\":[]"},
	        {"\"env\":[\"A=b\"]", "\"env\":[\"=b\"]"},
	        {"\"env\":[\"A=b\"]", "\"env\":[\"A\"]"},
	        {"\"cwd\":\"/\"", "\"cwd\":\"relative\""},
	        {"\"hostname\":\"h\"", "\"hostname\":\"a b\""},
	        {"\"timeout_s\":1", "\"timeout_s\":0"},
	        {"\"network\":\"none\"", "\"network\":\"host\""},
	        {"\"pids_limit\":0", "\"pids_limit\":-1"},
	        {"\"marker\":true", "\"marker\":true,\"mounts\":[7]"},
	        {"0123456789abcdef01234567", "../../../../../etc/passw"},
	};
	struct monitor_spec spec;

	assert_int_equal(read_spec(GOOD "}", &spec), 0);
	assert_int_equal(spec.timeout_s, 1);
	assert_false(spec.has_network);
	monitor_spec_clear(&spec);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *at = strstr(GOOD "}", bad[i][0]);
		char text[2048];
		assert_non_null(at);
		(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - (GOOD "}")), GOOD "}",
		               bad[i][1], at + strlen(bad[i][0]));
		assert_int_equal(read_spec(text, &spec), -1);
	}
}

static void test_upper_layer_is_removed(void **state)
{
	struct error err = ERROR_INIT;
	autoclose int fd = -1;

	assert_int_equal(overlay_remove(dir_fd, &err), 0);
	assert_int_equal(mkdirat(dir_fd, OVERLAY_DISK, 0700), 0);
	fd = openat(dir_fd, OVERLAY_DISK, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) { /* deeper than descriptors and PATH_MAX reach */
		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		assert_int_equal(symlinkat("/etc", fd, "link"), 0);
		int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(fd);
		fd = next;
	}
	assert_int_equal(overlay_remove(dir_fd, &err), 0);
	assert_int_equal(faccessat(dir_fd, OVERLAY_DISK, F_OK, 0), -1);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
}

/* A removal that was killed leaves folders that it had moved up already. */
static void test_an_interrupted_removal_goes_on(void **state)
{
	struct error err = ERROR_INIT;

	assert_int_equal(mkdirat(dir_fd, OVERLAY_DISK, 0700), 0);
	assert_int_equal(mkdirat(dir_fd, OVERLAY_DISK "/.hearth.0", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, OVERLAY_DISK "/.hearth.0/incompat", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, OVERLAY_DISK "/.hearth.0/incompat/volatile", 0700), 0);
	assert_int_equal(overlay_remove(dir_fd, &err), 0);
	assert_int_equal(faccessat(dir_fd, OVERLAY_DISK, F_OK, 0), -1);
}

static void test_words_of_the_runtime(void **state)
{
	static const char *const cases[][2] = {
	        {"executable file `foo` not found in $PATH: No such file or directory",
	         "Command not found: "},
	        {"exec container process `/x`: Exec format error", "Command cannot run"},
	        {"open executable: Permission denied", "Command is not executable: "},
	        {"chdir `/x`: Permission denied", "Working directory cannot be entered: "},
	        {"something else", "the container runtime said: something else"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		assert_int_equal(runtime_translate(cases[i][0], &err), -1);
		assert_int_equal(strncmp(err.text, cases[i][1], strlen(cases[i][1])), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_outcome_names),
	        cmocka_unit_test(test_exit_record),
	        cmocka_unit_test(test_message_of_any_bytes),
	        cmocka_unit_test(test_damaged_record),
	        cmocka_unit_test(test_lock),
	        cmocka_unit_test(test_spec),
	        cmocka_unit_test(test_upper_layer_is_removed),
	        cmocka_unit_test(test_an_interrupted_removal_goes_on),
	        cmocka_unit_test(test_words_of_the_runtime),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
