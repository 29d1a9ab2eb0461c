/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 server on libmicrohttpd in external epoll mode on the loop.
 *
 * How a request goes: headers are checked (conflicting framing is refused with 400 and the
 * connection closed: two Content-Length, Content-Length with Transfer-Encoding, unknown coding), the
 * route is looked up, the body is collected up to the route's maximum (413 beyond), then the handler
 * runs. It answers at once, or keeps the request and answers in a later turn: until then the
 * connection is suspended. Every request gets exactly one answer. If the client leaves first, the
 * cancel function runs instead and the request is gone.
 */
#ifndef HEARTH_NET_HTTP_SERVER_H
#define HEARTH_NET_HTTP_SERVER_H

#include "base/error.h"
#include "base/json.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http_server;
struct http_request;

typedef void http_handler(struct http_request *request, void *context);

/* A row of a route table. `pattern` has literal segments and {names}: "/api/jobs/{ns}/{id}/logs".
 * A last segment "{name...}" takes the rest of the path. Literal segments win over names. */
struct http_route {
	const char *method; /* "GET" serves HEAD too */
	const char *pattern;
	http_handler *handler;
	int64_t max_body; /* bytes; 0: the body must be empty; -1: no limit (only with `spool`) */
	bool spool;	  /* the body goes to an unlinked temporary file: http_body_fd() */
	const void *more; /* for the owner of the table: documentation, rights */
};

struct http_server_options {
	int64_t max_connections;
	int64_t idle_timeout_s;	 /* connections that neither send nor take anything */
	const char *spool_dir;	 /* where spooled bodies lie while they last */
	const char *tls_certificate; /* PEM texts; NULL: plain HTTP */
	const char *tls_key;
	/* Runs when the head is there and the route known, before any of the body is taken: -1
	 * refuses with `err`. May be NULL. */
	int (*admit)(struct http_request *request, const struct http_route *route, void *context,
		     struct error *err);
	/* Runs before each handler; returns false after having answered itself, or to keep the
	 * request and call the handler itself in a later turn. May be NULL. */
	bool (*before)(struct http_request *request, const struct http_route *route, void *context);
	/* After each answer was handed over: status and microseconds; for metrics and the log. */
	void (*after)(struct http_request *request, int status, int64_t micros, void *context);
};

/* `routes` ends with a row without method and lives as long as the server. */
int http_server_new(struct loop *loop, const struct http_route *routes,
		    const struct http_server_options *options, void *context,
		    struct http_server **ret, struct error *err);
void http_server_free(struct http_server *server);
/* "ADDRESS:PORT", "[v6]:PORT" or "unix:PATH"; port 0 picks one, which *ret_port tells. */
int http_server_listen(struct http_server *server, const char *address, int *ret_port,
		       struct error *err);
/* The same in two steps, for sockets that are bound before rights are given up. */
int http_socket_open(const char *address, int *ret_fd, int *ret_port, struct error *err);
void http_server_add_socket(struct http_server *server, int take_fd);
int http_server_connection_count(const struct http_server *server);

/* What was asked. All strings are borrowed for the life of the request. */
const char *http_method(const struct http_request *request);
const char *http_path(const struct http_request *request); /* as sent, still encoded */
const char *http_param(const struct http_request *request, const char *name); /* decoded; BUG if the
										 route lacks it */
const char *http_header(const struct http_request *request, const char *name); /* NULL if absent */
const char *http_query(const struct http_request *request, const char *name); /* first value, decoded */
/* Every value of a repeated query parameter, in order, until fn returns false. */
void http_query_each(const struct http_request *request, const char *name,
		     bool (*fn)(void *arg, const char *value), void *arg);
const char *http_raw_query(const struct http_request *request); /* without '?'; "" if none */
const char *http_body(const struct http_request *request, size_t *ret_len);
int http_body_fd(const struct http_request *request); /* of a spooled body, at offset 0; borrowed */
/* Parse the body as a JSON object; an empty body gives an empty object. */
int http_body_json(const struct http_request *request, json_t **ret, struct error *err);
bool http_is_unix(const struct http_request *request, uid_t *ret_peer_uid); /* came by unix: */
uint32_t http_peer_ipv4(const struct http_request *request); /* host byte order; 0: came otherwise */
const char *http_request_id(const struct http_request *request);
/* Externally visible base URL without a final '/': the configured one, else from X-Forwarded-* of a
 * loopback peer, else from Host (hub-jobs-api 0.7, 7.2). */
const char *http_base_url(struct http_request *request, const char *configured);
void *http_get_user_data(const struct http_request *request);
void http_set_user_data(struct http_request *request, void *data, void (*free_fn)(void *));
/* Runs if the client leaves before the answer; after it the request must not be touched. */
void http_on_cancel(struct http_request *request, void (*fn)(void *arg), void *arg);

/* Answers. Each ends the request for its handler. X-Request-Id is always added. */
void http_add_header(struct http_request *request, const char *name, const char *value);
void http_respond(struct http_request *request, int status, const char *content_type,
		  const void *body, size_t len); /* the body is copied */
void http_respond_json(struct http_request *request, int status, json_t *take_body);
/* The error shape of hub-jobs-api 0.5: {"error": text}, X-Error-Message (ASCII, one line). */
void http_respond_error(struct http_request *request, const struct error *err);

/* `length` bytes of a file from `offset` on. They are read as the client takes them; when the file got shorter the
 * connection ends before its time. */
void http_respond_file(struct http_request *request, int status, const char *content_type, int take_fd, int64_t offset,
		       int64_t length);

/*
 * A streamed answer: the server asks the producer for more whenever the client can take it, so a
 * slow client costs nothing but its socket buffer.
 *   fill: write up to `max` bytes; > 0 count; 0 nothing now (http_stream_wake() later); -1 the end.
 *   done: the stream is over or the client left; the producer frees itself.
 */
struct http_stream;
struct http_stream_source {
	ssize_t (*fill)(void *arg, char *data, size_t max);
	void (*done)(void *arg);
	void *arg;
};
struct http_stream *http_respond_stream(struct http_request *request, int status,
					const char *content_type,
					const struct http_stream_source *source);
/* The same with a Content-Length: `fill` gives exactly so many bytes; -1 before that ends the connection. */
struct http_stream *http_respond_stream_sized(struct http_request *request, int status, const char *content_type,
					      int64_t length, const struct http_stream_source *source);
void http_stream_wake(struct http_stream *stream); /* there may be more now; never calls back at once */

#endif
