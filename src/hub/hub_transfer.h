/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP transfers of hearth-mount: any number at once on libcurl's multi interface, without threads. A token
 * goes to the origin of the Hub's endpoint and nowhere else; redirects are told, not followed.
 */
#ifndef HEARTH_HUB_HUB_TRANSFER_H
#define HEARTH_HUB_HUB_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub_client;
struct hub_transfer;

/* What came. Texts are borrowed for the call; "" when there is none. */
struct hub_answer {
	int status;	      /* 0: no answer; `problem` says why */
	bool is_complete;     /* all of the body came, or `data` had enough */
	const char *problem;
	const char *location; /* of a redirect, absolute */
	const char *next;     /* Link: <…>; rel="next" */
	const char *error_code, *error_message;
	int64_t retry_after_s; /* -1: not said */
};

struct hub_request {
	const char *url;
	int64_t first, last; /* a range; `last` -1: none */
	int64_t stall_s;     /* given up after so long without a byte */
	/* Pieces of the body of a 2xx answer; `offset` is their place in the whole file, `total` that file's size
	 * as told by the answer (-1: not told). False: enough. May not start or cancel transfers. */
	bool (*data)(void *arg, int64_t offset, int64_t total, const char *data, size_t len);
	/* Once, from hub_client_work(), unless the transfer is cancelled before; it is gone afterwards. */
	void (*done)(void *arg, const struct hub_answer *answer);
	void *arg;
};

/* `token` may be "". */
struct hub_client *hub_client_new(const char *endpoint, const char *token);
void hub_client_free(struct hub_client *client); /* cancels what is under way */
bool hub_client_is_ours(const struct hub_client *client, const char *url); /* of the endpoint's origin */
struct hub_transfer *hub_transfer_start(struct hub_client *client, const struct hub_request *request);
void hub_transfer_cancel(struct hub_transfer *transfer); /* not from inside of `data` */
/* Work on all transfers without waiting: here `data` and `done` are called. True: some are done. */
bool hub_client_work(struct hub_client *client);
/* Wait at most so long for work, and for `fd` (-1: none). True: `fd` is readable. */
bool hub_client_wait(struct hub_client *client, int fd, int wait_ms);

#endif
