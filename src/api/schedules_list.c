/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of schedules and of their ticks. The official clients follow no link in the list of
 * schedules and expect all of it; so it is streamed, some rows at a time, as the client takes it.
 */
#include "api/schedules.h"

#include "api/access.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/page_link.h"
#include "base/json.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_PER_FILL 100
#define PENDING_MAX (2 * JOBS_OBJECT_MAX + PAGE_ENOUGH)
#define PENDING_ENOUGH ((size_t)256 * 1024)
#define FILTERS_MAX 20
#define PAGE_ENOUGH ((size_t)8 * 1024 * 1024)
#define LINK_MAX ((size_t)16 * 1024)
#define LIMIT_MAX 1000
#define HISTORY_DEFAULT 100
#define TICK_TEXT_MAX ((size_t)8 * 1024)

struct filters {
	char *keys[FILTERS_MAX], *values[FILTERS_MAX];
	size_t n;
	bool is_bad;
};

struct list {
	struct api *api;
	int64_t limit; /* rows of this answer; 0: all */
	int64_t count;
	char namespace_id[ID_SIZE];
	char *base_url;
	int64_t before_seq;
	struct filters filters;
	struct buffer pending;
	size_t sent; /* of `pending` */
	int seen;    /* rows of this round */
	bool has_any, is_over;
	bool has_more;    /* behind the limit, */
	int64_t last_seq; /* after this one */
};

static bool filters_add(void *arg, const char *value)
{
	struct filters *filters = arg;
	const char *sign = strchr(value, '=');

	if (!sign || sign == value || filters->n == FILTERS_MAX) {
		filters->is_bad = true;
		return false;
	}
	filters->keys[filters->n] = xstrndup(value, (size_t)(sign - value));
	filters->values[filters->n++] = xstrdup(sign + 1);
	return true;
}

static void filters_clear(struct filters *filters)
{
	for (size_t i = 0; i < filters->n; i++) {
		free(filters->keys[i]);
		free(filters->values[i]);
	}
}

static bool filters_match(const struct filters *filters, const json_t *labels)
{
	for (size_t i = 0; i < filters->n; i++) {
		const char *value = json_get_text(labels, filters->keys[i], NULL);

		if (!value || strcmp(value, filters->values[i]) != 0)
			return false;
	}
	return true;
}

static bool list_add(void *arg, struct schedule_record *schedule)
{
	struct list *list = arg;
	const struct schedule_json_context context = {.service = list->api->schedules,
	                                              .base_url = list->base_url};

	list->before_seq = schedule->seq;
	list->seen++;
	if (!filters_match(&list->filters, schedule->labels))
		return true;
	if (list->limit && list->count++ == list->limit) {
		list->has_more = true;
		return false;
	}
	list->last_seq = schedule->seq;
	if ((list->has_any && buffer_add_byte(&list->pending, ',') < 0) ||
	    schedule_json_write(&list->pending, schedule, &context) < 0)
		BUG("schedule %s does not fit into its buffer", schedule->id);
	list->has_any = true;
	return list->limit || list->pending.len < PENDING_ENOUGH;
}

static void list_read_more(struct list *list)
{
	buffer_reset(&list->pending);
	list->sent = 0;
	list->seen = 0;
	if (list->before_seq == INT64_MAX)
		(void)buffer_add_byte(&list->pending, '[');
	schedules_each(list->api->db, list->namespace_id, list->before_seq, ROWS_PER_FILL, list_add,
	               list);
	if (list->seen == 0) {
		(void)buffer_add_byte(&list->pending, ']');
		list->is_over = true;
	}
}

static ssize_t list_fill(void *arg, char *data, size_t max)
{
	struct list *list = arg;
	size_t n;

	while (list->sent == list->pending.len) {
		if (list->is_over)
			return -1;
		list_read_more(list);
	}
	n = list->pending.len - list->sent;
	if (n > max)
		n = max;
	memcpy(data, list->pending.data + list->sent, n);
	list->sent += n;
	return (ssize_t)n;
}

static void list_done(void *arg)
{
	struct list *list = arg;

	filters_clear(&list->filters);
	buffer_clear(&list->pending);
	free(list->base_url);
	free(list);
}

static int query_read_number(struct http_request *request, const char *name, int64_t max,
                             int64_t *ret, struct error *err)
{
	const char *text = http_query(request, name);
	int64_t value = 0;

	if (!text)
		return 0;
	for (const char *p = text; *p >= '0' && *p <= '9' && value <= max; p++)
		value = value * 10 + (*p - '0');
	if (!*text || text[strspn(text, "0123456789")] || value < 1 || value > max)
		return fail(err, E_INVALID, "%s must be a whole number from 1 to %" PRId64, name,
		            max);
	*ret = value;
	return 0;
}

