/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of upstream tokens, and the questions under way. An entry is made when the first
 * request brings a token, collects the requests that bring the same one meanwhile, and then holds
 * the verdict until it expires. What the Hub says about a user is turned into accounts by
 * upstream_accounts.c.
 */
#include "api/upstream.h"

#include "api/upstream_accounts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <string.h>

#define ENTRIES_MAX 4096 /* remembered verdicts; the oldest goes first */
#define ASKING_MAX 64 /* questions at once: a flood of made-up tokens must not become one there */
#define REFUSAL_MS (30 * 1000)
#define ANSWER_MAX (1024 * 1024)
#define ANSWER_TIMEOUT_MS (10 * 1000)
#define TOKEN_LENGTH_MAX 512

struct upstream_wait {
	upstream_fn *fn;
	void *arg;
	struct upstream_entry *entry;
	struct upstream_wait *next;
};

struct upstream_entry {
	struct upstream *upstream;
	char hash[TOKEN_HASH_SIZE];
	enum upstream_verdict verdict; /* UPSTREAM_UNKNOWN while the Hub is being asked */
	int64_t expires_ms;
	struct caller caller;
	struct upstream_wait *waits;
	struct upstream_entry *next; /* newest first */
};

struct upstream {
	struct api *api;
	char *url;
	struct upstream_entry *entries;
	int n_entries, n_asking;
};

struct upstream *upstream_new(struct api *api)
{
	struct upstream *upstream = xcalloc(1, sizeof(*upstream));
	const char *base = api->configuration->upstream_url;
	size_t len = strlen(base);

	while (len > 0 && base[len - 1] == '/')
		len--;
	upstream->api = api;
	upstream->url = xasprintf("%.*s/api/whoami-v2", (int)len, base);
	return upstream;
}

static void upstream_entry_free(struct upstream_entry *entry)
{
	caller_clear(&entry->caller);
	free(entry);
}

void upstream_free(struct upstream *upstream)
{
	struct upstream_entry *entry, *next;

	if (!upstream)
		return;
	for (entry = upstream->entries; entry; entry = next) {
		next = entry->next;
		upstream_entry_free(entry);
	}
	free(upstream->url);
	free(upstream);
}

static void upstream_forget(struct upstream *upstream, struct upstream_entry *entry)
{
	struct upstream_entry **link = &upstream->entries;

	while (*link && *link != entry)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = entry->next;
	upstream->n_entries--;
	upstream_entry_free(entry);
}

/* Drop what has expired, and the oldest verdict when there is no room. */
static void upstream_make_room(struct upstream *upstream)
{
	int64_t now = clock_monotonic_ms();
	struct upstream_entry *entry = upstream->entries, *next, *oldest = NULL;

	for (; entry; entry = next) {
		next = entry->next;
		if (entry->verdict == UPSTREAM_UNKNOWN)
			continue;
		if (entry->expires_ms <= now)
			upstream_forget(upstream, entry);
		else
			oldest = entry;
	}
	if (upstream->n_entries >= ENTRIES_MAX && oldest)
		upstream_forget(upstream, oldest);
}

static struct upstream_entry *upstream_entry_find(struct upstream *upstream, const char *hash)
{
	struct upstream_entry *entry = upstream->entries;

	while (entry && strcmp(entry->hash, hash) != 0)
		entry = entry->next;
	return entry;
}

/* Nothing that could not be a token is worth a question, or fit for a header. */
static bool upstream_is_plausible(const char *token)
{
	size_t len = strlen(token);

	if (len < 8 || len > TOKEN_LENGTH_MAX)
		return false;
	for (; *token; token++) {
		if (*token <= ' ' || *token > '~')
			return false;
	}
	return true;
}

/* The account was removed here since. */
static bool upstream_is_removed(const struct upstream *upstream, const struct upstream_entry *entry)
{
	const struct account *user = &entry->caller.user;
	struct account now;

	return entry->verdict == UPSTREAM_VALID &&
	       (!accounts_find(upstream->api->db, user->name, &now) ||
	        strcmp(now.id, user->id) != 0);
}

enum upstream_verdict upstream_find(struct upstream *upstream, const char *token,
                                    struct caller *ret)
{
	struct upstream_entry *entry;
	char hash[TOKEN_HASH_SIZE];

	if (!upstream_is_plausible(token))
		return UPSTREAM_REFUSED;
	token_hash(token, hash);
	entry = upstream_entry_find(upstream, hash);
	if (!entry || entry->verdict == UPSTREAM_UNKNOWN)
		return UPSTREAM_UNKNOWN;
	if (entry->expires_ms <= clock_monotonic_ms() || upstream_is_removed(upstream, entry)) {
		upstream_forget(upstream, entry);
		return UPSTREAM_UNKNOWN;
	}
	if (entry->verdict == UPSTREAM_VALID) {
		bool is_admin = ret->is_admin;

		*ret = entry->caller;
		ret->is_admin = is_admin;
		json_incref(ret->write_in);
	}
	return entry->verdict;
}

