/* SPDX-License-Identifier: Apache-2.0 */
/* Wiring: database → images → jobs → local backend → API → HTTP servers. The order is the order of
 * who needs whom; the loop's turn ends with a commit. */
#include "server/serve.h"

#include "api/api.h"
#include "backend/local.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "job/billing.h"
#include "job/device_service.h"
#include "job/volumes.h"
#include "server/first_start.h"
#include "server/notify.h"
#include "server/programs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

struct serve {
	struct configuration *configuration;
	const struct options *options;
	struct sockets *sockets;
	struct loop *loop;
	struct database *db;
	struct seal_key *key;
	struct image_service *images;
	struct device_service *devices;
	struct job_service *jobs;
	struct http_client *client;
	struct webhook_service *webhooks;
	struct billing *billing;
	struct file_worker *files;
	struct bucket_service *buckets;
	struct xet_service *xet;
	struct schedule_service *schedules;
	struct http_server *server, *admin_server; /* the same without TLS */
	struct api api;
	uv_signal_t signals[3];
	int db_fd, attempts_fd, images_fd, link_fd;
	char spool_dir[4096];
};

static void on_stop(uv_signal_t *handle, int signum)
{
	struct serve *s = handle->data;

	log_info("stopping on %s; running jobs go on", strsignal(signum));
	notify_send("STOPPING=1");
	loop_stop(s->loop);
}

static void on_hangup(uv_signal_t *handle, int signum)
{
	struct serve *s = handle->data;
	struct configuration *fresh;
	struct error err = ERROR_INIT;

	if (options_configure(s->options, &fresh, &err) < 0) {
		log_error("the configuration was not read again: %s", err.text);
		return;
	}
	log_open("hearthd", (enum log_level)log_level_by_name(fresh->log_level));
	log_info("log level: %s", fresh->log_level);
	configuration_free(fresh);
}

static void watch_signals(struct serve *s)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < 3; i++) {
		uv_signal_init(loop_uv(s->loop), &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], numbers[i] == SIGHUP ? on_hangup : on_stop,
		                numbers[i]);
	}
}

/* Nothing is ever sent to us on the link: readable means that the spawner is gone. */
static void on_link(void *arg, int events)
{
	struct serve *s = arg;

	log_error("the spawner is gone");
	loop_stop(s->loop);
}

static void end_turn(void *arg)
{
	struct serve *s = arg;

	database_commit(s->db);
}

/* Descriptors are what connections are made of. */
static void raise_limits(struct configuration *c)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	int64_t usable = (int64_t)limit.rlim_cur - 512;
	if (usable < c->max_connections) {
		c->max_connections = usable > 64 ? usable : 64;
		log_warning("only %lld connections are possible at once: the limit of open files "
		            "is %lld (LimitNOFILE, ulimit -n)",
		            (long long)c->max_connections, (long long)limit.rlim_cur);
	}
}

static int open_state(struct serve *s, int state_fd, struct error *err)
{
	autoclose int spool_fd = -1;
	char path[4096];

	/* Away from the database: those that work on a body are given the folder, too. */
	if (file_open_subdir(state_fd, "spool", 0700, &spool_fd, err) < 0 ||
	    file_open_subdir(state_fd, "db", 0700, &s->db_fd, err) < 0 ||
	    file_open_subdir(state_fd, "attempts", 0770, &s->attempts_fd, err) < 0 ||
	    file_open_subdir(state_fd, "images", 0755, &s->images_fd, err) < 0)
		return -1;
	(void)snprintf(s->spool_dir, sizeof(s->spool_dir), "%s/spool", s->configuration->state_dir);
	int len = snprintf(path, sizeof(path), "%s/db/hearth.db", s->configuration->state_dir);
	if (len >= (int)sizeof(path))
		return fail(err, E_INVALID, "the path of the state folder is too long");
	if (database_open(path, &s->db, err) < 0)
		return -1;
	return seal_key_load(s->db_fd, "seal.key", &s->key, err);
}

/* A server without it runs jobs all the same. */
static void wire_devices(struct serve *s)
{
	struct error err = ERROR_INIT;
	char *program = NULL; /* for ever */

	if (program_find("hearth-devices", &program, &err) < 0)
		log_warning("no devices are offered: %s", err.text);
	s->devices = device_service_new(s->loop, s->configuration, program, s->db_fd);
}

