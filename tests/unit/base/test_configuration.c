/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: errors that name file and line, origins, and a print that can be read again. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/configuration.h"
#include "base/memory.h"

#include <string.h>

#define PATH "/tmp/hearth-test-conf"

static int read_text(struct configuration *c, const char *text, struct error *err)
{
	autofree char *path = xasprintf(PATH "-%d", (int)getpid());
	autofile FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0, 1);
	assert_int_equal(fflush(file), 0);
	int rc = configuration_read_file(c, path, err);
	(void)unlink(path);
	return rc;
}

static void check_refused(const char *text, const char *line, const char *words)
{
	struct configuration *c = configuration_new();
	struct error err = ERROR_INIT;
	int rc = read_text(c, text, &err);
	if (rc == 0)
		rc = configuration_finish(c, &err);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, E_INVALID);
	autofree char *where = xasprintf(PATH "-%d:%s: ", (int)getpid(), line);
	if ((*line && !strstr(err.text, where)) || !strstr(err.text, words))
		fail_msg("\"%s\" lacks \"%s\" or \"%s\"", err.text, where, words);
	configuration_free(c);
}

static void defaults(void **state)
{
	struct configuration *c = configuration_new();
	struct error err = ERROR_INIT;
	assert_string_equal(c->state_dir, "/var/lib/hearth");
	assert_string_equal(c->listen[0], "0.0.0.0:7440");
	assert_null(c->listen[1]);
	assert_int_equal(c->default_timeout_s, 1800);
	assert_int_equal(c->max_timeout_s, 30 * 86400);
	assert_int_equal(c->log_limit_bytes, 1LL << 30);
	assert_int_equal(c->layer_max_bytes, 64LL << 30);
	assert_int_equal(c->first_id, 1073741824);
	assert_true(c->storage_limits);
	assert_null(c->public_url);
	assert_int_equal(c->cpu_millis, 0);
	assert_int_equal(configuration_finish(c, &err), 0);
	assert_true(c->cpu_millis >= 1000);
	const struct flavor *basic = configuration_flavor(c, "cpu-basic");
	assert_non_null(basic);
	assert_ptr_equal(basic, &c->flavors[0]);
	assert_int_equal(basic->price_micro_usd_hour, 10000);
	assert_int_equal(flavor_price_per_minute(basic), 167);
	assert_true(basic->cpu_millis <= c->cpu_millis && basic->cpu_millis <= 2000);
	assert_true(basic->memory_bytes <= c->memory_bytes);
	configuration_free(c);
}

static void flavors_by_size_of_the_machine(void **state)
{
	struct configuration *c = configuration_new();
	struct error err = ERROR_INIT;
	assert_int_equal(read_text(c,
	                           "[scheduler]\ncpus = 16\nmemory = 130G\n[flavor cpu-basic]\n"
	                           "vcpu=1\nmemory=1G\n[flavor half]\nvcpu=0.5\nmemory=512M\n"
	                           "price_per_hour = 0.60\npretty_name = Half a core\n",
	                           &err),
	                 0);
	assert_int_equal(configuration_finish(c, &err), 0);
	assert_int_equal(configuration_flavor(c, "cpu-basic")->cpu_millis, 1000);
	assert_string_equal(configuration_flavor(c, "cpu-basic")->pretty_name, "cpu-basic");
	assert_int_equal(configuration_flavor(c, "half")->price_micro_usd_hour, 600000);
	assert_non_null(configuration_flavor(c, "cpu-upgrade"));
	assert_non_null(configuration_flavor(c, "cpu-xl"));
	assert_null(configuration_flavor(c, "cpu-performance"));
	configuration_free(c);

	struct configuration *small = configuration_new();
	assert_int_equal(read_text(small, "[scheduler]\ncpus = 1\nmemory = 2G\n", &err), 0);
	assert_int_equal(configuration_finish(small, &err), 0);
	assert_int_equal(small->n_flavors, 1);
	assert_int_equal(small->flavors[0].cpu_millis, 1000);
	assert_int_equal(small->flavors[0].memory_bytes, 2LL << 30);
	configuration_free(small);
}

/* What effective.ini could not carry to monitors and pulls is refused, from the command line too.
 */
