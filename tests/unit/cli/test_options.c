/* SPDX-License-Identifier: Apache-2.0 */
/* Recognition of options (hub-jobs-api 10.1), and the command table itself. */
#include "../unit.h"

#include "base/memory.h"
#include "cli/command.h"
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row table[] = {
        {"env", 'e', OPTION_TEXT, "TEXT"},
        {"label", 'l', OPTION_TEXT, "TEXT"},
        {"detach", 'd', OPTION_FLAG},
        {"limit", 0, OPTION_INTEGER, "N"},
        {"quiet", 'q', OPTION_FLAG, .only_first = true},
        {0},
};

#define MAX_WORDS 16

struct parsed {
	char *argv[MAX_WORDS];
	struct options options;
	struct error err;
	int rc;
};

static void parse(struct parsed *p, bool passes_unknown, const char *line)
{
	int argc = 0;
	*p = (struct parsed){.err = ERROR_INIT};
	char *copy = xstrdup(line), *rest = copy, *word;
	while ((word = strsep(&rest, " ")))
		p->argv[argc++] = xstrdup(word);
	free(copy);
	p->rc = options_parse(table, passes_unknown, argc, p->argv, &p->options, &p->err);
}

static void parsed_clear(struct parsed *p)
{
	if (p->rc == 0)
		options_clear(&p->options);
	for (size_t i = 0; i < MAX_WORDS; i++)
		free(p->argv[i]);
}

static void assert_arguments(const struct parsed *p, const char *expected)
{
	char text[512] = "";
	for (size_t i = 0; i < p->options.n_arguments; i++) {
		size_t n = strlen(text);
		(void)snprintf(text + n, sizeof(text) - n, "%s%s", i ? " " : "",
		               p->options.arguments[i]);
	}
	assert_string_equal(text, expected);
}

static void known_options_are_found_behind_arguments(void **state)
{
	struct parsed p;
	parse(&p, true, "ubuntu ls -la");
	assert_int_equal(p.rc, 0);
	assert_arguments(&p, "ubuntu ls");
	assert_string_equal(options_text(&p.options, "label"), "a");
	parsed_clear(&p);
	parse(&p, true, "img ls -d");
	assert_true(options_flag(&p.options, "detach"));
	parsed_clear(&p);
}

static void unknown_options_are_arguments(void **state)
{
	struct parsed p;
	parse(&p, true, "img -xdy --long=5 -u -- -la --env");
	assert_int_equal(p.rc, 0);
	assert_arguments(&p, "img -xy --long=5 -u -la --env");
	assert_true(options_flag(&p.options, "detach"));
	assert_false(options_flag(&p.options, "label"));
	parsed_clear(&p);
}

static void unknown_options_are_errors_elsewhere(void **state)
{
	struct parsed p;
	parse(&p, false, "--nope=1 x");
	assert_int_equal(p.rc, -1);
	assert_string_equal(p.err.text, "No such option: --nope");
	parsed_clear(&p);
	parse(&p, false, "-dz");
	assert_string_equal(p.err.text, "No such option: -z");
	parsed_clear(&p);
	parse(&p, false, "--det");
	assert_string_equal(p.err.text, "No such option: --det");
	parsed_clear(&p);
}

static void values_are_taken(void **state)
{
	struct parsed p;
	parse(&p, true, "--env=A=B -e C -eD -e --label x -e=F --env ");
	assert_int_equal(p.rc, 0);
	static const char *const expected[] = {"A=B", "C", "D", "--label", "=F", ""};
	assert_int_equal(options_count(&p.options, "env"), 6);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(options_each(&p.options, "env", i), expected[i]);
	assert_null(options_each(&p.options, "env", 6));
	assert_string_equal(options_text(&p.options, "env"), "");
	assert_arguments(&p, "x");
	parsed_clear(&p);
}