static void wire_services(struct serve *s)
{
	const struct configuration *c = s->configuration;

	s->images = image_service_new(s->loop, c, s->images_fd, s->link_fd);
	s->jobs = job_service_new(&(struct job_service_options){
	        .loop = s->loop,
	        .db = s->db,
	        .configuration = c,
	        .key = s->key,
	        .attempts_fd = s->attempts_fd,
	        .spawner_fd = s->link_fd,
	});
	if (job_volumes_endpoint(c)) /* what nobody uses costs memory too */
		s->client = http_client_new(s->loop);
	s->webhooks = webhook_service_new(&(struct webhook_service_options){
	        .loop = s->loop,
	        .db = s->db,
	        .configuration = c,
	        .key = s->key,
	        .public_url = c->public_url ? c->public_url : s->sockets->endpoint,
	});
	job_service_set_webhooks(s->jobs, s->webhooks);
	s->billing = billing_new(s->loop, s->db, c);
	job_service_set_billing(s->jobs, s->billing);
	s->schedules = schedule_service_new(&(struct schedule_service_options){
	        .loop = s->loop,
	        .db = s->db,
	        .configuration = c,
	        .key = s->key,
	        .jobs = s->jobs,
	        .webhooks = s->webhooks,
	});
	s->api = (struct api){
	        .loop = s->loop,
	        .db = s->db,
	        .configuration = c,
	        .jobs = s->jobs,
	        .devices = s->devices,
	        .images = s->images,
	        .client = s->client,
	        .webhooks = s->webhooks,
	        .billing = s->billing,
	        .schedules = s->schedules,
	        .version = HEARTH_VERSION,
	        .started_ms = clock_now_ms(),
	        .admin_uid = getuid(),
	};
	api_init(&s->api);
}

static int wire_buckets(struct serve *s, struct error *err)
{
	const struct configuration *c = s->configuration;
	autofree char *program = NULL;

	if (program_find("hearth-files", &program, err) < 0)
		return -1;
	s->files = file_worker_new(s->loop, program, s->spool_dir);
	if (bucket_service_new(
	            &(struct bucket_service_options){
	                    .loop = s->loop,
	                    .db = s->db,
	                    .configuration = c,
	                    .worker = s->files,
	                    .state_dir = c->state_dir,
	                    .webhooks = s->webhooks,
	            },
	            &s->buckets, err) < 0 ||
	    xet_service_new(s->loop, s->db, s->buckets, c->state_dir, &s->xet, err) < 0)
		return -1;
	job_service_set_buckets(s->jobs, s->buckets);
	s->api.buckets = s->buckets;
	s->api.xet = s->xet;
	return 0;
}

static int open_servers(struct serve *s, struct error *err)
{
	const struct configuration *c = s->configuration;
	struct http_server_options options = {
	        .max_connections = c->max_connections,
	        .idle_timeout_s = c->idle_timeout_s,
	        .spool_dir = s->spool_dir,
	        .admit = api_admit,
	        .before = api_before,
	        .after = api_after,
	};

	if (http_server_new(s->loop, api_routes(), &options, &s->api, &s->admin_server, err) < 0)
		return -1;
	s->server = s->admin_server;
	if (s->sockets->certificate) {
		options.tls_certificate = s->sockets->certificate;
		options.tls_key = s->sockets->key;
		if (http_server_new(s->loop, api_routes(), &options, &s->api, &s->server, err) < 0)
			return -1;
	}
	s->api.server = s->server;
	for (size_t i = 0; i < s->sockets->n; i++)
		http_server_add_socket(s->sockets->open[i].is_unix ? s->admin_server : s->server,
		                       s->sockets->open[i].fd);
	return 0;
}

static void start_jobs(struct serve *s)
{
	struct backend_events events = job_service_backend_events(s->jobs);

	billing_start(s->billing, s->jobs, s->webhooks);
	device_service_start(s->devices, s->jobs, s->webhooks);
	job_service_start(s->jobs, backend_local_new(s->loop, s->configuration, s->images,
	                                             s->attempts_fd, s->link_fd, &events));
	webhook_service_start(s->webhooks, s->jobs);
	schedule_service_start(s->schedules);
}

int serve(struct configuration *c, const struct options *options, struct sockets *sockets,
          int state_fd, int link_fd, struct error *err)
{
	/* Lives until the process ends: stopping is crashing. */
	static struct serve s;

	s = (struct serve){
	        .configuration = c, .options = options, .sockets = sockets, .link_fd = link_fd};
	raise_limits(c);
	s.loop = loop_new();
	if (open_state(&s, state_fd, err) < 0)
		return -1;
	loop_set_turn_end(s.loop, end_turn, &s);
	wire_devices(&s);
	wire_services(&s);
	if (wire_buckets(&s, err) < 0)
		return -1;
	if (open_servers(&s, err) < 0)
		return -1;
	if (first_start(s.db, c->operator_name, c->organization, sockets->endpoint, err) < 0)
		return -1;
	watch_signals(&s);
	if (link_fd >= 0)
		(void)loop_watch_new(s.loop, link_fd, UV_READABLE | UV_DISCONNECT, on_link, &s);
	start_jobs(&s);
	log_info("hearthd " HEARTH_VERSION " is ready, state in %s", c->state_dir);
	notify_send("READY=1");
	loop_run(s.loop);
	return 0;
}
