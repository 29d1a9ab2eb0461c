/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of registries, judged part by part (libcurl's URL reader, so that no two readers disagree).
 */
#ifndef HEARTH_IMAGE_REGISTRY_URL_H
#define HEARTH_IMAGE_REGISTRY_URL_H

#include <stdbool.h>

#define REGISTRY_URL_HOST_SIZE 300

/* "host" or, with a port that is not the scheme's own, "host:port"; "" for a damaged URL. */
void registry_url_host(const char *url, char host[REGISTRY_URL_HOST_SIZE]);
bool registry_url_is_https(const char *url);
/* `location` relative to `base`, without user and password; yours; NULL if damaged or neither http
 * nor https. */
char *registry_url_resolve(const char *base, const char *location);
/* The proxy that the environment names for this URL; "": none. Borrowed. Decided here and not by
 * libcurl because the address check must know (a proxy's address is the administrator's word). */
const char *registry_url_proxy(const char *url);
/*
 * May `realm` be the token server of the registry at `url`? Credentials are for one registry, and
 * which servers belong to it can be told by the names alone: the same host, or one under the same
 * parent domain (registry-1.docker.io and auth.docker.io, registry.gitlab.com and gitlab.com).
 */
bool registry_url_is_family(const char *url, const char *realm);
/* Percent-encoded; yours. */
char *registry_url_escape(const char *text);

#endif
