/* SPDX-License-Identifier: Apache-2.0 */
/* Prints listings of files. */
#include "cli/bucket_tree.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/table.h"
#include "cli/terminal.h"

#include <string.h>
#include <time.h>

#define DATE_SIZE 32

char *bucket_size_format(int64_t bytes, bool is_readable, char ret[BUCKET_SIZE_TEXT])
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
	double size = (double)bytes;
	size_t unit = 0;
	if (!is_readable) {
		(void)snprintf(ret, BUCKET_SIZE_TEXT, "%lld", (long long)bytes);
		return ret;
	}
	while (size >= 1000 && unit + 1 < sizeof units / sizeof *units) {
		size /= 1000;
		unit++;
	}
	(void)snprintf(ret, BUCKET_SIZE_TEXT, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
	return ret;
}

static const char *format_date(const json_t *entry, bool is_readable, char ret[DATE_SIZE])
{
	const char *text = json_get_text(entry, "mtime", json_get_text(entry, "uploadedAt", ""));
	int64_t ms = clock_parse_iso(text);
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	*ret = '\0';
	if (ms >= 0 && gmtime_r(&seconds, &tm))
		(void)strftime(ret, DATE_SIZE, is_readable ? "%b %d %H:%M" : "%Y-%m-%d %H:%M:%S",
		               &tm);
	return ret;
}

static bool is_folder(const json_t *entry)
{
	return strcmp(json_get_text(entry, "type", ""), "directory") == 0;
}

static void print_flat(const struct bucket_listing *listing, const json_t *entry)
{
	char size[BUCKET_SIZE_TEXT] = "", date[DATE_SIZE];
	autofree char *path = table_escape(json_get_text(entry, "path", ""));
	if (!is_folder(entry))
		bucket_size_format(json_get_int(entry, "size", 0), listing->is_readable, size);
	printf("%12s  %19s  %s%s\n", size, format_date(entry, listing->is_readable, date), path,
	       is_folder(entry) ? "/" : "");
}

/* A folder is {"children": {name: node}}, a file {"entry": …}. */
static json_t *build_nodes(const json_t *entries)
{
	json_t *root = json_object();
	size_t i;
	json_t *entry;
	json_array_foreach((json_t *)(uintptr_t)entries, i, entry)
	{
		json_t *folder = root;
		autofree char *path = xstrdup(json_get_text(entry, "path", ""));
		char *rest = path, *slash;
		while ((slash = strchr(rest, '/')) || is_folder(entry)) {
			if (slash)
				*slash = '\0';
			json_t *node = json_object_get(folder, rest);
			if (!json_object_get(node, "children")) {
				node = json_pack("{s:{}}", "children");
				(void)json_object_set_new(folder, rest, node);
			}
			folder = json_object_get(node, "children");
			if (!slash)
				break;
			rest = slash + 1;
		}
		if (!is_folder(entry))
			(void)json_object_set_new(folder, rest, json_pack("{s:O}", "entry", entry));
	}
	return root;
}

