/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/jobs/hardware: the flavors of the configuration that the caller may use, in its order
 * (hub-jobs-api 2.10). A token is not needed; who has none sees what is open to everyone. */
#include "api/answer.h"
#include "api/caller.h"
#include "api/handlers.h"
#include "api/upstream.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "job/device_service.h"
#include "job/flavor_catalogue.h"
#include "job/flavor_model.h"

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

/* Of the part before the slash of a CDI kind. */
static const char *hardware_maker(const struct flavor *flavor)
{
	static const char *const makers[][2] = {
	        {"nvidia.com/", "Nvidia"}, {"amd.com/", "AMD"},        {"intel.com/", "Intel"},
	        {"google.com/", "Google"}, {"aws.amazon.com/", "AWS"}, {"habana.ai/", "Habana"},
	};

	if (flavor->manufacturer)
		return flavor->manufacturer;
	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		if (!strncmp(flavor->device_kind, makers[i][0], strlen(makers[i][0])))
			return makers[i][1];
	}
	return flavor->device_kind;
}

static const struct device *hardware_device(const struct api *api, const struct flavor *flavor)
{
	size_t n;
	const struct device *devices = device_service_get(api->devices, &n);

	for (size_t i = 0; i < n; i++) {
		if (flavor_takes_device(flavor, &devices[i]))
			return &devices[i];
	}
	return NULL;
}

/* Clients need all five members. A share of a device is shown as one. */
static json_t *hardware_accelerator(const struct api *api, const struct flavor *flavor)
{
	const struct device *device;
	char model[FLAVOR_MODEL_SIZE] = "";
	int64_t vram = flavor->vram_bytes;

	if (flavor->device_count <= 0)
		return json_null();
	device = hardware_device(api, flavor);
	if (device && vram <= 0)
		vram = device->memory_bytes;
	if (device)
		(void)flavor_model_short(device->model, model);
	if (flavor->device_shares > 1)
		vram /= flavor->device_shares;
	return json_pack(
	        "{s:s, s:s, s:o, s:o, s:s}", "type",
	        flavor->accelerator ? flavor->accelerator : "gpu", "model",
	        flavor->device_model && !flavor->device_slice ? flavor->device_model : model,
	        "quantity", json_sprintf("%" PRId64, flavor->device_count), "vram",
	        hardware_size(vram * flavor->device_count), "manufacturer", hardware_maker(flavor));
}

/* As text, so that the price is exactly the decimal number that was configured. */
static void hardware_write(struct buffer *out, const struct api *api, const struct flavor *flavor)
{
	const char *pretty = flavor->pretty_name ? flavor->pretty_name : flavor->name;
	int64_t price = flavor_price_per_minute(flavor);
	autojson json_t *texts = json_pack(
	        "{s:s,s:s,s:o,s:o,s:o,s:o}", "name", flavor->name, "prettyName", pretty, "cpu",
	        hardware_cpu(flavor->cpu_millis), "ram", hardware_size(flavor->memory_bytes),
	        "ephemeralStorage", hardware_size(flavor->storage_bytes), "accelerator",
	        hardware_accelerator(api, flavor));
	autofree char *text = json_to_text(texts);

	(void)buffer_printf(out,
	                    "%s%.*s,\"unitCostMicroUSD\":%" PRId64 ",\"unitCostUSD\":%" PRId64
	                    ".%06" PRId64 ",\"unitLabel\":\"minute\"}",
	                    out->len > 1 ? "," : "", (int)strlen(text) - 1, text, price,
	                    price / 1000000, price % 1000000);
}

/* Whose names may stand in `allow`. A token that nobody knows is as good as none. */
static bool hardware_identify(struct api *api, const struct http_request *request,
                              struct caller *ret)
{
	const char *header = http_header(request, "Authorization");
	const char *token = header ? caller_bearer_token(header) : NULL;

	if (!token)
		return false;
	if (tokens_find(api->db, token, &ret->token, &ret->user))
		return true;
	return api->upstream && upstream_find(api->upstream, token, ret) == UPSTREAM_VALID;
}

struct hardware_viewer {
	const struct configuration *configuration;
	const struct flavor *flavor;
	const char *user_name;
	bool is_offered;
};

static void hardware_ask_org(void *arg, const struct account *org, enum account_role role)
{
	struct hardware_viewer *viewer = arg;

	viewer->is_offered |= flavor_is_offered(viewer->configuration, viewer->flavor,
	                                        viewer->user_name, org->name);
}

static bool hardware_is_offered(struct api *api, const struct flavor *flavor,
                                const struct caller *caller)
{
	struct hardware_viewer viewer = {
	        .configuration = api->configuration,
	        .flavor = flavor,
	        .user_name = caller ? caller->user.name : NULL,
	};

	viewer.is_offered =
	        flavor_is_offered(api->configuration, flavor, viewer.user_name, viewer.user_name);
	if (!viewer.is_offered && caller)
		accounts_each_org(api->db, caller->user.id, hardware_ask_org, &viewer);
	return viewer.is_offered;
}

void hardware_list(struct http_request *request, void *context)
{
	struct api *api = context;
	const struct configuration *c = api->configuration;
	autobuffer struct buffer out = BUFFER_INIT(HARDWARE_MAX);
	struct caller caller = {0};
	bool is_known = hardware_identify(api, request, &caller);

	(void)buffer_add_byte(&out, '[');
	for (size_t i = 0; i < c->n_flavors; i++) {
		if (hardware_is_offered(api, &c->flavors[i], is_known ? &caller : NULL))
			hardware_write(&out, api, &c->flavors[i]);
	}
	(void)buffer_add_byte(&out, ']');
	caller_clear(&caller);
	answer_json(request, 200, &out);
}
