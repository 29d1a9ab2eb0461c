/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /api/webhooks/ingest: any bytes are refused with a sentence or become an event,
 * whose text for a receiver and for a job's environment is JSON again, names the webhook and, for
 * the latter, is short enough. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/webhook_private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WEBHOOK_ID "0123456789abcdef01234567"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_must(bool condition)
{
	if (!condition)
		abort();
}

static json_t *fuzz_read_again(const char *text)
{
	json_t *again = json_loads(text, 0, NULL);

	fuzz_must(json_is_object(again) && json_is_object(json_object_get(again, "repo")));
	fuzz_must(strcmp(json_get_text(json_object_get(again, "webhook"), "id", ""), WEBHOOK_ID) ==
	          0);
	return again;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autojson json_t *payload = NULL, *whole = NULL, *short_one = NULL;
	struct error err = ERROR_INIT;

	if (json_parse((const char *)data, size, "request body", &payload, &err) < 0 ||
	    webhook_ingest_check(payload, &err) < 0) {
		fuzz_must(err.code == E_INVALID && *err.text && !strchr(err.text, '\n'));
		return 0;
	}
	json_object_del(payload, "webhook");
	autofree char *text = json_to_text(payload);
	autofree char *for_url = webhook_payload_text(text, WEBHOOK_ID);
	autofree char *for_job = webhook_payload_for_environment(text, WEBHOOK_ID);

	whole = fuzz_read_again(for_url);
	short_one = fuzz_read_again(for_job);
	fuzz_must(strlen(for_job) < 128 * 1024 - sizeof("WEBHOOK_PAYLOAD="));
	if (strlen(for_url) <= 100 * 1024)
		fuzz_must(json_equal(whole, short_one));
	json_object_del(whole, "webhook");
	fuzz_must(json_equal(whole, payload));
	return 0;
}
