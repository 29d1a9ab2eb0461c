/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A jobs service on a real database, with a backend that only writes down what it is asked; the test
 * plays the backend's part. turn() is one turn of the loop; restart() is a crash and a new start.
 */
#ifndef HEARTH_TESTS_JOB_FIXTURE_H
#define HEARTH_TESTS_JOB_FIXTURE_H

#include "../store/store_fixture.h"

#include "job/service.h"

#define GIB (1024 * 1024 * 1024LL)

struct told_backend {
	struct backend base;
	struct job_fixture *fixture;
};

struct job_fixture {
	struct store_fixture *store;
	struct configuration *configuration;
	struct seal_key *key;
	struct loop *loop;
	struct job_service *service;
	struct backend_events events;
	struct told_backend backend;
	char told[8192];      /* "start A.1/0 stop A.1 extend A.1/60 …": jobs by letter, attempt, slot or limit */
	char secrets[256];    /* of the last start or adoption */
	char ids[64][ID_SIZE]; /* letter 'A' + i */
	int n_jobs;
};

static inline char job_letter(const struct job_fixture *f, const char *id)
{
	for (int i = 0; i < f->n_jobs; i++)
		if (strcmp(f->ids[i], id) == 0)
			return (char)('A' + i);
	return '?';
}

static inline void told_write(struct backend *backend, const char *what, const char *id, int number,
			      int slot)
{
	struct job_fixture *f = ((struct told_backend *)backend)->fixture;
	size_t len = strlen(f->told);

	len += (size_t)snprintf(f->told + len, sizeof(f->told) - len, "%s%s %c.%d", len ? " " : "", what,
				job_letter(f, id), number);
	if (slot >= 0)
		snprintf(f->told + len, sizeof(f->told) - len, "/%d", slot);
}

static inline void told_hand_over(struct backend *backend, const char *what,
				  const struct attempt_start *start)
{
	struct job_fixture *f = ((struct told_backend *)backend)->fixture;
	char *secrets = json_dumps(start->secrets, JSON_COMPACT);

	snprintf(f->secrets, sizeof(f->secrets), "%s", secrets);
	free(secrets);
	told_write(backend, what, start->job->id, start->number, start->slot);
}

static inline void told_start(struct backend *backend, const struct attempt_start *start)
{
	told_hand_over(backend, "start", start);
}

static inline void told_adopt(struct backend *backend, const struct attempt_start *start)
{
	told_hand_over(backend, "adopt", start);
}

static inline void told_stop(struct backend *backend, const char *id, int number)
{
	told_write(backend, "stop", id, number, -1);
}

static inline void told_extend(struct backend *backend, const char *id, int number, int64_t timeout_s)
{
	told_write(backend, "extend", id, number, (int)timeout_s);
}

static inline void told_free(struct backend *backend)
{
}

static const struct backend_ops told_ops = {
	.name = "told",
	.start = told_start,
	.stop = told_stop,
	.extend = told_extend,
	.adopt = told_adopt,
	.free = told_free,
};

static inline void fixture_commit(void *arg)
{
	database_commit(((struct job_fixture *)arg)->store->db);
}

static inline void turn(struct job_fixture *f)
{
	uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
}

static inline void fixture_start(struct job_fixture *f)
{
	struct job_service_options options = {
		.db = f->store->db,
		.configuration = f->configuration,
		.key = f->key,
		.attempts_fd = -1,
		.spawner_fd = -1,
	};

	options.loop = f->loop = loop_new();
	loop_set_turn_end(f->loop, fixture_commit, f);
	f->service = job_service_new(&options);
	f->events = job_service_backend_events(f->service);
	f->backend = (struct told_backend){ { &told_ops }, f };
	job_service_start(f->service, &f->backend.base);
}

static inline void fixture_stop(struct job_fixture *f)
{
	job_service_free(f->service);
	loop_free(f->loop);
}

/* The process is gone, with everything that this turn had not committed; then a new one. */
static inline void restart(struct job_fixture *f)
{
	fixture_stop(f);
	store_crash(f->store);
	*f->told = '\0';
	fixture_start(f);
}

