/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/jobs/hardware: the flavors of the configuration, in its order (hub-jobs-api 2.10). */
#include "api/answer.h"
#include "api/handlers.h"
#include "base/cleanup.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

#define HARDWARE_MAX ((size_t)4 * 1024 * 1024)
#define GIB ((int64_t)1024 * 1024 * 1024)
#define MIB ((int64_t)1024 * 1024)

/* "2 vCPU", "0.5 vCPU" */
static json_t *hardware_cpu(int64_t millis)
{
	if (millis % 1000 == 0)
		return json_sprintf("%" PRId64 " vCPU", millis / 1000);
	return json_sprintf("%.3g vCPU", (double)millis / 1000);
}

/* "16 GB", "1.5 GB", "256 MB": as the Hub writes what are powers of two. */
static json_t *hardware_size(int64_t bytes)
{
	if (bytes <= 0)
		return json_string("N/A");
	if (bytes < GIB)
		return json_sprintf("%" PRId64 " MB", (bytes + MIB / 2) / MIB);
	if (bytes % GIB == 0 || bytes >= 100 * GIB)
		return json_sprintf("%" PRId64 " GB", (bytes + GIB / 2) / GIB);
	return json_sprintf("%.3g GB", (double)bytes / (double)GIB);
}

/* As text, so that the price is exactly the decimal number that was configured. */
static void hardware_write(struct buffer *out, const struct flavor *flavor)
{
	const char *pretty = flavor->pretty_name ? flavor->pretty_name : flavor->name;
	int64_t price = flavor_price_per_minute(flavor);
	autojson json_t *texts = json_pack(
	        "{s:s,s:s,s:o,s:o,s:o,s:n}", "name", flavor->name, "prettyName", pretty, "cpu",
	        hardware_cpu(flavor->cpu_millis), "ram", hardware_size(flavor->memory_bytes),
	        "ephemeralStorage", hardware_size(flavor->storage_bytes), "accelerator");
	autofree char *text = json_to_text(texts);

	(void)buffer_printf(out,
	                    "%s%.*s,\"unitCostMicroUSD\":%" PRId64 ",\"unitCostUSD\":%" PRId64
	                    ".%06" PRId64 ",\"unitLabel\":\"minute\"}",
	                    out->len > 1 ? "," : "", (int)strlen(text) - 1, text, price,
	                    price / 1000000, price % 1000000);
}

void hardware_list(struct http_request *request, void *context)
{
	const struct api *api = context;
	autobuffer struct buffer out = BUFFER_INIT(HARDWARE_MAX);

	(void)buffer_add_byte(&out, '[');
	for (size_t i = 0; i < api->configuration->n_flavors; i++)
		hardware_write(&out, &api->configuration->flavors[i]);
	(void)buffer_add_byte(&out, ']');
	answer_json(request, 200, &out);
}
