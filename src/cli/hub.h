/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server as commands see it: who we are there, JSON questions and answers, and its refusals as
 * sentences. Environment and files are those of `hf`: HF_ENDPOINT, HF_TOKEN, HF_HOME,
 * HF_TOKEN_PATH.
 */
#ifndef HEARTH_CLI_HUB_H
#define HEARTH_CLI_HUB_H

#include "base/json.h"
#include "cli/transport.h"

#define HUB_DEFAULT_ENDPOINT "http://127.0.0.1:7440"
#define HUB_DEFAULT_SOCKET "/var/lib/hearth/hearth.sock"
#define HUB_ANSWER_MAX (256u << 20) /* bytes of a JSON answer */

struct hub;

/* `token` is what --token said; NULL: HF_TOKEN, else the token file. */
int hub_open(const char *token, struct hub **ret, struct error *err);
/* For the image store: as hub_open(), but one who names neither a server nor a token and may use the
 * server's own socket (root on its machine, as with sudo) talks to that. */
int hub_open_images(const char *token, struct hub **ret, struct error *err);
/* The server's own socket, for `admin`. `path` NULL: HEARTH_SOCKET, else the usual place. */
struct hub *hub_open_socket(const char *path);
void hub_free(struct hub *hub);

const char *hub_endpoint(const struct hub *hub);
const char *hub_token(const struct hub *hub); /* NULL: not logged in */

/* The namespace to use: `given`, else the user (one whoami). Borrowed. */
int hub_namespace(struct hub *hub, const char *given, const char **ret, struct error *err);
int hub_whoami(struct hub *hub, json_t **ret, struct error *err);

/* A path below the endpoint: printf with every argument a `const char *` that gets percent-encoded
 * at each %s. Yours to free. */
char *hub_path(const char *fmt, ...);
/* Append "?name=value" or "&name=value", encoded, to *path. */
void hub_path_query(char **path, const char *name, const char *value);

/* `body` (borrowed) may be NULL; *ret may be NULL when the answer does not matter. */
int hub_ask(struct hub *hub, const char *method, const char *path, const json_t *body, json_t **ret,
            struct error *err);
/* As GET, and the address of the next page without the endpoint; *ret_next NULL: it was the last.
 */
int hub_ask_page(struct hub *hub, const char *path, json_t **ret, char **ret_next,
                 struct error *err);
/* As POST, repeated while the connection fails: `key` makes that safe (Idempotency-Key). */
int hub_post_once(struct hub *hub, const char *path, const json_t *body, const char *key,
                  json_t **ret, struct error *err);
/* As hub_ask(), with any bytes as the body; they go over the kept connection. */
int hub_send(struct hub *hub, const char *method, const char *path, const char *type,
             const void *data, size_t len, json_t **ret, struct error *err);
/* An answer to be read piece by piece; refusals have become errors already. `body_fd` -1: none. */
int hub_stream(struct hub *hub, const char *method, const char *path, const json_t *body,
               int body_fd, struct transport_stream **ret, struct error *err);

#endif
