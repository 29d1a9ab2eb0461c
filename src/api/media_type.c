/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is, by the end of its name, for browsers. */
#include "api/buckets.h"

#include <string.h>
#include <strings.h>

struct media_type {
	const char *extension, *type;
};

static const struct media_type media_types[] = {
        {"txt", "text/plain; charset=utf-8"},
        {"log", "text/plain; charset=utf-8"},
        {"md", "text/markdown; charset=utf-8"},
        {"py", "text/x-python; charset=utf-8"},
        {"sh", "text/x-shellscript; charset=utf-8"},
        {"c", "text/x-c; charset=utf-8"},
        {"h", "text/x-c; charset=utf-8"},
        {"csv", "text/csv; charset=utf-8"},
        {"tsv", "text/tab-separated-values; charset=utf-8"},
        {"html", "text/html; charset=utf-8"},
        {"htm", "text/html; charset=utf-8"},
        {"css", "text/css; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"},
        {"json", "application/json"},
        {"jsonl", "application/jsonl"},
        {"ndjson", "application/x-ndjson"},
        {"yaml", "application/yaml"},
        {"yml", "application/yaml"},
        {"toml", "application/toml"},
        {"xml", "application/xml"},
        {"pdf", "application/pdf"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"webp", "image/webp"},
        {"svg", "image/svg+xml"},
        {"mp3", "audio/mpeg"},
        {"wav", "audio/wav"},
        {"flac", "audio/flac"},
        {"ogg", "audio/ogg"},
        {"mp4", "video/mp4"},
        {"webm", "video/webm"},
        {"zip", "application/zip"},
        {"gz", "application/gzip"},
        {"tar", "application/x-tar"},
        {"zst", "application/zstd"},
        {"parquet", "application/vnd.apache.parquet"},
        {NULL, NULL},
};

const char *media_type_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (dot && !strchr(dot, '/'))
		for (const struct media_type *row = media_types; row->extension; row++)
			if (strcasecmp(dot + 1, row->extension) == 0)
				return row->type;
	return "application/octet-stream";
}
