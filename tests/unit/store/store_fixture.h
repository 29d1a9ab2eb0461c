/* SPDX-License-Identifier: Apache-2.0 */
/* A database in a temporary folder, and jobs to put into it. */
#ifndef HEARTH_TESTS_STORE_FIXTURE_H
#define HEARTH_TESTS_STORE_FIXTURE_H

#include "../unit.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "store/accounts.h"
#include "store/database.h"
#include "store/jobs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef STORE_FOLDER
#define STORE_FOLDER "/tmp/hearth-store-XXXXXX"
#endif

struct store_fixture {
	char folder[64];
	char path[96];
	struct database *db;
	struct account alice, lab;
};

static inline void store_open(struct store_fixture *f)
{
	struct error err = ERROR_INIT;

	if (database_open(f->path, &f->db, &err) < 0)
		fail_msg("database_open: %s", err.text);
}

/* As a crash does: what was not committed is gone. */
static inline void store_crash(struct store_fixture *f)
{
	database_close(f->db);
	store_open(f);
}

static inline int store_setup(void **state)
{
	struct store_fixture *f = xcalloc(1, sizeof(*f));
	struct error err = ERROR_INIT;

	strcpy(f->folder, STORE_FOLDER);
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/hearth.db", f->folder);
	store_open(f);
	assert_int_equal(accounts_create(f->db, "alice", ACCOUNT_USER, &f->alice, &err), 0);
	assert_int_equal(accounts_create(f->db, "lab", ACCOUNT_ORG, &f->lab, &err), 0);
	database_commit(f->db);
	*state = f;
	return 0;
}

static inline int store_teardown(void **state)
{
	struct store_fixture *f = *state;
	struct error err = ERROR_INIT;

	database_close(f->db);
	assert_int_equal(file_remove_tree(AT_FDCWD, f->folder, &err), 0);
	free(f);
	return 0;
}

static inline void store_fill_job(const struct account *owner, const struct account *creator,
				  json_t *take_labels, struct job_record *ret)
{
	*ret = (struct job_record){
		.created_ms = clock_now_ms(),
		.stage = STAGE_SCHEDULING,
		.attempts = 1,
		.timeout_s = 60,
		.flavor = xstrdup("cpu-basic"),
		.spec = json_pack("{s:s, s:[s], s:{s:s}}", "dockerImage", "python:3.12", "command",
				  "true", "environment", "FOO", "bar"),
		.labels = take_labels ? take_labels : json_object(),
		.initiator = json_pack("{s:s}", "type", "user"),
	};
	id_new(ret->id);
	memcpy(ret->namespace_id, owner->id, ID_SIZE);
	memcpy(ret->namespace_name, owner->name, sizeof(ret->namespace_name));
	memcpy(ret->created_by_id, creator->id, ID_SIZE);
}

/* Inserts a job of alice's; its id is written to `id`. */
static inline void store_add_job(struct store_fixture *f, json_t *take_labels, char id[ID_SIZE])
{
	struct job_record job autojob = { 0 };
	struct error err = ERROR_INIT;
	char existing[ID_SIZE];

	store_fill_job(&f->alice, &f->alice, take_labels, &job);
	assert_int_equal(jobs_insert(f->db, &job, "sealed", 6, NULL, NULL, existing, &err), 0);
	memcpy(id, job.id, ID_SIZE);
}

static inline void store_set_stage(struct store_fixture *f, const char *id, enum job_stage stage)
{
	jobs_set_stage(f->db, id, stage, NULL, NULL, 0, 0, 0, clock_now_ms());
}

#endif
