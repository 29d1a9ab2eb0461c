/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: reading, setting, origins. What they are is in configuration_table.c, what depends on
 * the machine in configuration_finish.c, how they are shown in configuration_print.c. */
#include "base/configuration_table.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PRICE_MAX_USD 1000000

bool setting_is_named(const struct setting *setting)
{
	return !strcmp(setting->section, "flavor") || !strcmp(setting->section, "registry");
}

const char *configuration_origin_of(const struct configuration *c, const char *section,
                                    const char *key)
{
	for (const struct configuration_origin *o = c->origins; o; o = o->next)
		if (!strcmp(o->section, section) && !strcmp(o->key, key))
			return o->where;
	return "default";
}

static void note_origin(struct configuration *c, const char *section, const char *key,
                        const char *where)
{
	for (struct configuration_origin *o = c->origins; o; o = o->next) {
		if (!strcmp(o->section, section) && !strcmp(o->key, key)) {
			free(o->where);
			o->where = xstrdup(where);
			return;
		}
	}
	struct configuration_origin *o = xcalloc(1, sizeof(*o));
	o->section = xstrdup(section);
	o->key = xstrdup(key);
	o->where = xstrdup(where);
	o->next = c->origins;
	c->origins = o;
}

static void free_list(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

static char **split_list(const char *text)
{
	char **list = xcalloc(strlen(text) + 2, sizeof(*list));
	size_t n = 0;
	while (*text) {
		size_t len = strcspn(text, ",");
		const char *next = text + len + (text[len] == ',');
		while (len > 0 && isspace((unsigned char)*text)) {
			text++;
			len--;
		}
		while (len > 0 && isspace((unsigned char)text[len - 1]))
			len--;
		if (len > 0)
			list[n++] = xstrndup(text, len);
		text = next;
	}
	return list;
}

static int parse_boolean(const char *text, const char *what, bool *ret, struct error *err)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*ret = i % 2 == 1;
			return 0;
		}
	}
	return fail(err, E_INVALID, "%s: \"%.60s\" is neither yes nor no", what, text);
}

static int parse_integer(const char *text, const char *what, int64_t *ret, struct error *err)
{
	char *end;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (end == text || *end || errno)
		return fail(err, E_INVALID, "%s: \"%.60s\" is not a whole number", what, text);
	*ret = value;
	return 0;
}

static int parse_number(const struct setting *setting, const char *text, int64_t *ret,
                        struct error *err)
{
	int64_t value = 0;
	int rc = 0;
	if (setting->has_auto && !strcmp(text, "auto"))
		rc = 0;
	else if (setting->type == SETTING_INTEGER)
		rc = parse_integer(text, setting->key, &value, err);
	else if (setting->type == SETTING_SECONDS)
		rc = quantity_parse_seconds(text, setting->key, &value, err);
	else if (setting->type == SETTING_BYTES)
		rc = quantity_parse_bytes(text, setting->key, &value, err);
	else if (setting->type == SETTING_MILLIS)
		rc = quantity_parse_millis(text, setting->key, &value, err);
	else
		rc = quantity_parse_usd(text, setting->key, PRICE_MAX_USD, &value, err);
	if (rc < 0)
		return -1;
	if (value < setting->min)
		return fail(err, E_INVALID, "%s: must be at least %lld", setting->key,
		            (long long)setting->min);
	*ret = value;
	return 0;
}

static int check_choice(const struct setting *setting, const char *text, struct error *err)
{
	size_t len = strlen(text);
	for (const char *p = setting->choices; p && *p;) {
		size_t word = strcspn(p, " ");
		if (word == len && !strncmp(p, text, len))
			return 0;
		p += word + (p[word] == ' ');
	}
	return setting->choices ? fail(err, E_INVALID, "%s: \"%.60s\" is not one of: %s",
	                               setting->key, text, setting->choices)
	                        : 0;
}

/* A value must survive effective.ini: see print_text() and what inih takes for a comment. */
static int check_text(const struct setting *setting, const char *text, struct error *err)
{
	size_t piece = 0;
	char before = ',', before_blanks = '\0';
	for (const char *p = text; *p; p++) {
		bool is_blank = *p == ' ' || *p == '\t';
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return fail(err, E_INVALID, "%s: a control character is not allowed",
			            setting->key);
		if ((*p == ';' && strchr(", \t", before)) || (*p == '#' && before_blanks == ','))
			return fail(err, E_INVALID, "%s: \"%c\" begins a comment where it stands",
			            setting->key, *p);
		piece = *p == ',' ? 0 : piece + 1;
		if (piece >= CONFIGURATION_LINE_MAX)
			return fail(err, E_INVALID, "%s: longer than %d bytes without a comma",
			            setting->key, CONFIGURATION_LINE_MAX - 1);
		before = *p;
		if (!is_blank)
			before_blanks = *p;
	}
	return 0;
}

static int set_value(const struct setting *setting, void *object, const char *text,
                     struct error *err)
{
	void *place = (char *)object + setting->offset;
	if (check_text(setting, text, err) < 0)
		return -1;
	if (setting->type == SETTING_TEXT) {
		if (check_choice(setting, text, err) < 0)
			return -1;
		free(*(char **)place);
		*(char **)place = *text ? xstrdup(text) : NULL;
		return 0;
	}
	if (setting->type == SETTING_LIST) {
		free_list(*(char ***)place);
		*(char ***)place = split_list(text);
		return 0;
	}
	if (setting->type == SETTING_BOOLEAN)
		return parse_boolean(text, setting->key, place, err);
	return parse_number(setting, text, place, err);
}

