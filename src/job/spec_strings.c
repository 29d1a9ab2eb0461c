/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes arguments and environment of the process. The kernel's limits are checked here: past
 * them the job could only fail when it starts, with "Argument list too long".
 */
#include "job/spec_fields.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int spec_check_strings(const json_t *array, const char *field, bool may_be_empty,
                              struct error *err)
{
	size_t i;
	json_t *item;

	json_array_foreach((json_t *)(uintptr_t)array, i, item)
	{
		if (!json_is_string(item))
			return fail(err, E_INVALID, "%s[%zu] must be a string", field, i);
		if (!may_be_empty && json_string_length(item) == 0)
			return fail(err, E_INVALID, "%s[%zu] must not be empty", field, i);
		if (strlen(json_string_value(item)) != json_string_length(item))
			return fail(err, E_INVALID, "%s[%zu] must not contain a NUL character",
			            field, i);
		if (json_string_length(item) > SPEC_STRING_MAX)
			return fail(err, E_INVALID, "%s[%zu] is longer than %d bytes", field, i,
			            SPEC_STRING_MAX);
	}
	return 0;
}

int spec_add_command(json_t *body, json_t *ret_body, struct error *err)
{
	json_t *command = spec_member(body, "command"), *arguments = spec_member(body, "arguments");

	if (command && (!json_is_array(command) || json_array_size(command) == 0))
		return fail(
		        err, E_INVALID,
		        "command must be an array of at least one string; leave it out for that of "
		        "the image");
	if (arguments && !json_is_array(arguments))
		return fail(err, E_INVALID, "arguments must be an array of strings");
	if (spec_check_strings(command, "command", false, err) < 0 ||
	    spec_check_strings(arguments, "arguments", true, err) < 0)
		return -1;
	if (command)
		json_object_set(ret_body, "command", command);
	json_object_set_new(ret_body, "arguments",
	                    arguments ? json_incref(arguments) : json_array());
	return 0;
}

static bool variable_name_is_valid(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_')
			return false;
	return true;
}

/* The shortest text that reads as the same number: 0.1, not 0.1000000000000000055. */
static json_t *variable_from_real(double value)
{
	char text[64];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return json_string(text);
}

/* NULL: of a type that has no text. */
static json_t *variable_to_string(json_t *value)
{
	char text[32];

	switch (json_typeof(value)) {
	case JSON_STRING:
		return json_incref(value);
	case JSON_INTEGER:
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
		return json_string(text);
	case JSON_REAL:
		return variable_from_real(json_real_value(value));
	case JSON_TRUE:
		return json_string("true");
	case JSON_FALSE:
		return json_string("false");
	default:
		return NULL;
	}
}

static int variable_add(json_t *variables, const char *field, const char *name, json_t *value,
                        struct error *err)
{
	char shown[SPEC_SHOWN_SIZE];
	json_t *text;

	if (!variable_name_is_valid(name))
		return fail(
		        err, E_INVALID,
		        "%s: the name \"%s\" must be letters, digits and '_', not beginning with a "
		        "digit",
		        field, spec_shown(name, shown));
	text = variable_to_string(value);
	if (!text)
		return fail(err, E_INVALID, "%s.%s must be a string, a number or a boolean, not %s",
		            field, spec_shown(name, shown),
		            json_is_null(value)    ? "null"
		            : json_is_array(value) ? "an array"
		                                   : "an object");
	json_object_set_new(variables, name, text);
	if (strlen(json_string_value(text)) != json_string_length(text))
		return fail(err, E_INVALID, "%s.%s must not contain a NUL character", field,
		            spec_shown(name, shown));
	if (strlen(name) + 1 + json_string_length(text) > SPEC_STRING_MAX)
		return fail(
		        err, E_INVALID,
		        "%s.%s is longer than %d bytes, the most that Linux takes for one variable",
		        field, spec_shown(name, shown), SPEC_STRING_MAX);
	return 0;
}

int spec_read_variables(json_t *body, const char *field, json_t **ret, struct error *err)
{
	json_t *object = spec_member(body, field);
	json_t *variables;
	const char *name;
	json_t *value;

	if (object && !json_is_object(object))
		return fail(err, E_INVALID, "%s must be an object of strings", field);
	variables = json_object();
	json_object_foreach(object, name, value)
	{
		if (variable_add(variables, field, name, value, err) < 0) {
			json_decref(variables);
			return -1;
		}
	}
	*ret = variables;
	return 0;
}

static size_t spec_measure_array(const json_t *array)
{
	size_t i, total = 0;
	json_t *item;

	json_array_foreach((json_t *)(uintptr_t)array, i, item) total +=
	        json_string_length(item) + 1 + sizeof(char *);
	return total;
}

static size_t spec_measure_object(const json_t *object)
{
	size_t total = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value) total +=
	        strlen(name) + json_string_length(value) + 2 + sizeof(char *);
	return total;
}

int spec_check_total(const json_t *body, const json_t *secrets, struct error *err)
{
	size_t total = spec_measure_array(json_object_get(body, "command")) +
	               spec_measure_array(json_object_get(body, "arguments")) +
	               spec_measure_object(json_object_get(body, "environment")) +
	               spec_measure_object(secrets);

	if (total > SPEC_STRINGS_MAX)
		return fail(err, E_INVALID,
		            "command, arguments, environment and secrets have %zu bytes together; "
		            "Linux "
		            "takes at most %d",
		            total, SPEC_STRINGS_MAX);
	return 0;
}

static bool is_shell(const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;

	return strcmp(name, "sh") == 0 || strcmp(name, "bash") == 0 || strcmp(name, "dash") == 0 ||
	       strcmp(name, "zsh") == 0;
}

/* `pip install torch>=2.1` writes a file "=2.1" and installs whatever version there is. */
static const char *find_redirection(const char *script)
{
	char quote = '\0';

	for (const char *c = script; *c; c++) {
		if (*c == '\\' && quote != '\'' && c[1])
			c++;
		else if (quote)
			quote = *c == quote ? '\0' : quote;
		else if (*c == '\'' || *c == '"')
			quote = *c;
		else if (c > script && c[0] == '>' && c[1] == '=' && isdigit((unsigned char)c[2]) &&
		         (isalnum((unsigned char)c[-1]) || c[-1] == ']' || c[-1] == ' '))
			return c;
	}
	return NULL;
}

void spec_warn_redirection(const json_t *command, char *ret, size_t size)
{
	const char *program = json_string_value(json_array_get(command, 0));
	const char *option = json_string_value(json_array_get(command, 1));
	const char *script = json_string_value(json_array_get(command, 2));
	const char *at;

	*ret = '\0';
	if (!program || !option || !script || !is_shell(program) || option[0] != '-' ||
	    !strchr(option, 'c'))
		return;
	at = find_redirection(script);
	if (at)
		snprintf(ret, size,
		         "the shell reads \">%.*s\" as a redirection into a file; put the "
		         "requirement in "
		         "quotes",
		         (int)(1 + strspn(at + 2, "0123456789.")), at + 1);
}