static inline void fixture_set_flavors(struct configuration *c)
{
	static const struct {
		const char *name;
		int64_t cpu_millis, memory_bytes;
	} rows[] = { { "cpu-basic", 1000, 1 * GIB },
		     { "cpu-upgrade", 3000, 2 * GIB },
		     { "cpu-giant", 64000, 512 * GIB } };

	c->n_flavors = 3;
	c->flavors = xcalloc(3, sizeof(*c->flavors));
	for (size_t i = 0; i < 3; i++) {
		c->flavors[i].name = xstrdup(rows[i].name);
		c->flavors[i].pretty_name = xstrdup(rows[i].name);
		c->flavors[i].cpu_millis = rows[i].cpu_millis;
		c->flavors[i].memory_bytes = rows[i].memory_bytes;
	}
	c->cpu_millis = 4000;
	c->memory_bytes = 8 * GIB;
	c->max_running = 3;
	c->max_queued = 50;
	c->default_timeout_s = 1800;
	c->max_timeout_s = 7 * 86400;
	c->total_log_bytes = 0;
}

static inline int job_setup(void **state)
{
	struct job_fixture *f = xcalloc(1, sizeof(*f));
	struct error err = ERROR_INIT;
	void *store;
	int folder;

	store_setup(&store);
	f->store = store;
	f->configuration = configuration_new();
	fixture_set_flavors(f->configuration);
	f->configuration->retry_delay_s = 0; /* who tests pauses sets one */
	assert_int_equal(file_open_dir(f->store->folder, 0700, &folder, &err), 0);
	assert_int_equal(seal_key_load(folder, "key", &f->key, &err), 0);
	close(folder);
	fixture_start(f);
	*state = f;
	return 0;
}

static inline int job_teardown(void **state)
{
	struct job_fixture *f = *state;
	void *store = f->store;

	fixture_stop(f);
	seal_key_free(f->key);
	configuration_free(f->configuration);
	store_teardown(&store);
	free(f);
	return 0;
}

/* Parses a body over defaults and submits it; the new id or the error is returned. */
static inline int submit_as(struct job_fixture *f, const struct account *owner, json_t *take_fields,
			    const char *key, char id[ID_SIZE], struct error *err)
{
	autojson json_t *body = json_pack("{s:s, s:s, s:[s]}", "flavor", "cpu-basic", "dockerImage",
					  "python:3.12", "command", "true");
	autojson json_t *initiator = json_pack("{s:s}", "type", "user");
	struct job_spec spec;
	struct job_submission submission = {
		.spec = &spec,
		.owner = owner,
		.creator = &f->store->alice,
		.initiator = initiator,
		.idempotency_key = key,
	};
	bool existing;
	int rc;

	if (take_fields) {
		json_object_update(body, take_fields);
		json_decref(take_fields);
	}
	if (job_spec_parse(f->configuration, body, &spec, err) < 0)
		return -1;
	rc = job_submit(f->service, &submission, id, &existing, err);
	job_spec_clear(&spec);
	return rc < 0 ? rc : existing;
}

/* The next letter; no turn yet. */
static inline const char *add(struct job_fixture *f, json_t *take_fields)
{
	struct error err = ERROR_INIT;
	char *id = f->ids[f->n_jobs];

	if (submit_as(f, &f->store->alice, take_fields, NULL, id, &err) != 0)
		fail_msg("job_submit: %s", err.text);
	f->n_jobs++;
	return id;
}

static inline void run(struct job_fixture *f, const char *id, int number)
{
	f->events.running(f->events.arg, id, number, clock_now_ms(), 0);
}

static inline void end(struct job_fixture *f, const char *id, int number, enum attempt_outcome outcome,
		       int value)
{
	struct exit_record record = { .outcome = outcome, .exit_code = -1, .ended_ms = clock_now_ms() };

	if (outcome == OUTCOME_EXITED)
		record.exit_code = value;
	if (outcome == OUTCOME_SIGNALED)
		record.signal = value;
	f->events.ended(f->events.arg, id, number, &record);
}

#define assert_told(f, text)                                                                       \
	do {                                                                                       \
		assert_string_equal((f)->told, text);                                              \
		*(f)->told = '\0';                                                                 \
	} while (0)

/* "STAGE failures message", the message as the API shows it. */
static inline const char *shown(struct job_fixture *f, const char *id)
{
	static char text[1024];
	char buffer[JOB_STATUS_MESSAGE_SIZE];
	struct job_record job autojob = { 0 };
	const char *message;

	assert_true(jobs_find(f->store->db, id, &job));
	message = job_status_message(f->service, &job, buffer);
	snprintf(text, sizeof(text), "%s %d %s", stage_name(job.stage), job.failure_count,
		 message ? message : "-");
	return text;
}

#define assert_shown(f, id, text) assert_string_equal(shown(f, id), text)

#endif