struct configuration *configuration_new(void)
{
	struct configuration *c = xcalloc(1, sizeof(*c));
	struct error err = ERROR_INIT;
	for (const struct setting *s = configuration_table; s->section; s++)
		if (s->fallback && set_value(s, c, s->fallback, &err) < 0)
			BUG("default of %s.%s: %s", s->section, s->key, err.text);
	return c;
}

/* Release what the rows of `section` point to. */
static void clear_values(const char *section, void *object)
{
	for (const struct setting *s = configuration_table; s->section; s++) {
		if (section ? strcmp(s->section, section) != 0 : setting_is_named(s))
			continue;
		void *place = (char *)object + s->offset;
		if (s->type == SETTING_TEXT)
			free(*(char **)place);
		else if (s->type == SETTING_LIST)
			free_list(*(char ***)place);
	}
}

void configuration_free(struct configuration *c)
{
	if (!c)
		return;
	clear_values(NULL, c);
	for (size_t i = 0; i < c->n_flavors; i++) {
		clear_values("flavor", &c->flavors[i]);
		free(c->flavors[i].name);
	}
	for (size_t i = 0; i < c->n_registries; i++) {
		clear_values("registry", &c->registries[i]);
		free(c->registries[i].host);
	}
	free(c->flavors);
	free(c->registries);
	while (c->origins) {
		struct configuration_origin *o = c->origins;
		c->origins = o->next;
		free(o->section);
		free(o->key);
		free(o->where);
		free(o);
	}
	free(c);
}

static struct flavor *flavor_make(struct configuration *c, const char *name)
{
	struct flavor *flavor = (struct flavor *)configuration_flavor(c, name);
	if (flavor)
		return flavor;
	c->flavors = xrealloc(c->flavors, (c->n_flavors + 1) * sizeof(*c->flavors));
	flavor = &c->flavors[c->n_flavors++];
	*flavor = (struct flavor){.name = xstrdup(name), .device_shares = 1};
	return flavor;
}

static struct registry *registry_make(struct configuration *c, const char *host)
{
	struct registry *registry = (struct registry *)configuration_registry(c, host);
	if (registry)
		return registry;
	c->registries = xrealloc(c->registries, (c->n_registries + 1) * sizeof(*c->registries));
	registry = &c->registries[c->n_registries++];
	*registry = (struct registry){.host = xstrdup(host)};
	return registry;
}

static bool name_is_valid(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && len < 64 && isalnum((unsigned char)name[0]) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-") ==
	               len;
}

static int unknown_key(const char *base, const char *section, const char *key, struct error *err)
{
	autobuffer struct buffer known = BUFFER_INIT(4096);
	for (const struct setting *s = configuration_table; s->section; s++)
		if (!strcmp(s->section, base))
			(void)buffer_printf(&known, "%s%s", known.len ? ", " : "", s->key);
	return fail(err, E_INVALID, "unknown setting \"%.60s\" in section [%.60s]; known are %s",
	            key, section, buffer_text(&known));
}

static int unknown_section(const char *section, struct error *err)
{
	autobuffer struct buffer known = BUFFER_INIT(4096);
	const char *last = "";
	for (const struct setting *s = configuration_table; s->section; s++) {
		if (strcmp(s->section, last) != 0)
			(void)buffer_printf(&known, "%s[%s%s]", known.len ? ", " : "", s->section,
			                    !setting_is_named(s)            ? ""
			                    : !strcmp(s->section, "flavor") ? " NAME"
			                                                    : " HOST");
		last = s->section;
	}
	return fail(err, E_INVALID, "unknown section [%.60s]; known are %s", section,
	            buffer_text(&known));
}

/* "flavor big" is split in place into "flavor" and "big". */
static int find_setting(const char *section, const char *key, const struct setting **ret,
                        const char **ret_name, struct error *err)
{
	size_t len = strcspn(section, " ");
	autofree char *base = xstrndup(section, len);
	const char *name = section + len + strspn(section + len, " ");
	bool is_known = false;
	for (const struct setting *s = configuration_table; s->section; s++) {
		if (strcmp(s->section, base) != 0 || setting_is_named(s) != (*name != '\0'))
			continue;
		is_known = true;
		if (strcmp(s->key, key) != 0)
			continue;
		*ret = s;
		*ret_name = name;
		return 0;
	}
	return is_known ? unknown_key(base, section, key, err) : unknown_section(section, err);
}

int configuration_set(struct configuration *c, const char *section, const char *key,
                      const char *value, const char *origin, struct error *err)
{
	const struct setting *setting = NULL;
	const char *name = NULL;
	void *object = c;
	if (find_setting(section, key, &setting, &name, err) < 0)
		return error_prefix(err, "%s", origin);
	if (setting_is_named(setting)) {
		if (!name_is_valid(name)) {
			fail(err, E_INVALID, "\"%.60s\" is not a valid name of a section", name);
			return error_prefix(err, "%s", origin);
		}
		object = !strcmp(setting->section, "flavor") ? (void *)flavor_make(c, name)
		                                             : (void *)registry_make(c, name);
	}
	if (set_value(setting, object, value, err) < 0)
		return error_prefix(err, "%s", origin);
	note_origin(c, section, key, origin);
	return 0;
}

const struct flavor *configuration_flavor(const struct configuration *c, const char *name)
{
	for (size_t i = 0; i < c->n_flavors; i++)
		if (!strcmp(c->flavors[i].name, name))
			return &c->flavors[i];
	return NULL;
}

const struct registry *configuration_registry(const struct configuration *c, const char *host)
{
	for (size_t i = 0; i < c->n_registries; i++)
		if (!strcmp(c->registries[i].host, host))
			return &c->registries[i];
	return NULL;
}
