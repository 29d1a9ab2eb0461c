/* SPDX-License-Identifier: Apache-2.0 */
/* Names of buckets and of files in them. */
#include "cli/bucket_uri.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

bool bucket_uri_is(const char *text)
{
	return strncmp(text, "hf://", 5) == 0;
}

int bucket_uri_parse(const char *text, struct bucket_uri *ret, struct error *err)
{
	const char *rest = text;
	if (bucket_uri_is(text)) {
		if (strncmp(text, BUCKET_URI_PREFIX, strlen(BUCKET_URI_PREFIX)) != 0)
			return fail(err, E_INVALID,
			            "Invalid bucket path: %s. Must be a bucket URI "
			            "(" BUCKET_URI_PREFIX "...).",
			            text);
		rest += strlen(BUCKET_URI_PREFIX);
	}
	size_t space = strcspn(rest, "/");
	size_t name = rest[space] ? strcspn(rest + space + 1, "/") : 0;
	if (space == 0 || name == 0)
		return fail(err, E_INVALID,
		            "Invalid bucket path: '%s'. Expected format: namespace/bucket_name.",
		            text);
	const char *path = rest + space + 1 + name;
	size_t len = strlen(path);
	path += strspn(path, "/");
	*ret = (struct bucket_uri){
	        .space = xstrndup(rest, space),
	        .name = xstrndup(rest + space + 1, name),
	        .id = xstrndup(rest, space + 1 + name),
	        .is_folder = len > 0 && text[strlen(text) - 1] == '/',
	};
	len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		len--;
	ret->path = xstrndup(path, len);
	return 0;
}

int bucket_uri_parse_id(const char *text, const char *what, struct bucket_uri *ret,
                        struct error *err)
{
	if (!bucket_uri_is(text) && !strchr(text, '/'))
		return fail(err, E_INVALID,
		            "Invalid bucket ID: %s. Must be in format namespace/bucket_name "
		            "or " BUCKET_URI_PREFIX "namespace/bucket_name.",
		            text);
	if (bucket_uri_parse(text, ret, err) < 0)
		return -1;
	if (!*ret->path)
		return 0;
	bucket_uri_clear(ret);
	return fail(err, E_INVALID,
	            "Cannot specify a prefix for bucket %s: %s. Use namespace/bucket_name "
	            "or " BUCKET_URI_PREFIX "namespace/bucket_name.",
	            what, text);
}

void bucket_uri_clear(struct bucket_uri *uri)
{
	free(uri->space);
	free(uri->name);
	free(uri->id);
	free(uri->path);
	*uri = (struct bucket_uri){0};
}

bool bucket_path_is_safe(const char *path)
{
	if (*path == '/' || *path == '\0')
		return false;
	while (*path) {
		size_t len = strcspn(path, "/");
		if (len == 0 || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += len;
		if (*path && !*++path)
			return false;
	}
	return true;
}

char *bucket_path_join(const char *folder, const char *path)
{
	return xasprintf("%s%s%s", folder, *folder && *path ? "/" : "", path);
}