/* Tell all who wait. A waiter may cancel another one, so the list is taken one by one. */
static void upstream_tell(struct upstream_entry *entry, const struct error *err)
{
	while (entry->waits) {
		struct upstream_wait *wait = entry->waits;

		entry->waits = wait->next;
		wait->fn(wait->arg, err ? NULL : &entry->caller, err);
		free(wait);
	}
}

static int upstream_judge(struct upstream_entry *entry, int status, const char *body, size_t len,
                          const struct error *transport, struct error *err)
{
	struct upstream *upstream = entry->upstream;
	int64_t keep_ms = upstream->api->configuration->upstream_cache_s * 1000;
	int64_t now = clock_monotonic_ms();

	if (status == 401 || status == 403) {
		entry->verdict = UPSTREAM_REFUSED;
		entry->expires_ms = now + (keep_ms < REFUSAL_MS ? keep_ms : REFUSAL_MS);
		return fail(err, E_UNAUTHORIZED, "Invalid credentials in Authorization header");
	}
	if (status != 200) {
		log_warning("the upstream Hub (%s) cannot check a token: %s", upstream->url,
		            status ? "unexpected status" : transport->text);
		return fail(err, E_UNAVAILABLE,
		            "The upstream Hub that knows this token does not answer; try later");
	}
	if (upstream_accounts_adopt(upstream->api->db, body, len, &entry->caller, err) < 0) {
		log_warning("the upstream Hub (%s): %s", upstream->url, err->text);
		return -1;
	}
	entry->verdict = UPSTREAM_VALID;
	entry->expires_ms = now + keep_ms;
	return 0;
}

static void upstream_answered(void *arg, int status, const char *body, size_t len,
                              const struct error *transport)
{
	struct upstream_entry *entry = arg;
	struct upstream *upstream = entry->upstream;
	struct error err = ERROR_INIT;

	upstream->n_asking--;
	if (upstream_judge(entry, status, body, len, transport, &err) == 0)
		upstream_tell(entry, NULL);
	else
		upstream_tell(entry, &err);
	if (entry->verdict == UPSTREAM_UNKNOWN)
		upstream_forget(upstream, entry);
}

static void upstream_send(struct upstream *upstream, const char *token,
                          struct upstream_entry *entry)
{
	char *header = xasprintf("Authorization: Bearer %s", token);
	const char *headers[] = {header, "User-Agent: hearth/" HEARTH_VERSION, NULL};
	struct http_client_request request = {
	        .method = "GET",
	        .url = upstream->url,
	        .headers = headers,
	        .max_response = ANSWER_MAX,
	        .timeout_ms = ANSWER_TIMEOUT_MS,
	};

	upstream->n_asking++;
	http_client_send(upstream->api->client, &request, upstream_answered, entry);
	seal_wipe(header, strlen(header));
	free(header);
}

static struct upstream_entry *upstream_entry_new(struct upstream *upstream, const char *hash)
{
	struct upstream_entry *entry;

	upstream_make_room(upstream);
	entry = xcalloc(1, sizeof(*entry));
	entry->upstream = upstream;
	snprintf(entry->hash, sizeof(entry->hash), "%s", hash);
	entry->next = upstream->entries;
	upstream->entries = entry;
	upstream->n_entries++;
	return entry;
}

int upstream_ask(struct upstream *upstream, const char *token, upstream_fn *fn, void *arg,
                 struct upstream_wait **ret, struct error *err)
{
	char hash[TOKEN_HASH_SIZE];
	struct upstream_entry *entry;
	struct upstream_wait *wait;

	token_hash(token, hash);
	entry = upstream_entry_find(upstream, hash);
	if (!entry) {
		if (upstream->n_asking >= ASKING_MAX)
			return fail(err, E_UNAVAILABLE,
			            "Too many unknown tokens are being checked; try later");
		entry = upstream_entry_new(upstream, hash);
		upstream_send(upstream, token, entry);
	}
	wait = xcalloc(1, sizeof(*wait));
	*wait = (struct upstream_wait){.fn = fn, .arg = arg, .entry = entry, .next = entry->waits};
	entry->waits = wait;
	*ret = wait;
	return 0;
}

void upstream_cancel(struct upstream_wait *wait)
{
	struct upstream_wait **link = &wait->entry->waits;

	while (*link && *link != wait)
		link = &(*link)->next;
	if (*link)
		*link = wait->next;
	free(wait);
}
