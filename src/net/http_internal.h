/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the HTTP server share. One server is one libmicrohttpd daemon (plain or TLS)
 * with any number of listening sockets of ours.
 *
 * libmicrohttpd calls us for a request: http_request_begin() with the address line, then
 * http_request_step() when the head is complete, for each piece of body, and at the end. A request
 * that is not answered then, and a stream that has nothing to send, suspend the connection; answers
 * and wake-ups resume it. libmicrohttpd does not look at suspended connections, so hang-ups of
 * those are watched for in an epoll set of ours, and time-outs are found by a sweep once a second.
 */
#ifndef HEARTH_NET_HTTP_INTERNAL_H
#define HEARTH_NET_HTTP_INTERNAL_H

#include "base/buffer.h"
#include "net/http_framing.h"
#include "net/http_server.h"
#include "net/router.h"

#include <microhttpd.h>

/* libmicrohttpd's memory of one connection: head of the request, head of the answer, and the window
 * of a streamed body. Ten thousand followers hold one each. */
#define HTTP_POOL_BYTES 12288
#define HTTP_POOL_ANSWER_BYTES 1536 /* what must be left for the head of an answer */
#define HTTP_FIELDS_MAX 64
#define HTTP_HEAD_SECONDS 20       /* a head must be complete by then */
#define HTTP_BODY_GRACE_SECONDS 30 /* then a body must come at HTTP_BODY_MIN_RATE or faster */
#define HTTP_BODY_MIN_RATE 1024    /* bytes per second */
#define HTTP_DISCARD_BYTES 65536   /* a refused body up to that is read to keep the connection */
#define HTTP_BODIES_MAX_BYTES (256L * 1024 * 1024) /* of all requests together */
#define HTTP_SPOOLS_MAX_BYTES (16L * 1024 * 1024 * 1024) /* of bodies with a limit, on disk, together */
#define HTTP_LINGER_MAX 256
#define HTTP_LINGER_SECONDS 10
#define HTTP_LINGER_BYTES (8L * 1024 * 1024)

#define HTTP_NEVER_SERVED UINT64_MAX

struct http_connection {
	struct http_server *server;
	struct MHD_Connection *mhd;
	struct http_connection *next, *previous;
	struct http_request *request; /* the one in progress; NULL between two */
	int64_t waiting_since_ms;     /* for a head */
	uint64_t bytes_at_rest;       /* received when it was seen waiting; 0: not looked yet;
	                                 HTTP_NEVER_SERVED: brought no head so far */
	int fd;                       /* libmicrohttpd's; borrowed */
	int linger_fd;  /* a second descriptor of the socket, to close gently; or -1 */
	uid_t peer_uid; /* of a Unix socket */
	uint32_t peer_ipv4; /* host byte order; 0: another kind of address */
	bool is_unix, is_loopback;
	bool is_suspended, is_watched;
	bool is_gone; /* the peer left */
};

enum http_phase {
	PHASE_HEAD,      /* address line read */
	PHASE_BODY,      /* head read; body being collected or discarded */
	PHASE_HANDLING,  /* the handler has it */
	PHASE_ANSWERED,  /* answer handed over to libmicrohttpd */
	PHASE_STREAMING, /* answer begun, `stream` goes on */
};

struct http_answer_header {
	struct http_answer_header *next;
	char *name, *value;
};

struct http_text {
	struct http_text *next;
	char text[];
};

struct http_request {
	struct http_server *server;
	struct http_connection
	        *connection; /* NULL: the client left and the handler knows nothing */
	enum http_phase phase;
	bool is_inside; /* libmicrohttpd is calling us for it right now */
	bool is_1_0, is_head;
	bool is_closing; /* the connection ends with the answer */
	char method[16];
	char *target; /* as sent; cut at '?' */
	size_t target_len;
	const char *target_at;    /* where it lies in libmicrohttpd's memory */
	const char *path, *query; /* in `target` */
	struct router_match match;
	struct error refusal; /* E_NONE: go on; else the answer after the body was discarded */
	int refusal_status;   /* 0: by the code */
	struct buffer body;
	int body_fd;
	int64_t body_bytes; /* received */
	int64_t spooled_bytes; /* counted in the server's sum */
	char *spool_block;     /* of these, not yet in body_fd */
	size_t spool_used;
	int64_t body_max;
	int64_t begin_us;
	char id[48];
	struct http_answer_header *answer_headers;
	struct http_text *texts; /* decoded values that accessors handed out */
	const char *base_url;
	void *user_data;
	void (*free_user_data)(void *);
	void (*cancel)(void *);
	void *cancel_arg;
	struct http_stream *stream;
};

