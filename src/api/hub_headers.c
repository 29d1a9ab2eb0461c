/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "api/hub_headers.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *hub_header(const char *headers, const char *name)
{
	size_t name_len = strlen(name), len;
	char *found = NULL;

	for (const char *line = headers; *line; line += len, line += strspn(line, "\r\n")) {
		len = strcspn(line, "\r\n");
		if (len <= name_len || line[name_len] != ':' ||
		    strncasecmp(line, name, name_len) != 0)
			continue;
		const char *value = line + name_len + 1;

		value += strspn(value, " \t");
		free(found);
		found = xstrndup(value, value < line + len ? (size_t)(line + len - value) : 0);
	}
	return found;
}