static void values_survive_printing(void **state)
{
	static const struct {
		const char *value, *sentence;
	} bad[] = {
	        {"a\nb", "no_proxy: a control character is not allowed"},
	        {"a ;b", "no_proxy: \";\" begins a comment where it stands"},
	        {";b", "no_proxy: \";\" begins a comment where it stands"},
	        {"a, #b", "no_proxy: \"#\" begins a comment where it stands"},
	};
	struct configuration *c = configuration_new();
	struct error err = ERROR_INIT;
	autofree char *fits = xasprintf("%0159d,%0159d,b;c#d", 1, 2);
	autofree char *longer = xasprintf("a,%0160d", 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		        configuration_set(c, "container", "no_proxy", bad[i].value, "--set", &err),
		        -1);
		assert_non_null(strstr(err.text, bad[i].sentence));
	}
	assert_int_equal(configuration_set(c, "container", "no_proxy", longer, "--set", &err), -1);
	assert_non_null(strstr(err.text, "longer than 159 bytes without a comma"));
	assert_int_equal(configuration_set(c, "container", "no_proxy", fits, "--set", &err), 0);
	assert_int_equal(configuration_finish(c, &err), 0);
	autobuffer struct buffer text = BUFFER_INIT(1 << 20);
	assert_int_equal(configuration_print(c, false, &text), 0);
	struct configuration *again = configuration_new();
	assert_int_equal(read_text(again, buffer_text(&text), &err), 0);
	assert_string_equal(again->no_proxy, fits);
	configuration_free(again);
	configuration_free(c);
}

static void errors_name_the_place(void **state)
{
	check_refused("[jobs]\n\n# c\ntimeout = 5m\n", "4",
	              "unknown setting \"timeout\" in section [jobs]; known are default_timeout, "
	              "max_timeout, grace, log_limit, total_log_limit, max_queued");
	check_refused("[job]\ngrace = 5\n", "2",
	              "unknown section [job]; known are [server], [auth]");
	check_refused("[flavor]\nvcpu = 5\n", "2", "unknown section [flavor]");
	check_refused("[jobs x]\ngrace = 5\n", "2", "unknown section [jobs x]");
	check_refused("[server]\nlisten = a:1\n[jobs]\ngrace = soon\n", "4",
	              "grace: \"soon\" is not a duration");
	check_refused("[jobs]\nmax_queued = 0\n", "2", "at least 1");
	check_refused("[flavor x]\nprice_per_hour = -0.01\n", "2",
	              "price_per_hour: \"-0.01\" is negative");
	check_refused("[flavor x]\nprice_per_hour = 1000000.01\n", "2",
	              "price_per_hour: \"1000000.01\" is too much; at most 1000000 USD");
	check_refused("[billing]\nmonthly_budget = 99999999999999999999\n", "2",
	              "monthly_budget: \"99999999999999999999\" is too much");
	check_refused("[billing]\nmonthly_budget = 1e3\n", "2",
	              "monthly_budget: \"1e3\" is not an amount in USD");
	check_refused("[jobs]\nmax_queued = 7x\n", "2", "not a whole number");
	check_refused("[container]\nstorage_limits = maybe\n", "2", "neither yes nor no");
	check_refused("[server]\nlog_level = loud\n", "2", "not one of: error warning info debug");
	check_refused("[flavor a]\nvcpu = x\n", "2", "vcpu: \"x\" is not a number");
	check_refused("[flavor a/b]\nvcpu = 1\n", "2", "not a valid name");
	check_refused("[flavor a]\nvcpu = 1\nmemory = 1G\n\n[flavor b]\nvcpu = 1\n[flavor a]\n",
	              "7", "[flavor a] stands in line 1 already; write it once");
	check_refused("[server]\nthis is no setting\n", "2", "neither a section");
	check_refused("[server\nuser = x\n", "1", "neither a section");
	autofree char *longest = xasprintf("[network]\ndeny = %0300d\n", 1);
	check_refused(longest, "2", "too long");
	/* Combinations have no line. */
	check_refused("[server]\ntls_key = x\n", "", "tls_certificate is missing");
	check_refused("[jobs]\ndefault_timeout = 2d\nmax_timeout = 1d\n", "", "default_timeout");
	check_refused("[scheduler]\ncpus = 2\n[flavor big]\nvcpu = 4\nmemory = 1M\n", "",
	              "could never run");
	check_refused("[flavor half]\nvcpu = 1\n", "", "[flavor half]: memory is missing");
	static const char *const kinds[] = {"/dev/fuse", "fuse", "lab.example/fuse=0",
	                                    "2 lab.example/fuse", "lab.example/"};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		autofree char *text =
		        xasprintf("[flavor x]\nvcpu = 1\nmemory = 1M\ndevices = %s\n", kinds[i]);
		check_refused(text, "", "must be VENDOR/CLASS as CDI names it");
	}
	check_refused("[flavor x]\nvcpu = 1\nmemory = 1M\nallow = bob alice\n", "",
	              "[flavor x]: allow: \"bob alice\" is not the name");
	check_refused("[devices]\ncdi_dirs = /etc/cdi, cdi\n", "",
	              "[devices] cdi_dirs: \"cdi\" must begin with /");
	check_refused("[network]\nsubnet = 10.0.0.0\n", "", "subnet");
	check_refused("[network]\nsubnet = 10.0.0.0/16x\n", "", "subnet");
	check_refused("[scheduler]\nmax_running = 9223372036854775807\n", "", "first_id");
	check_refused("[server]\npublic_url = hearth.example\n", "", "must begin with http");
	check_refused("[container]\nfirst_id = 4294000000\n", "", "first_id");
	struct configuration *c = configuration_new();
	struct error err = ERROR_INIT;
	assert_int_equal(configuration_read_file(c, "/nonexistent/x.conf", &err), -1);
	assert_int_equal(err.code, E_NOT_FOUND);
	assert_int_equal(configuration_set(c, "server", "port", "1", "--set", &err), -1);
	assert_memory_equal(err.text, "--set: unknown setting \"port\"", 29);
	configuration_free(c);
}