/* A page, as nobody but our own tools ask for it. */
static void list_answer_page(struct http_request *request, struct list *list)
{
	autobuffer struct buffer link = BUFFER_INIT(LINK_MAX);
	char cursor[32];

	(void)buffer_add_byte(&list->pending, '[');
	do {
		list->seen = 0;
		schedules_each(list->api->db, list->namespace_id, list->before_seq, ROWS_PER_FILL,
		               list_add, list);
	} while (list->seen && !list->has_more && list->pending.len < PAGE_ENOUGH);
	(void)buffer_add_byte(&list->pending, ']');
	snprintf(cursor, sizeof(cursor), "%" PRId64, list->last_seq);
	if ((list->has_more || list->seen) &&
	    page_link_write(&link, list->base_url, http_path(request), http_raw_query(request),
	                    cursor) == 0)
		http_add_header(request, "Link", buffer_text(&link));
	answer_json(request, 200, &list->pending);
	list_done(list);
}

static int list_read_query(struct http_request *request, struct list *list, struct error *err)
{
	http_query_each(request, "label", filters_add, &list->filters);
	if (list->filters.is_bad)
		return fail(err, E_INVALID, "label must have the form key=value, at most %d times",
		            FILTERS_MAX);
	if (query_read_number(request, "limit", LIMIT_MAX, &list->limit, err) < 0)
		return -1;
	return query_read_number(request, "cursor", INT64_C(1) << 53, &list->before_seq, err);
}

void schedules_list(struct http_request *request, void *context)
{
	struct api *api = context;
	struct list *list = xcalloc(1, sizeof(*list));
	struct error err = ERROR_INIT;

	*list = (struct list){
	        .api = api,
	        .base_url = xstrdup(http_base_url(request, api->configuration->public_url)),
	        .before_seq = INT64_MAX,
	        .pending = BUFFER_INIT(PENDING_MAX),
	};
	memcpy(list->namespace_id, access_of(request)->ns.id, ID_SIZE);
	if (list_read_query(request, list, &err) < 0) {
		list_done(list);
		answer_error(request, &err);
	} else if (list->limit) {
		list_answer_page(request, list);
	} else {
		(void)http_respond_stream(request, 200, "application/json",
		                          &(struct http_stream_source){.fill = list_fill,
		                                                       .done = list_done,
		                                                       .arg = list});
	}
}

struct history {
	struct buffer json;
	int n, limit;
	bool has_more;
	int64_t last_ms;
};

static void history_add(void *arg, const struct tick *tick)
{
	struct history *history = arg;

	if (history->n == history->limit) {
		history->has_more = true;
		return;
	}
	if ((history->n > 0 && buffer_add_byte(&history->json, ',') < 0) ||
	    schedule_json_write_tick(&history->json, tick) < 0)
		BUG("a page of ticks does not fit into its buffer");
	history->last_ms = tick->due_ms;
	history->n++;
}

void schedules_answer_history(struct api *api, struct http_request *request,
                              const struct schedule_record *schedule)
{
	const char *base_url = http_base_url(request, api->configuration->public_url);
	autobuffer struct buffer link = BUFFER_INIT(LINK_MAX);
	struct error err = ERROR_INIT;
	int64_t before_ms = INT64_MAX, limit = HISTORY_DEFAULT;
	struct history history = {.json = BUFFER_INIT(LIMIT_MAX * TICK_TEXT_MAX)};
	char cursor[32];

	if (query_read_number(request, "cursor", INT64_C(1) << 53, &before_ms, &err) < 0 ||
	    query_read_number(request, "limit", LIMIT_MAX, &limit, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	history.limit = (int)limit;
	(void)buffer_add_byte(&history.json, '[');
	ticks_each(api->db, schedule->seq, before_ms, history.limit + 1, history_add, &history);
	(void)buffer_add_byte(&history.json, ']');
	snprintf(cursor, sizeof(cursor), "%" PRId64, history.last_ms);
	if (history.has_more && page_link_write(&link, base_url, http_path(request),
	                                        http_raw_query(request), cursor) == 0)
		http_add_header(request, "Link", buffer_text(&link));
	answer_json(request, 200, &history.json);
	buffer_clear(&history.json);
}
