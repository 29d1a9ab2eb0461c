/* SPDX-License-Identifier: Apache-2.0 */
/* What depends on the machine, and what settings must agree on. */
#include "base/configuration.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/quantity.h"

#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define GIB (1024LL * 1024 * 1024)
#define IDS_PER_JOB 65536
#define LAST_ID 4294901760LL

/* The CPU flavors of the Hub (hub-jobs-api 2.10). Those with accelerators come with the inventory
 * of devices (job/flavor_catalogue.h). */
#define HUB_FLAVOR(name_, pretty_, vcpu_, memory_gib_, storage_gib_, price_)                       \
	{                                                                                          \
		.name = (char *)(name_), .pretty_name = (char *)(pretty_),                         \
		.cpu_millis = (vcpu_)*1000, .memory_bytes = (memory_gib_)*GIB,                     \
		.storage_bytes = (storage_gib_)*GIB, .price_micro_usd_hour = (price_),             \
		.device_shares = 1                                                                 \
	}
static const struct flavor hub_flavors[] = {
        HUB_FLAVOR("cpu-basic", "CPU Basic", 2, 16, 50, 10000),
        HUB_FLAVOR("cpu-upgrade", "CPU Upgrade", 8, 32, 50, 30000),
        HUB_FLAVOR("cpu-xl", "CPU XL", 16, 124, 1000, 1000000),
        HUB_FLAVOR("cpu-performance", "CPU Performance", 32, 256, 1024, 1900000),
};
#define HUB_FLAVOR_COUNT (sizeof(hub_flavors) / sizeof(hub_flavors[0]))