static const char rich[] = "; comment\n"
                           "[server]\n"
                           "listen = 127.0.0.1:1, [::1]:2 , unix:/run/x\n"
                           "public_url = https://jobs.example/\n"
                           "idle_timeout = 90\n"
                           "[jobs]\n"
                           "grace = 1.5m\n"
                           "log_limit = 1000\n"
                           "[scheduler]\n"
                           "cpus = 7.5\n"
                           "memory = 20G\n"
                           "[network]\n"
                           "deny = 10.0.0.0/8,\n"
                           "  192.168.0.0/16\n"
                           "  172.16.0.0/12\n"
                           "[flavor tiny]\n"
                           "vcpu = 0.25\n"
                           "memory = 100M\n"
                           "price_per_hour = 0.123\n"
                           "[registry docker.io]\n"
                           "mirror = localhost:5000/hub\n"
                           "plain_http = yes\n"
                           "[registry localhost:5000]\n"
                           "plain_http = on\n";

static void prints_what_can_be_read_again(void **state)
{
	struct error err = ERROR_INIT;
	struct configuration *c = configuration_new();
	if (read_text(c, rich, &err) < 0)
		fail_msg("%s", err.text);
	autobuffer struct buffer wide = BUFFER_INIT(4096);
	for (int i = 0; i < 100; i++)
		(void)buffer_printf(&wide, "%shost%d.example", i ? "," : "", i);
	assert_int_equal(
	        configuration_set(c, "container", "no_proxy", buffer_text(&wide), "--set", &err),
	        0);
	assert_int_equal(configuration_finish(c, &err), 0);
	assert_string_equal(c->deny, "10.0.0.0/8,192.168.0.0/16,172.16.0.0/12");
	assert_string_equal(c->listen[2], "unix:/run/x");
	assert_string_equal(c->public_url, "https://jobs.example");
	assert_int_equal(c->grace_s, 90);
	assert_true(configuration_registry(c, "localhost:5000")->is_plain);

	autobuffer struct buffer first = BUFFER_INIT(1 << 20), second = BUFFER_INIT(1 << 20);
	autobuffer struct buffer origins = BUFFER_INIT(1 << 20);
	assert_int_equal(configuration_print(c, false, &first), 0);
	assert_int_equal(configuration_print(c, true, &origins), 0);
	configuration_free(c);

	const struct buffer *texts[] = {&first, &origins};
	for (int i = 0; i < 2; i++) {
		struct configuration *again = configuration_new();
		if (read_text(again, texts[i]->data, &err) < 0 ||
		    configuration_finish(again, &err) < 0)
			fail_msg("%s", err.text);
		assert_string_equal(again->no_proxy, buffer_text(&wide));
		buffer_reset(&second);
		assert_int_equal(configuration_print(again, false, &second), 0);
		assert_string_equal(first.data, second.data);
		configuration_free(again);
	}
}

static void knows_origins(void **state)
{
	struct error err = ERROR_INIT;
	struct configuration *c = configuration_new();
	assert_int_equal(read_text(c, rich, &err), 0);
	assert_int_equal(configuration_set(c, "jobs", "grace", "3", "--set", &err), 0);
	autobuffer struct buffer text = BUFFER_INIT(1 << 20);
	assert_int_equal(configuration_print(c, true, &text), 0);
	autofree char *deny = xasprintf("# " PATH "-%d:13\ndeny = ", (int)getpid());
	autofree char *tiny = xasprintf("# " PATH "-%d:17\nvcpu = 0.250", (int)getpid());
	assert_non_null(strstr(text.data, deny));
	assert_non_null(strstr(text.data, tiny));
	assert_non_null(strstr(text.data, "# --set\ngrace = 3s\n"));
	assert_non_null(strstr(text.data, "# default\nbridge = hearth0\n"));
	configuration_free(c);
	autobuffer struct buffer manual = BUFFER_INIT(1 << 20);
	assert_int_equal(configuration_manual(&manual), 0);
	assert_non_null(strstr(manual.data, "\\fBspace_registry\\fR"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(defaults),
	        cmocka_unit_test(flavors_by_size_of_the_machine),
	        cmocka_unit_test(values_survive_printing),
	        cmocka_unit_test(errors_name_the_place),
	        cmocka_unit_test(prints_what_can_be_read_again),
	        cmocka_unit_test(knows_origins),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
