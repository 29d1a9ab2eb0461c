/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: every flag is a row; those that stand for a setting only name it. */
#include "server/options.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_FILE "/etc/hearth/hearth.conf"

struct option {
	const char *name;
	const char *argument;      /* NULL: takes none */
	const char *section, *key; /* the setting that it stands for; NULL: see `action` */
	int action;                /* enum options_action; -1: `--config`, -2: `--set` */
	bool is_list;              /* given again it adds to the value */
	const char *help;
};

enum { ACTION_FILE = -1, ACTION_SET = -2 };

/* clang-format off */
static const struct option table[] = {
	{ "--config", "FILE", NULL, NULL, ACTION_FILE, false,
	  "Read settings from FILE instead of " DEFAULT_FILE "." },
	{ "--state-dir", "DIR", "server", "state_dir", 0, false,
	  "Keep the database, logs and images in DIR." },
	{ "--listen", "ADDRESS", "server", "listen", 0, true,
	  "Listen on ADDRESS:PORT, [IPv6]:PORT or unix:PATH. May be given several times." },
	{ "--public-url", "URL", "server", "public_url", 0, false,
	  "The URL under which clients reach this server, when a proxy stands in front of it." },
	{ "--tls-certificate", "FILE", "server", "tls_certificate", 0, false,
	  "Speak HTTPS with this certificate (PEM, with its chain)." },
	{ "--tls-key", "FILE", "server", "tls_key", 0, false,
	  "The private key of the certificate (PEM)." },
	{ "--user", "NAME", "server", "user", 0, false,
	  "System user that the HTTP process becomes when hearthd is started as root." },
	{ "--set", "SECTION.KEY=VALUE", NULL, NULL, ACTION_SET, false,
	  "Any setting of hearth.conf(5). May be given several times." },
	{ "--show-config", NULL, NULL, NULL, OPTIONS_SHOW_CONFIGURATION, false,
	  "Print all settings in force, each with its origin, and exit." },
	{ "--print-manual", "PAGE", NULL, NULL, OPTIONS_PRINT_MANUAL, false,
	  "Print a page of the documentation (hearthd.8 or hearth.conf.5 as troff, openapi.json) and exit." },
	{ "--version", NULL, NULL, NULL, OPTIONS_VERSION, false, "Print the version and exit." },
	{ "--help", NULL, NULL, NULL, OPTIONS_HELP, false, "Print this text and exit." },
	{ 0 },
};
/* clang-format on */

static const struct option *find(const char *text, size_t len)
{
	for (const struct option *o = table; o->name; o++)
		if (strlen(o->name) == len && memcmp(o->name, text, len) == 0)
			return o;
	return NULL;
}

static void add_setting(struct options *options, char *take_text, const char *origin)
{
	size_t n = options->n_settings + 2;

	options->settings = xrealloc(options->settings, n * sizeof(*options->settings));
	options->origins = xrealloc(options->origins, n * sizeof(*options->origins));
	options->settings[options->n_settings] = take_text;
	options->origins[options->n_settings++] = origin;
	options->settings[options->n_settings] = NULL;
}

/* A repeated list flag replaces what the file says and adds to what the flag said before. */
static void take_setting(struct options *options, const struct option *o, const char *value)
{
	for (size_t i = 0; o->is_list && i < options->n_settings; i++) {
		if (options->origins[i] != o->name)
			continue;
		char *longer = xasprintf("%s,%s", options->settings[i], value);

		free(options->settings[i]);
		options->settings[i] = longer;
		return;
	}
	add_setting(options, xasprintf("%s.%s=%s", o->section, o->key, value), o->name);
}

static int take_option(struct options *options, const struct option *o, const char *value,
                       struct error *err)
{
	if (o->section) {
		take_setting(options, o, value);
	} else if (o->action == ACTION_FILE) {
		options->configuration_file = value;
	} else if (o->action == ACTION_SET) {
		if (!strchr(value, '=') || !strchr(value, '.'))
			return fail(err, E_INVALID, "--set %s must be SECTION.KEY=VALUE", value);
		add_setting(options, xstrdup(value), o->name);
	} else {
		options->action = (enum options_action)o->action;
		options->page = value;
	}
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct error *err)
{
	*ret = (struct options){.action = OPTIONS_RUN};
	for (int i = 1; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		size_t len = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
		const struct option *o = find(argv[i], len);
		const char *value = equals ? equals + 1 : NULL;

		if (!o)
			return fail(err, E_INVALID, "unknown option %s; see hearthd --help",
			            argv[i]);
		if (!o->argument && value)
			return fail(err, E_INVALID, "%s takes no value", o->name);
		if (o->argument && !value) {
			if (i + 1 == argc)
				return fail(err, E_INVALID, "%s needs a value: %s", o->name,
				            o->argument);
			value = argv[++i];
		}
		if (take_option(ret, o, value, err) < 0)
			return -1;
	}
	return 0;
}

void options_clear(struct options *options)
{
	for (size_t i = 0; i < options->n_settings; i++)
		free(options->settings[i]);
	free(options->settings);
	free(options->origins);
}

