/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of queries. See the header. */
#include "api/query_number.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

bool query_number(const struct http_request *request, const char *name, int64_t min, int64_t max,
                  int64_t *ret)
{
	const char *text = http_query(request, name);
	char *end;
	long long n;

	if (!text)
		return true;
	if (!isdigit((unsigned char)text[text[0] == '-']))
		return false;
	errno = 0;
	n = strtoll(text, &end, 10);
	if (*end || errno || n < min || n > max)
		return false;
	*ret = n;
	return true;
}
