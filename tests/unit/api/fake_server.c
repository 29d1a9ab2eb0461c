/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole of hearthd's HTTP side on the fake backend, for tests/contract: no root, no containers,
 * a job ends when its command says so (backend/fake.h).
 *
 *   api_fake_server STATE [SECTION.KEY=VALUE…]
 *
 * Listens on a loopback port and on STATE/hearth.sock, makes the user alice, and prints one line:
 * {"port":…,"token":"hf_…"}.
 */
#include "api/api.h"
#include "backend/fake.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "job/billing.h"
#include "files_path.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct loop *loop;
	struct configuration *configuration;
	struct seal_key *key;
	struct api api;
	int state_fd, attempts_fd, images_fd;
};

static void must(int result, const struct error *err)
{
	if (result < 0) {
		fprintf(stderr, "%s\n", err->text);
		exit(1);
	}
}

static void configure(struct fixture *f, char **settings)
{
	struct error err = ERROR_INIT;

	f->configuration = configuration_new();
	for (; *settings; settings++) {
		char *dot = strchr(*settings, '.'), *equals = strchr(*settings, '=');

		if (!dot || !equals)
			must(fail(&err, E_INVALID, "not SECTION.KEY=VALUE: %s", *settings), &err);
		*dot = *equals = '\0';
		must(configuration_set(f->configuration, *settings, dot + 1, equals + 1, "test",
		                       &err),
		     &err);
	}
	must(configuration_finish(f->configuration, &err), &err);
}

static void open_state(struct fixture *f, const char *path)
{
	struct error err = ERROR_INIT;
	char database[4096];

	must(file_open_dir(path, 0700, &f->state_fd, &err), &err);
	must(file_open_subdir(f->state_fd, "attempts", 0700, &f->attempts_fd, &err), &err);
	must(file_open_subdir(f->state_fd, "images", 0700, &f->images_fd, &err), &err);
	must(seal_key_load(f->state_fd, "key", &f->key, &err), &err);
	snprintf(database, sizeof(database), "%s/hearth.db", path);
	must(database_open(database, &f->api.db, &err), &err);
}

static void make_user(struct fixture *f, char token[TOKEN_SIZE])
{
	struct error err = ERROR_INIT;
	struct account account;
	struct token record;

	must(accounts_create(f->api.db, "alice", ACCOUNT_USER, &account, &err), &err);
	must(tokens_create(f->api.db, "alice", "laptop", ROLE_WRITE, token, &record, &err), &err);
	database_commit(f->api.db);
}

static void start_jobs(struct fixture *f)
{
	struct job_service_options options = {
	        .loop = f->loop,
	        .db = f->api.db,
	        .configuration = f->configuration,
	        .key = f->key,
	        .attempts_fd = f->attempts_fd,
	        .spawner_fd = -1,
	};
	struct backend_events events;

	f->api.jobs = job_service_new(&options);
	f->api.webhooks = webhook_service_new(&(struct webhook_service_options){
	        .loop = f->loop,
	        .db = f->api.db,
	        .configuration = f->configuration,
	        .key = f->key,
	});
	job_service_set_webhooks(f->api.jobs, f->api.webhooks);
	f->api.billing = billing_new(f->loop, f->api.db, f->configuration);
	job_service_set_billing(f->api.jobs, f->api.billing);
	billing_start(f->api.billing, f->api.jobs, f->api.webhooks);
	events = job_service_backend_events(f->api.jobs);
	job_service_start(f->api.jobs, backend_fake_new(f->loop, f->attempts_fd, &events));
	webhook_service_start(f->api.webhooks, f->api.jobs);
	f->api.schedules = schedule_service_new(&(struct schedule_service_options){
	        .loop = f->loop,
	        .db = f->api.db,
	        .configuration = f->configuration,
	        .key = f->key,
	        .jobs = f->api.jobs,
	        .webhooks = f->api.webhooks,
	});
	schedule_service_start(f->api.schedules);
}

static void start_buckets(struct fixture *f, const char *state)
{
	struct error err = ERROR_INIT;
	struct bucket_service_options options = {
	        .loop = f->loop,
	        .db = f->api.db,
	        .configuration = f->configuration,
	        .worker = file_worker_new(f->loop, HEARTH_FILES, state),
	        .state_dir = state,
	        .webhooks = f->api.webhooks,
	};

	must(bucket_service_new(&options, &f->api.buckets, &err), &err);
	must(xet_service_new(f->loop, f->api.db, f->api.buckets, state, &f->api.xet, &err), &err);
}

static void listen_on(struct fixture *f, const char *state, const char *token)
{
	struct http_server_options options = {
	        .max_connections = f->configuration->max_connections,
	        .idle_timeout_s = f->configuration->idle_timeout_s,
	        .spool_dir = state,
	        .admit = api_admit,
	        .before = api_before,
	        .after = api_after,
	};
	struct error err = ERROR_INIT;
	char address[4096];
	int port;

	must(http_server_new(f->loop, api_routes(), &options, &f->api, &f->api.server, &err), &err);
	must(http_server_listen(f->api.server, "127.0.0.1:0", &port, &err), &err);
	snprintf(address, sizeof(address), "unix:%s/hearth.sock", state);
	must(http_server_listen(f->api.server, address, NULL, &err), &err);
	printf("{\"port\":%d,\"token\":\"%s\"}\n", port, token);
	fflush(stdout);
}

static void turn_end(void *arg)
{
	struct fixture *f = arg;

	database_commit(f->api.db);
}

static void on_terminate(uv_signal_t *handle, int signal)
{
	loop_stop(handle->data);
}

/* So that a leak checker can look at what is left. */
static void end_on_terminate(struct loop *loop)
{
	static uv_signal_t handle;

	uv_signal_init(loop_uv(loop), &handle);
	handle.data = loop;
	uv_signal_start(&handle, on_terminate, SIGTERM);
}

int main(int argc, char **argv)
{
	static struct fixture f;
	char token[TOKEN_SIZE];

	if (argc < 2)
		return 2;
	log_open("api_fake_server", LOG_LEVEL_DEBUG);
	f.loop = loop_new();
	configure(&f, argv + 2);
	open_state(&f, argv[1]);
	make_user(&f, token);
	f.api.loop = f.loop;
	f.api.configuration = f.configuration;
	f.api.client = http_client_new(f.loop);
	f.api.images = image_service_new(f.loop, f.configuration, f.images_fd, -1);
	f.api.version = HEARTH_VERSION;
	f.api.started_ms = clock_now_ms();
	f.api.admin_uid = geteuid();
	start_jobs(&f);
	start_buckets(&f, argv[1]);
	api_init(&f.api);
	listen_on(&f, argv[1], token);
	loop_set_turn_end(f.loop, turn_end, &f);
	end_on_terminate(f.loop);
	loop_run(f.loop);
	return 0;
}