static void measure_machine(struct configuration *c)
{
	cpu_set_t cpus;
	if (c->cpu_millis == 0) {
		long count = sched_getaffinity(0, sizeof(cpus), &cpus) == 0
		                     ? CPU_COUNT(&cpus)
		                     : sysconf(_SC_NPROCESSORS_ONLN);
		c->cpu_millis = (count > 0 ? count : 1) * 1000;
	}
	if (c->memory_bytes == 0)
		c->memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The Hub's flavors come first, unless configured. The first of them is every client's default: it
 * is always there, on a small machine smaller. */
static void add_hub_flavors(struct configuration *c)
{
	struct flavor *all = xcalloc(c->n_flavors + HUB_FLAVOR_COUNT, sizeof(*all));
	size_t n = 0;
	for (size_t i = 0; i < HUB_FLAVOR_COUNT; i++) {
		struct flavor flavor = hub_flavors[i];
		if (configuration_flavor(c, flavor.name))
			continue;
		if (i > 0 && !c->hub_flavors)
			break;
		if (i > 0 &&
		    (flavor.cpu_millis > c->cpu_millis || flavor.memory_bytes > c->memory_bytes))
			continue;
		flavor.cpu_millis = smaller(flavor.cpu_millis, c->cpu_millis);
		flavor.memory_bytes = smaller(flavor.memory_bytes, c->memory_bytes);
		flavor.name = xstrdup(flavor.name);
		flavor.pretty_name = xstrdup(flavor.pretty_name);
		all[n++] = flavor;
	}
	if (c->n_flavors)
		memcpy(all + n, c->flavors, c->n_flavors * sizeof(*all));
	free(c->flavors);
	c->flavors = all;
	c->n_flavors += n;
}

int64_t flavor_price_per_minute(const struct flavor *flavor)
{
	return (flavor->price_micro_usd_hour + 30) / 60;
}

#define LETTERS_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Neither a path nor one device of a kind. */
static bool is_device_kind(const char *text)
{
	size_t vendor = strspn(text, LETTERS_DIGITS "._-");
	const char *class = text + vendor + 1;

	return vendor > 0 && text[vendor] == '/' && *class &&
	       class[strspn(class, LETTERS_DIGITS "_-")] == '\0';
}

/* A list without commas would be one name, which nobody has. */
static int check_allow(const struct flavor *f, struct error *err)
{
	for (char **name = f->allow; name && *name; name++)
		if ((*name)[strspn(*name, LETTERS_DIGITS "._-")])
			return fail(err, E_INVALID,
			            "[flavor %s]: allow: \"%.80s\" is not the name of a user or "
			            "an organization; write names with commas between them",
			            f->name, *name);
	return 0;
}

static int check_devices(struct flavor *f, struct error *err)
{
	if (!f->device_kind && (f->device_count || f->device_model || f->device_slice))
		return fail(
		        err, E_INVALID,
		        "[flavor %s]: devices is missing: the kind of its accelerators, such as "
		        "nvidia.com/gpu",
		        f->name);
	if (f->device_kind && !is_device_kind(f->device_kind))
		return fail(err, E_INVALID,
		            "[flavor %s]: devices: \"%.80s\" must be VENDOR/CLASS as CDI names it, "
		            "such as nvidia.com/gpu; device_count says how many",
		            f->name, f->device_kind);
	if (f->device_kind && f->device_count == 0)
		f->device_count = 1;
	if (f->device_shares > 1 && f->device_count > 1)
		return fail(
		        err, E_INVALID,
		        "[flavor %s]: device_shares: only a flavor with one device can share it",
		        f->name);
	return 0;
}

static int check_flavors(struct configuration *c, struct error *err)
{
	for (size_t i = 0; i < c->n_flavors; i++) {
		struct flavor *f = &c->flavors[i];
		char have[QUANTITY_TEXT_SIZE];
		if (f->cpu_millis <= 0 || f->memory_bytes <= 0)
			return fail(err, E_INVALID, "[flavor %s]: %s is missing", f->name,
			            f->cpu_millis <= 0 ? "vcpu" : "memory");
		if (f->cpu_millis > c->cpu_millis)
			return fail(
			        err, E_INVALID,
			        "[flavor %s]: vcpu is more than the %lld.%03lld that [scheduler] "
			        "cpus allows, so such a job could never run",
			        f->name, (long long)c->cpu_millis / 1000,
			        (long long)c->cpu_millis % 1000);
		if (f->memory_bytes > c->memory_bytes)
			return fail(
			        err, E_INVALID,
			        "[flavor %s]: memory is more than the %s that [scheduler] memory "
			        "allows, so such a job could never run",
			        f->name, quantity_format_bytes(c->memory_bytes, have));
		if (check_devices(f, err) < 0 || check_allow(f, err) < 0)
			return -1;
		if (!f->pretty_name)
			f->pretty_name = xstrdup(f->name);
	}
	return 0;
}

static int check_url(char *url, const char *what, struct error *err)
{
	if (!url)
		return 0;
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return fail(err, E_INVALID, "%s: \"%.80s\" must begin with http:// or https://",
		            what, url);
	for (size_t len = strlen(url); len > 0 && url[len - 1] == '/'; len--)
		url[len - 1] = '\0';
	return 0;
}

static int check_subnet(const char *subnet, struct error *err)
{
	size_t len = subnet ? strcspn(subnet, "/") : 0;
	autofree char *address = xstrndup(subnet ? subnet : "", len);
	struct in_addr parsed;
	char *end = NULL;
	long bits = subnet && subnet[len] ? strtol(subnet + len + 1, &end, 10) : 0;
	if (inet_pton(AF_INET, address, &parsed) != 1 || bits < 8 || bits > 30 || *end)
		return fail(
		        err, E_INVALID,
		        "[network] subnet: \"%.60s\" is not an IPv4 network such as 10.213.0.0/16",
		        subnet ? subnet : "");
	return 0;
}

static int check_cdi_dirs(char **dirs, struct error *err)
{
	for (; dirs && *dirs; dirs++)
		if (**dirs != '/')
			return fail(err, E_INVALID,
			            "[devices] cdi_dirs: \"%.80s\" must begin with /", *dirs);
	return 0;
}

static int check_required(const struct configuration *c, struct error *err)
{
	const struct {
		const char *name, *value;
	} rows[] = {
	        {"[server] state_dir", c->state_dir},
	        {"[server] user", c->user},
	        {"[images] space_registry", c->space_registry},
	        {"[container] runtime", c->runtime},
	        {"[container] cgroup_parent", c->cgroup_parent},
	        {"[container] seccomp", c->seccomp},
	        {"[network] bridge", c->bridge},
	        {"[network] dns", c->dns},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!rows[i].value)
			return fail(err, E_INVALID, "%s must not be empty", rows[i].name);
	if (!c->listen || !c->listen[0])
		return fail(err, E_INVALID, "[server] listen must name at least one address");
	if (strlen(c->bridge) > 15)
		return fail(err, E_INVALID, "[network] bridge: a name has at most 15 characters");
	return 0;
}

int configuration_finish(struct configuration *c, struct error *err)
{
	measure_machine(c);
	add_hub_flavors(c);
	if (check_required(c, err) < 0 || check_flavors(c, err) < 0 ||
	    check_url(c->public_url, "[server] public_url", err) < 0 ||
	    check_url(c->upstream_url, "[auth] upstream_url", err) < 0 ||
	    check_url(c->hub_endpoint, "[hub] endpoint", err) < 0 ||
	    check_url(c->uv_index_url, "[uv] index_url", err) < 0 ||
	    check_subnet(c->subnet, err) < 0 || check_cdi_dirs(c->cdi_dirs, err) < 0)
		return -1;
	if (!c->tls_certificate != !c->tls_key)
		return fail(err, E_INVALID,
		            "[server] tls_certificate and tls_key need each other: %s is missing",
		            c->tls_key ? "tls_certificate" : "tls_key");
	if (c->max_priority > 100)
		return fail(err, E_INVALID, "[scheduler] max_priority: must be at most 100");
	if (c->default_timeout_s > c->max_timeout_s)
		return fail(err, E_INVALID,
		            "[jobs] default_timeout must not be longer than max_timeout");
	if (c->first_id > LAST_ID || c->max_running > (LAST_ID - c->first_id) / IDS_PER_JOB)
		return fail(
		        err, E_INVALID,
		        "[container] first_id: there is no room for max_running = %lld ranges of "
		        "65536 ids above it",
		        (long long)c->max_running);
	return 0;
}
