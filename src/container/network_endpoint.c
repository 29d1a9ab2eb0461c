/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "container/network_endpoint.h"

#include "base/memory.h"
#include "container/network_plan.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static bool endpoint_is_on(const struct configuration *c)
{
	return c->give_endpoint && strcmp(c->network_mode, "bridge") == 0;
}

static long port_of(const char *text)
{
	const char *colon = strrchr(text, ':');
	char *end;
	long port = colon ? strtol(colon + 1, &end, 10) : 0;

	return colon && end != colon + 1 && port > 0 && port <= 65535 ? port : 0;
}

/* Of the first address that is not a Unix socket; 0: none, or one that is not known beforehand. */
static long listen_port(const struct configuration *c)
{
	for (char **address = c->listen; address && *address; address++) {
		if (strncmp(*address, "unix:", 5) != 0)
			return port_of(*address);
	}
	return 0;
}

static bool listens_everywhere(const char *address)
{
	return strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0 ||
	       strncmp(address, "*:", 2) == 0 || address[0] == ':';
}

static char *gateway_address(const struct configuration *c)
{
	struct error ignored = ERROR_INIT;
	struct network_plan plan;
	char text[INET_ADDRSTRLEN];
	struct in_addr in;

	if (listen_port(c) == 0 || network_plan_read(c, &plan, &ignored) < 0)
		return NULL;
	in.s_addr = htonl(plan.gateway);
	(void)inet_ntop(AF_INET, &in, text, sizeof(text));
	return xasprintf("%s:%ld", text, listen_port(c));
}

char *network_endpoint_listen(const struct configuration *c)
{
	char *address = endpoint_is_on(c) ? gateway_address(c) : NULL;

	for (char **one = c->listen; address && one && *one; one++) {
		if (strcmp(*one, address) == 0 ||
		    (listens_everywhere(*one) && port_of(*one) == listen_port(c))) {
			free(address);
			return NULL;
		}
	}
	return address;
}

char *network_endpoint_url(const struct configuration *c)
{
	char *address, *url;

	if (!endpoint_is_on(c))
		return NULL;
	if (c->public_url && *c->public_url)
		return xstrdup(c->public_url);
	address = gateway_address(c);
	url = address ? xasprintf("%s://%s", c->tls_certificate ? "https" : "http", address) : NULL;
	free(address);
	return url;
}

static long url_port(const char *url)
{
	const char *host = strstr(url, "://");
	long port;

	if (!host)
		return 0;
	host += 3;
	char *authority = xstrndup(host, strcspn(host, "/?#"));

	port = port_of(authority);
	free(authority);
	return port ? port : strncmp(url, "https:", 6) == 0 ? 443 : 80;
}

void network_endpoint_ports(const struct configuration *c, uint16_t *ret_gateway, uint16_t *ret_any)
{
	bool is_on = endpoint_is_on(c);

	*ret_gateway = is_on ? (uint16_t)listen_port(c) : 0;
	*ret_any = is_on && c->public_url && *c->public_url ? (uint16_t)url_port(c->public_url) : 0;
}
