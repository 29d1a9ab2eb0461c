/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of the Hub's contract that this version understands but cannot fulfil yet. */
#include "job/spec_fields.h"

#define PORTS_MAX 20

static int spec_check_ports(json_t *expose, const char *name, struct error *err)
{
	json_t *ports = spec_member(expose, name), *port;
	size_t i;

	if (ports && (!json_is_array(ports) || json_array_size(ports) > PORTS_MAX))
		return fail(err, E_INVALID, "expose.%s must be an array of at most %d ports", name,
		            PORTS_MAX);
	json_array_foreach(ports, i, port)
	{
		json_int_t number = json_integer_value(port);

		if (!json_is_integer(port) || number < 1 || number > 65535)
			return fail(err, E_INVALID,
			            "expose.%s[%zu] must be a whole number from 1 to 65535", name,
			            i);
	}
	return 0;
}

static int spec_check_expose(json_t *body, struct error *err)
{
	json_t *expose = spec_member(body, "expose");

	if (!expose)
		return 0;
	if (!json_is_object(expose))
		return fail(err, E_INVALID, "expose must be an object with the array \"ports\"");
	if (spec_check_ports(expose, "ports", err) < 0 ||
	    spec_check_ports(expose, "portsPublic", err) < 0)
		return -1;
	if (json_array_size(spec_member(expose, "ports")) > 0 ||
	    json_array_size(spec_member(expose, "portsPublic")) > 0)
		return fail(err, E_UNSUPPORTED, "exposed ports are not built yet in this version");
	return 0;
}

static int spec_check_ssh(json_t *body, struct error *err)
{
	json_t *ssh = spec_member(body, "ssh");
	json_t *enabled = spec_member(ssh, "enabled");

	if (!ssh)
		return 0;
	if (!json_is_object(ssh) || (enabled && !json_is_boolean(enabled)))
		return fail(err, E_INVALID,
		            "ssh must be {\"enabled\": true} or {\"enabled\": false}");
	if (json_is_true(enabled))
		return fail(err, E_UNSUPPORTED, "SSH is not built yet in this version");
	return 0;
}

int spec_check_unsupported(json_t *body, struct error *err)
{
	if (spec_check_expose(body, err) < 0)
		return -1;
	return spec_check_ssh(body, err);
}
