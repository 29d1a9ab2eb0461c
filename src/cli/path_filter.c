/* SPDX-License-Identifier: Apache-2.0 */
/* Shell patterns over whole paths: '*' matches slashes, too. */
#include "cli/path_filter.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/input_file.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

#define FILE_MAX (1u << 20)

struct rule {
	bool is_include;
	char *pattern;
};

struct path_filter {
	struct rule *rules; /* of the file, then --exclude, then --include */
	size_t count;
	bool has_include; /* an --include */
};

/* Backslashes are separators, as in `hf`: nothing is quoted in patterns. */
static void add_rule(struct path_filter *filter, bool is_include, const char *pattern, size_t len)
{
	struct rule rule = {is_include, xstrndup(pattern, len)};
	for (char *c = rule.pattern; *c; c++)
		*c = *c == '\\' ? '/' : *c;
	filter->rules = xrealloc(filter->rules, (filter->count + 1) * sizeof rule);
	filter->rules[filter->count++] = rule;
}

static void add_line(struct path_filter *filter, const char *line, size_t len)
{
	while (len > 0 && isspace((unsigned char)*line))
		line++, len--;
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	if (len == 0 || *line == '#')
		return;
	bool is_include = *line != '-';
	if (*line == '+' || *line == '-') {
		do
			line++, len--;
		while (len > 0 && isspace((unsigned char)*line));
	}
	add_rule(filter, is_include, line, len);
}

static int add_file(struct path_filter *filter, const char *path, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(FILE_MAX);
	if (input_file_read(path, &text, err) < 0)
		return error_prefix(err, "--filter-from");
	for (const char *line = buffer_text(&text); *line;) {
		size_t len = strcspn(line, "\n");
		add_line(filter, line, len);
		line += len + (line[len] == '\n');
	}
	return 0;
}

int path_filter_new(const struct options *options, bool has_file, struct path_filter **ret,
                    struct error *err)
{
	struct path_filter *filter = xcalloc(1, sizeof *filter);
	const char *file = has_file ? options_text(options, "filter-from") : NULL;
	const char *pattern;
	if (file && add_file(filter, file, err) < 0) {
		path_filter_free(filter);
		return -1;
	}
	for (size_t i = 0; (pattern = options_each(options, "exclude", i)); i++)
		add_rule(filter, false, pattern, strlen(pattern));
	for (size_t i = 0; (pattern = options_each(options, "include", i)); i++) {
		add_rule(filter, true, pattern, strlen(pattern));
		filter->has_include = true;
	}
	*ret = filter;
	return 0;
}

void path_filter_free(struct path_filter *filter)
{
	if (!filter)
		return;
	for (size_t i = 0; i < filter->count; i++)
		free(filter->rules[i].pattern);
	free(filter->rules);
	free(filter);
}

bool path_filter_matches(const struct path_filter *filter, const char *path)
{
	for (size_t i = 0; i < filter->count; i++)
		if (fnmatch(filter->rules[i].pattern, path, FNM_NOESCAPE) == 0)
			return filter->rules[i].is_include;
	return !filter->has_include;
}