static void bad_values_are_errors(void **state)
{
	struct parsed p;
	parse(&p, true, "x --env");
	assert_string_equal(p.err.text, "Option '--env' requires an argument");
	parsed_clear(&p);
	parse(&p, true, "x -e");
	assert_string_equal(p.err.text, "Option '-e' requires an argument");
	parsed_clear(&p);
	parse(&p, true, "--detach=1");
	assert_string_equal(p.err.text, "Option '--detach' does not take a value");
	parsed_clear(&p);
	parse(&p, true, "--limit 1x");
	assert_string_equal(p.err.text, "Invalid value for '--limit': '1x' is not a valid integer");
	parsed_clear(&p);
	parse(&p, true, "--limit -5");
	assert_int_equal(options_integer(&p.options, "limit", 7), -5);
	parsed_clear(&p);
}

static void some_options_stand_first_only(void **state)
{
	struct parsed p;
	parse(&p, true, "-q img grep -q x");
	assert_int_equal(options_count(&p.options, "quiet"), 1);
	assert_arguments(&p, "img grep -q x");
	parsed_clear(&p);
	parse(&p, true, "img -qd");
	assert_arguments(&p, "img -q");
	assert_true(options_flag(&p.options, "detach"));
	parsed_clear(&p);
}

static const struct command *find(const char *line, int *ret_words)
{
	static char copy[256];
	char *argv[MAX_WORDS];
	int argc = 0;
	(void)snprintf(copy, sizeof(copy), "%s", line);
	char *rest = copy, *word;
	while ((word = strsep(&rest, " ")))
		argv[argc++] = word;
	return command_find(argc, argv, ret_words);
}

static void commands_are_found_by_name_and_alias(void **state)
{
	static const struct {
		const char *line, *name;
		int words;
	} cases[] = {
	        {"run img x", "run", 1},
	        {"jobs run img", "run", 2},
	        {"ls -a", "ps", 1},
	        {"jobs list", "ps", 2},
	        {"uv run x", "uv run", 2},
	        {"jobs uv run x", "uv run", 3},
	        {"image list", "image ls", 2},
	        {"admin token rm a b", "admin token revoke", 3},
	        {"images", "image ls", 1},
	};
	int words;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct command *c = find(cases[i].line, &words);
		assert_non_null(c);
		assert_string_equal(c->name, cases[i].name);
		assert_int_equal(words, cases[i].words);
	}
	assert_null(find("nope", &words));
	assert_int_equal(words, 0);
	assert_null(find("admin user nope", &words));
	assert_int_equal(words, 2);
	assert_null(find("jobs", &words));
	assert_int_equal(words, 1);
}

static void the_table_is_complete(void **state)
{
	for (const struct command *c = commands; c->name; c++) {
		assert_non_null(c->run);
		assert_true(c->summary && *c->summary && c->group && c->arguments);
		bool has_help = false;
		for (const struct option_row *row = c->options; row->name; row++) {
			assert_true(row->help && *row->help);
			assert_true((row->kind == OPTION_FLAG) == (row->value == NULL));
			has_help = has_help || strcmp(row->name, "help") == 0;
			for (const struct option_row *other = c->options; other < row; other++) {
				assert_string_not_equal(other->name, row->name);
				if (row->letter)
					assert_int_not_equal(other->letter, row->letter);
			}
		}
		assert_true(has_help);
		for (const struct command *other = commands; other < c; other++)
			assert_string_not_equal(other->name, c->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(known_options_are_found_behind_arguments),
	        cmocka_unit_test(unknown_options_are_arguments),
	        cmocka_unit_test(unknown_options_are_errors_elsewhere),
	        cmocka_unit_test(values_are_taken),
	        cmocka_unit_test(bad_values_are_errors),
	        cmocka_unit_test(some_options_stand_first_only),
	        cmocka_unit_test(commands_are_found_by_name_and_alias),
	        cmocka_unit_test(the_table_is_complete),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
