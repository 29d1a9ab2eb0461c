/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line reads from a server and from files: event streams in pieces, log events,
 * variables, addresses. Any bytes are taken or refused; events must not depend on how they are cut.
 */
#include "base/buffer.h"
#include "base/json.h"
#include "cli/dotenv.h"
#include "cli/log_event.h"
#include "cli/sse.h"
#include "cli/table.h"
#include "cli/transport_kind.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_event(void *arg, const char *json, size_t len, struct error *err)
{
	struct buffer *all = arg;
	char time[LOG_EVENT_TIME_SIZE];
	struct error ignored = ERROR_INIT;

	if (log_event_decode(json, len, all, time, &ignored) < 0)
		(void)buffer_add(all, "?", 1);
	return 0;
}

static void fuzz_stream(const char *text, size_t size, size_t piece, struct buffer *ret)
{
	struct sse sse = SSE_INIT;
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < size; i += piece)
		if (sse_feed(&sse, text + i, size - i < piece ? size - i : piece, fuzz_event, ret,
		             &err) < 0)
			abort();
	sse_clear(&sse);
}

static void fuzz_events(const char *text, size_t size)
{
	autobuffer struct buffer whole = BUFFER_INIT(1u << 26), cut = BUFFER_INIT(1u << 26);

	fuzz_stream(text, size, size ? size : 1, &whole);
	fuzz_stream(text, size, 3, &cut);
	if (whole.len != cut.len || memcmp(buffer_text(&whole), buffer_text(&cut), whole.len) != 0)
		abort();
}

static const char *fuzz_lookup(void *arg, const char *key)
{
	return "value";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	autojson json_t *env = json_object();
	struct error err = ERROR_INIT;
	struct transport_url url;

	fuzz_events(text, size);
	(void)dotenv_parse(text, size, fuzz_lookup, NULL, env, &err);
	char *copy = strndup(text, size);
	if (transport_url_parse(copy, &url, &err) == 0)
		transport_url_clear(&url);
	free(table_escape(copy));
	free(table_single_line(copy));
	free(copy);
	return 0;
}