struct http_listener {
	struct http_listener *next;
	struct http_server *server;
	struct loop_watch *watch;
	int fd;
	char *unix_path; /* NULL: TCP */
};

struct http_linger {
	struct http_linger *next;
	struct http_server *server;
	struct loop_watch *watch;
	int fd;
	int64_t until_ms, left_bytes;
};

struct http_server {
	struct loop *loop;
	const struct http_route *routes;
	struct http_server_options options;
	void *context;
	struct MHD_Daemon *daemon;
	struct loop_watch *daemon_watch; /* libmicrohttpd's epoll descriptor */
	struct loop_watch *gone_watch;
	int gone_fd; /* our epoll set of suspended connections */
	struct loop_timer *sweep;
	struct http_listener *listeners;
	struct http_connection *connections;
	struct http_linger *lingering;
	int n_connections, n_connections_peak, n_lingering;
	int64_t bodies_bytes, spools_bytes;
	bool is_tls, is_full, is_running, is_scheduled, is_closing;
	char *spool_dir;
	char *tls_certificate, *tls_key; /* PEM texts */
};

/* http_server.c */
void http_server_run(struct http_server *server);      /* let libmicrohttpd work now */
void http_server_schedule(struct http_server *server); /* … later in this turn */

/* http_listen.c */
void http_listeners_pause(struct http_server *server, bool pause);
void http_listeners_free(struct http_server *server);

/* http_connection.c */
void http_connection_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                            enum MHD_ConnectionNotificationCode code);
struct http_connection *http_connection_of(struct MHD_Connection *mhd);
void http_connection_suspend(struct http_connection *connection);
void http_connection_resume(struct http_connection *connection);
/* libmicrohttpd forgets a connection that ended while it asked for more of a stream, until the
 * connections before it in its list have ended; one with a time-out of its own it looks at. */
void http_connection_hurry(struct http_connection *connection);
void http_connections_sweep(struct http_server *server);
void http_connections_gone(void *arg, int events); /* watch function of gone_fd */
void http_connections_end_all(struct http_server *server);

/* http_linger.c: close without losing the answer that the peer has not read yet */
void http_linger_prepare(struct http_connection *connection);
void http_linger_start(struct http_connection *connection);
void http_linger_sweep(struct http_server *server, int64_t now_ms);
/* Write an error answer to the socket, past libmicrohttpd, which cannot answer in the middle of a
 * request. Plain connections only; the connection must then be closed. */
void http_linger_answer(struct http_connection *connection, const struct error *err,
                        const char *request_id, int status);

/* http_head.c: everything that can be decided before the body. -1: `err` and *ret_status (0: by its
 * code) say why not; *ret_fatal: the connection cannot be understood any more. */
int http_head_take(struct http_request *request, const char *method, const char *version,
                   int *ret_status, bool *ret_fatal, struct error *err);

/* http_request.c */
void *http_request_begin(void *cls, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_request_step(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_len, void **request_context);
void http_request_completed(void *cls, struct MHD_Connection *mhd, void **request_context,
                            enum MHD_RequestTerminationCode code);
void http_request_free(struct http_request *request);

/* http_accessors.c */
char *http_request_text(struct http_request *request, size_t size); /* lives as long as it */

/* http_body.c */
int http_body_take(struct http_request *request, const char *data, size_t len, struct error *err);
/* All of it has come: write what is left to the file. */
int http_body_end(struct http_request *request, struct error *err);
void http_body_clear(struct http_request *request);

/* http_respond.c: takes `response` */
void http_respond_queue(struct http_request *request, int status, struct MHD_Response *response);
void http_respond_error_as(struct http_request *request, int status, const struct error *err);

/* http_stream.c */
void http_stream_end(struct http_stream *stream);

#endif
