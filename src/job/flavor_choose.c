/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have which flavor. See flavor_catalogue.h. */
#include "job/flavor_catalogue.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "job/spec_fields.h"

#include <string.h>
#include <strings.h>

#define NAMES_MAX 360

static bool allows_name(const struct flavor *flavor, const char *name)
{
	for (char **allowed = flavor->allow; name && *allowed; allowed++) {
		if (!strcasecmp(*allowed, name))
			return true;
	}
	return false;
}

bool flavor_allows(const struct flavor *flavor, const char *user_name, const char *namespace_name)
{
	return !flavor->allow || !*flavor->allow || allows_name(flavor, user_name) ||
	       allows_name(flavor, namespace_name);
}

static bool fits(const struct configuration *c, const struct flavor *flavor)
{
	return (c->cpu_millis == 0 || flavor->cpu_millis <= c->cpu_millis) &&
	       (c->memory_bytes == 0 || flavor->memory_bytes <= c->memory_bytes);
}

bool flavor_is_offered(const struct configuration *configuration, const struct flavor *flavor,
                       const char *user_name, const char *namespace_name)
{
	return !flavor->is_unserved && fits(configuration, flavor) &&
	       flavor_allows(flavor, user_name, namespace_name);
}

char *flavor_offered_names(const struct configuration *configuration, const char *user_name,
                           const char *namespace_name)
{
	struct buffer names = BUFFER_INIT(NAMES_MAX);

	for (size_t i = 0; i < configuration->n_flavors; i++) {
		const struct flavor *flavor = &configuration->flavors[i];
		if (!flavor_is_offered(configuration, flavor, user_name, namespace_name))
			continue;
		if (buffer_printf(&names, "%s%s", names.len ? ", " : "", flavor->name) < 0) {
			names.max += 8;
			(void)buffer_add_text(&names, ", ...");
			break;
		}
	}
	return buffer_take(&names);
}

int flavor_choose(const struct configuration *configuration, const char *name,
                  const char *user_name, const char *namespace_name, const struct flavor **ret,
                  struct error *err)
{
	const struct flavor *flavor = configuration_flavor(configuration, name);
	autofree char *offered = flavor_offered_names(configuration, user_name, namespace_name);
	char shown[SPEC_SHOWN_SIZE];

	if (!flavor)
		return fail(err, E_INVALID, "flavor \"%s\" is not known; this server has: %s",
		            spec_shown(name, shown), offered);
	if (!flavor_allows(flavor, user_name, namespace_name))
		return fail(err, E_FORBIDDEN,
		            "flavor \"%s\" is not open to %s%s%s; you may use: %s", flavor->name,
		            user_name ? user_name : "you", namespace_name ? " in " : "",
		            namespace_name ? namespace_name : "", offered);
	if (!fits(configuration, flavor))
		return fail(err, E_INVALID,
		            "flavor \"%s\" is larger than this machine; this server has: %s",
		            flavor->name, offered);
	if (flavor->is_unserved)
		return fail(err, E_INVALID,
		            "flavor \"%s\" needs %lld %s%s%s, and this machine has not so many; "
		            "this server has: %s",
		            flavor->name, (long long)flavor->device_count,
		            flavor->device_model ? flavor->device_model : flavor->device_kind,
		            flavor->device_slice ? " " : "",
		            flavor->device_slice ? flavor->device_slice : "", offered);
	*ret = flavor;
	return 0;
}

int64_t flavor_max_timeout_s(const struct configuration *configuration, const struct flavor *flavor)
{
	int64_t max_s = configuration->max_timeout_s;

	if (flavor->max_timeout_s > 0 && (max_s <= 0 || flavor->max_timeout_s < max_s))
		return flavor->max_timeout_s;
	return max_s;
}

int flavor_limit_timeout(const struct configuration *configuration, const struct flavor *flavor,
                         int64_t *timeout_s, struct error *err)
{
	int64_t max_s = flavor_max_timeout_s(configuration, flavor);
	char text[QUANTITY_TEXT_SIZE];

	if (max_s <= 0 || *timeout_s <= max_s)
		return 0;
	if (*timeout_s != configuration->default_timeout_s)
		return fail(err, E_INVALID,
		            "timeoutSeconds must be at most %lld (%s) with the flavor %s",
		            (long long)max_s, quantity_format_duration(max_s, text), flavor->name);
	*timeout_s = max_s;
	return 0;
}