/* "section.key=value": the section may hold dots ("registry docker.io"), the key does not. */
static int apply(struct configuration *c, const char *text, const char *origin, struct error *err)
{
	const char *equals = strchr(text, '=');
	autofree char *left = xstrndup(text, (size_t)(equals - text));
	char *dot = strrchr(left, '.');

	if (!dot)
		return fail(err, E_INVALID, "--set %s must be SECTION.KEY=VALUE", text);
	*dot = '\0';
	return configuration_set(c, left, dot + 1, equals + 1, origin, err);
}

int options_configure(const struct options *options, struct configuration **ret, struct error *err)
{
	struct configuration *c = configuration_new();
	const char *file = options->configuration_file;

	if (!file && access(DEFAULT_FILE, F_OK) == 0)
		file = DEFAULT_FILE;
	if (file && configuration_read_file(c, file, err) < 0)
		goto failed;
	for (size_t i = 0; i < options->n_settings; i++)
		if (apply(c, options->settings[i], options->origins[i], err) < 0)
			goto failed;
	if (configuration_finish(c, err) < 0)
		goto failed;
	*ret = c;
	return 0;
failed:
	configuration_free(c);
	return -1;
}

void options_help(struct buffer *ret)
{
	(void)buffer_add_text(ret, "Usage: hearthd [OPTION]...\n"
	                           "Run Hugging Face Jobs on this machine.\n\n");
	for (const struct option *o = table; o->name; o++) {
		autofree char *left = xasprintf("%s %s", o->name, o->argument ? o->argument : "");

		(void)buffer_printf(ret, "  %-26s %s\n", left, o->help);
	}
	(void)buffer_add_text(ret, "\nSettings: hearth.conf(5), `hearthd --show-config`.\n");
}

static void add_troff(struct buffer *ret, const char *text)
{
	for (; *text; text++)
		(void)(*text == '-' ? buffer_add_text(ret, "\\-") : buffer_add_byte(ret, *text));
}

void options_manual(struct buffer *ret)
{
	(void)buffer_add_text(
	        ret,
	        ".TH HEARTHD 8 \"\" \"Hearth " HEARTH_VERSION "\" \"System Administration\"\n"
	        ".SH NAME\nhearthd \\- runs Hugging Face Jobs on this machine\n"
	        ".SH SYNOPSIS\n.B hearthd\n[\\fIOPTION\\fR]...\n"
	        ".SH DESCRIPTION\nThe server of Hearth. The unmodified \\fBhf\\fR, "
	        "\\fBhuggingface_hub\\fR and \\fB@huggingface/hub\\fR talk to it when "
	        "HF_ENDPOINT points to it, and so does \\fBhearth\\fR(1). It runs in the "
	        "foreground and logs to standard error.\n.PP\n"
	        "Started as root it splits in two: one process keeps the rights that containers "
	        "need; the other one, which talks HTTP, becomes the user of setting "
	        "server.user. At the first start it makes the operator's account and prints a "
	        "token, once, to standard output.\n.SH OPTIONS\n");
	for (const struct option *o = table; o->name; o++) {
		(void)buffer_add_text(ret, ".TP\n.B ");
		add_troff(ret, o->name);
		if (o->argument)
			(void)buffer_printf(ret, " \\fI%s\\fR", o->argument);
		(void)buffer_add_byte(ret, '\n');
		add_troff(ret, o->help);
		(void)buffer_add_byte(ret, '\n');
	}
	(void)buffer_add_text(
	        ret,
	        ".SH SIGNALS\n.TP\nSIGTERM, SIGINT\nStop. Running jobs go on and are taken over "
	        "at the next start.\n.TP\nSIGHUP\nRead server.log_level again.\n"
	        ".SH FILES\n" DEFAULT_FILE "\n.br\n/var/lib/hearth\n"
	        ".SH SEE ALSO\n.BR hearth (1),\n.BR hearth.conf (5)\n");
}

int options_file_manual(struct buffer *ret)
{
	(void)buffer_add_text(
	        ret,
	        ".TH HEARTH.CONF 5 \"\" \"Hearth " HEARTH_VERSION "\" \"System Administration\"\n"
	        ".SH NAME\nhearth.conf \\- settings of hearthd\n"
	        ".SH SYNOPSIS\n" DEFAULT_FILE "\n"
	        ".SH DESCRIPTION\nRead by \\fBhearthd\\fR(8) at its start; the file may be "
	        "missing. "
	        "Lines are \\fIkey\\fR = \\fIvalue\\fR below a [\\fIsection\\fR]; what follows a "
	        "semicolon after a blank, or at the beginning of a line, is a comment. An unknown "
	        "section, an unknown key and a bad value are errors with file and line.\n.PP\n"
	        "A setting on the command line (\\-\\-set SECTION.KEY=VALUE) goes before the file. "
	        "\\fBhearthd \\-\\-show\\-config\\fR prints what is in force and where each value "
	        "comes "
	        "from.\n.PP\n"
	        "Sizes are bytes or have K, M, G or T (powers of 1024); times are seconds or have "
	        "s, "
	        "m, h or d; switches are yes or no; lists have commas.\n"
	        ".SH SETTINGS\n");
	if (configuration_manual(ret) < 0)
		return -1;
	return buffer_add_text(ret, ".SH FILES\n" DEFAULT_FILE
	                            "\n.SH SEE ALSO\n.BR hearthd (8),\n.BR hearth (1)\n");
}
