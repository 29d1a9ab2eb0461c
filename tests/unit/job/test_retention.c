/* SPDX-License-Identifier: Apache-2.0 */
/* The total limit of logs: the oldest folders of finished jobs go first, those of live jobs stay.
 */
#include "job_fixture.h"

#include "base/spawner_link.h"
#include "job/retention.h"

#include <sys/socket.h>
#include <sys/stat.h>

struct place {
	int attempts_fd, link[2];
};

static void make_folder(int attempts_fd, const char *id, int number, size_t bytes)
{
	char name[SPAWN_NAME_MAX], path[128];
	char *text = xcalloc(1, bytes + 1);
	struct error err = ERROR_INIT;
	int fd;

	memset(text, 'x', bytes);
	spawn_name_format(name, id, number);
	assert_int_equal(mkdirat(attempts_fd, name, 0700), 0);
	snprintf(path, sizeof(path), "%s/log", name);
	fd = openat(attempts_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, bytes, &err), 0);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	free(text);
}

static void open_place(struct job_fixture *f, struct place *place)
{
	struct error err = ERROR_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/attempts", f->store->folder);
	assert_int_equal(file_open_dir(path, 0700, &place->attempts_fd, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, place->link), 0);
}

/* A service on the fixture's loop and database that has these folders and this spawner. */
static struct job_service *service_at(struct job_fixture *f, const struct place *place)
{
	struct job_service_options options = {
	        .loop = f->loop,
	        .db = f->store->db,
	        .configuration = f->configuration,
	        .key = f->key,
	        .attempts_fd = place->attempts_fd,
	        .spawner_fd = place->link[0],
	};

	return job_service_new(&options);
}

/* The names that the spawner is asked to remove, in order. */
static void read_removals(const struct place *place, char *ret, size_t size)
{
	struct spawn_message message;

	*ret = '\0';
	while (recv(place->link[1], &message, sizeof(message), 0) == sizeof(message)) {
		assert_int_equal(message.kind, SPAWN_REMOVE);
		snprintf(ret + strlen(ret), size - strlen(ret), "%s ", message.name);
	}
}

static void the_oldest_finished_go_first(void **state)
{
	struct job_fixture *f = *state;
	struct place place;
	struct job_service *service;
	struct retention *retention;
	char id[4][ID_SIZE], removed[256], expected[256];

	open_place(f, &place);
	for (int i = 0; i < 4; i++) {
		id_new(id[i]);
		make_folder(place.attempts_fd, id[i], 1, 100 * 1024);
	}
	assert_int_equal(mkdirat(place.attempts_fd, "something-else", 0700), 0);
	f->configuration->total_log_bytes = 1024 * 1024;
	service = service_at(f, &place);
	retention = retention_new(service);
	assert_non_null(retention);
	retention_run(retention);
	read_removals(&place, removed, sizeof(removed));
	assert_string_equal(removed, "");
	/* Room for two: 104 KiB each on disk, 90 % of 300 KiB are kept. */
	f->configuration->total_log_bytes = 300 * 1024;
	retention_run(retention);
	read_removals(&place, removed, sizeof(removed));
	snprintf(expected, sizeof(expected), "%s.1 %s.1 ", id[0], id[1]);
	assert_string_equal(removed, expected);
	retention_free(retention);
	job_service_free(service);
	close(place.attempts_fd);
	close(place.link[0]);
	close(place.link[1]);
}

static void folders_of_live_jobs_stay(void **state)
{
	struct job_fixture *f = *state;
	struct place place;
	struct retention *retention;
	char done[ID_SIZE], removed[256], expected[256];
	const char *live = add(f, NULL);
	struct job_service *service, *plain = f->service;

	turn(f);
	open_place(f, &place);
	make_folder(place.attempts_fd, live, 1, 100 * 1024);
	id_new(done);
	make_folder(place.attempts_fd, done, 1, 100 * 1024);
	f->configuration->total_log_bytes = 1;
	service = service_at(f, &place);
	job_service_start(service, &f->backend.base); /* adopts the live one */
	retention = retention_new(service);
	retention_run(retention);
	read_removals(&place, removed, sizeof(removed));
	snprintf(expected, sizeof(expected), "%s.1 ", done);
	assert_string_equal(removed, expected);
	retention_free(retention);
	turn(f);
	job_service_free(service);
	f->service = plain;
	close(place.attempts_fd);
	close(place.link[0]);
	close(place.link[1]);
}

static void without_a_limit_nothing_is_measured(void **state)
{
	struct job_fixture *f = *state;

	assert_null(retention_new(f->service));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(the_oldest_finished_go_first, job_setup,
	                                        job_teardown),
	        cmocka_unit_test_setup_teardown(folders_of_live_jobs_stay, job_setup, job_teardown),
	        cmocka_unit_test_setup_teardown(without_a_limit_nothing_is_measured, job_setup,
	                                        job_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
