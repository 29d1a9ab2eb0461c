/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of an answer of the Hub, as http_client_answer_headers() gives them: "Name: value" lines. */
#ifndef HEARTH_API_HUB_HEADERS_H
#define HEARTH_API_HUB_HEADERS_H

/* The value of the last one of that name, yours to free; NULL: none. */
char *hub_header(const char *headers, const char *name);

#endif
