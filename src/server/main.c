/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearthd. Reads the configuration, takes the state directory, opens sockets, splits into spawner
 * and HTTP process, and serves. What fails is said in one sentence on standard error.
 */
#include "api/api.h"
#include "api/openapi.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "server/claims.h"
#include "server/options.h"
#include "server/preflight.h"
#include "server/serve.h"
#include "server/sockets.h"
#include "server/spawner.h"
#include "server/state_dir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PRINT_MAX (1024L * 1024)

static int run(struct configuration *c, const struct options *options, struct error *err)
{
	static struct sockets sockets; /* used until the process ends */
	int state_fd, lock_fd, link_fd;

	char *state_dir = state_dir_absolute(c->state_dir);

	free(c->state_dir);
	c->state_dir = state_dir;
	(void)umask(022);
	(void)signal(SIGPIPE, SIG_IGN);
	if (preflight_check(c, err) < 0 ||
	    state_dir_lock(c->state_dir, &state_fd, &lock_fd, err) < 0 ||
	    sockets_open(c, &sockets, err) < 0 || claims_take(c, err) < 0 ||
	    spawner_prepare(c, err) < 0 || spawner_split(c, &link_fd, err) < 0)
		return -1;
	preflight_check_unprivileged();
	if (state_dir_check_reach(c->state_dir, err) < 0)
		return -1;
	return serve(c, options, &sockets, state_fd, link_fd, err);
}

/* What GET /openapi.json answers, without a server: docs/http-api.md is made from it. */
static void print_api(struct buffer *text)
{
	autojson json_t *document =
	        openapi_document(api_routes(), HEARTH_VERSION, "http://server:7440");
	autofree char *json = json_dumps(document, JSON_INDENT(1));

	(void)buffer_add_text(text, json);
	(void)buffer_add_byte(text, '\n');
}

static int print_manual(const char *page, struct buffer *text, struct error *err)
{
	if (strcmp(page, "hearthd.8") == 0)
		options_manual(text);
	else if (strcmp(page, "hearth.conf.5") == 0)
		return options_file_manual(text);
	else if (strcmp(page, "openapi.json") == 0)
		print_api(text);
	else
		return fail(
		        err, E_INVALID,
		        "--print-manual %s: there are hearthd.8, hearth.conf.5 and openapi.json",
		        page);
	return 0;
}

static int print(const struct options *options, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(PRINT_MAX);
	struct configuration *c = NULL;

	if (options->action == OPTIONS_HELP)
		options_help(&text);
	else if (options->action == OPTIONS_VERSION)
		(void)buffer_add_text(&text, "hearthd " HEARTH_VERSION "\n");
	else if (options->action == OPTIONS_PRINT_MANUAL && print_manual(options->page, &text, err))
		return -1;
	if (options->action == OPTIONS_SHOW_CONFIGURATION) {
		if (options_configure(options, &c, err) < 0)
			return -1;
		(void)configuration_print(c, true, &text);
		configuration_free(c);
	}
	(void)fputs(buffer_text(&text), stdout);
	return fflush(stdout) == 0 ? 0 : fail(err, E_INTERNAL, "standard output is closed");
}

static int start(const struct options *options, struct error *err)
{
	struct configuration *c;

	if (options->action != OPTIONS_RUN)
		return print(options, err);
	if (options_configure(options, &c, err) < 0)
		return -1;
	log_open("hearthd", (enum log_level)log_level_by_name(c->log_level));
	int rc = run(c, options, err);

	configuration_free(c);
	return rc;
}

int main(int argc, char **argv)
{
	struct options options;
	struct error err = ERROR_INIT;

	log_open("hearthd", LOG_LEVEL_INFO);
	bool is_failed = options_parse(argc, argv, &options, &err) < 0 || start(&options, &err) < 0;

	options_clear(&options);
	if (!is_failed)
		return 0;
	(void)fprintf(stderr, "hearthd: %s\n", err.text);
	return error_exit_status(err.code);
}