struct tree_print {
	const struct bucket_listing *listing;
	bool has_prefix, is_utf8;
	int size_width, date_width;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_prefix(const struct tree_print *print, const json_t *entry)
{
	char size[BUCKET_SIZE_TEXT] = "", date[DATE_SIZE] = "";
	if (!print->has_prefix)
		return;
	if (entry) {
		bucket_size_format(json_get_int(entry, "size", 0), print->listing->is_readable,
		                   size);
		format_date(entry, print->listing->is_readable, date);
	}
	printf("%*s  %-*s  ", print->size_width, size, print->date_width, date);
}

static void print_nodes(const struct tree_print *print, const json_t *nodes, const char *indent)
{
	size_t count = 0, size = json_object_size(nodes);
	autofree const char **names = xcalloc(size + 1, sizeof *names);
	const char *name;
	json_t *unused;
	json_object_foreach((json_t *)(uintptr_t)nodes, name, unused) names[count++] = name;
	qsort(names, count, sizeof *names, by_name);
	for (size_t i = 0; i < count; i++) {
		const json_t *node = json_object_get(nodes, names[i]);
		const json_t *children = json_object_get(node, "children");
		bool is_last = i + 1 == count;
		autofree char *shown = table_escape(names[i]);
		print_prefix(print, json_object_get(node, "entry"));
		printf("%s%s%s%s\n", indent,
		       print->is_utf8 ? (is_last ? "└── " : "├── ") : (is_last ? "`-- " : "|-- "),
		       shown, children ? "/" : "");
		autofree char *deeper = xasprintf("%s%s", indent,
		                                  is_last          ? "    "
		                                  : print->is_utf8 ? "│   "
		                                                   : "|   ");
		if (children)
			print_nodes(print, children, deeper);
	}
}

static void print_tree(const struct output *out, const struct bucket_listing *listing,
                       const json_t *entries)
{
	struct tree_print print = {.listing = listing, .is_utf8 = terminal_is_utf8()};
	autojson json_t *nodes = build_nodes(entries);
	size_t i;
	json_t *entry;
	json_array_foreach((json_t *)(uintptr_t)entries, i, entry)
	{
		char size[BUCKET_SIZE_TEXT], date[DATE_SIZE];
		if (is_folder(entry) || out->mode == OUTPUT_QUIET)
			continue;
		int size_width = (int)strlen(bucket_size_format(json_get_int(entry, "size", 0),
		                                                listing->is_readable, size));
		int date_width = (int)strlen(format_date(entry, listing->is_readable, date));
		print.size_width = size_width > print.size_width ? size_width : print.size_width;
		print.date_width = date_width > print.date_width ? date_width : print.date_width;
		print.has_prefix = true;
	}
	print_nodes(&print, nodes, "");
}

static json_t *json_row(const json_t *entry)
{
	json_t *row = json_pack("{s:O?, s:O?}", "type", json_object_get(entry, "type"), "path",
	                        json_object_get(entry, "path"));
	if (!is_folder(entry)) {
		(void)json_object_set(row, "size", json_object_get(entry, "size"));
		(void)json_object_set(row, "xet_hash", json_object_get(entry, "xetHash"));
		(void)json_object_set(row, "mtime", json_object_get(entry, "mtime"));
	}
	(void)json_object_set(row, "uploaded_at", json_object_get(entry, "uploadedAt"));
	return row;
}

static void print_json(const json_t *entries)
{
	autojson json_t *rows = json_array();
	size_t i;
	json_t *entry;
	json_array_foreach((json_t *)(uintptr_t)entries, i, entry)(void)
	        json_array_append_new(rows, json_row(entry));
	autofree char *text = json_dumps(rows, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	puts(text);
}

void bucket_listing_print(const struct output *out, const struct bucket_listing *listing,
                          const json_t *entries)
{
	bool has_folders = false;
	size_t i;
	json_t *entry;
	json_array_foreach((json_t *)(uintptr_t)entries, i, entry) has_folders |= is_folder(entry);
	if (json_array_size(entries) == 0 && out->mode != OUTPUT_JSON) {
		output_text(out, "(empty)");
		return;
	}
	if (listing->is_tree) {
		print_tree(out, listing, entries);
	} else if (out->mode == OUTPUT_JSON) {
		print_json(entries);
	} else if (out->mode == OUTPUT_QUIET) {
		json_array_foreach((json_t *)(uintptr_t)entries, i, entry)
		{
			autofree char *path = table_escape(json_get_text(entry, "path", ""));
			printf("%s%s\n", path, is_folder(entry) ? "/" : "");
		}
	} else {
		json_array_foreach((json_t *)(uintptr_t)entries, i, entry)
		        print_flat(listing, entry);
	}
	if (!listing->is_recursive && has_folders)
		output_hint(out, "Use -R to list files recursively.");
}
