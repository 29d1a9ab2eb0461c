/* SPDX-License-Identifier: Apache-2.0 */
/* hearth login: check a token with the server and keep it where `hf` keeps it too. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/hub.h"
#include "cli/terminal.h"
#include "cli/token_file.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* One line from the terminal without showing it; from a pipe as it comes. NULL: none. */
static char *ask_token(const char *endpoint)
{
	struct termios shown, hidden;
	bool hides = terminal_is(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &shown) == 0;
	char line[4096];
	terminal_catch_interrupt();
	if (hides) {
		fprintf(stderr, "Token for %s (not shown): ", endpoint);
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	char *got = fgets(line, sizeof line, stdin);
	if (hides) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	if (!got)
		return NULL;
	line[strcspn(line, "\r\n")] = '\0';
	char *token = *line ? xstrdup(line) : NULL;
	explicit_bzero(line, sizeof line);
	return token;
}

static int check_and_keep(struct invocation *in, const char *token)
{
	struct error err = ERROR_INIT;
	struct hub *hub;
	autojson json_t *who = NULL;
	autofree char *path = token_file_path();
	if (hub_open(token, &hub, &err) < 0)
		return output_fail(&err);
	int rc = hub_whoami(hub, &who, &err);
	if (rc == 0)
		rc = token_file_write(hub_token(hub), &err);
	if (rc == 0)
		output_result(&in->out, "Logged in",
		              json_pack("{s:s, s:s, s:s}", "user", json_get_text(who, "name", ""),
		                        "endpoint", hub_endpoint(hub), "token_file", path));
	hub_free(hub);
	if (rc < 0)
		return output_fail(&err);
	const char *variable = getenv("HF_TOKEN");
	if (variable && *variable && strcmp(variable, token) != 0)
		output_warning("HF_TOKEN is set in this environment and goes before the file.");
	return 0;
}

int login_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub;
	autofree char *token = xstrdup(options_text(&in->options, "token"));
	if (!token) {
		if (hub_open(NULL, &hub, &err) < 0)
			return output_fail(&err);
		token = ask_token(hub_endpoint(hub));
		hub_free(hub);
	}
	if (!token || !*token)
		return output_error("No token was given: use --token, or type it when asked. The "
		                    "server's operator makes one with `hearth admin token add`.");
	return check_and_keep(in, token);
}
