/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of jobs. One more row than asked for is read, to know whether a next page exists. A page
 * also ends before it grows beyond PAGE_BYTES_MAX: environments may be megabytes, and the link goes
 * on.
 */
#include "api/access.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "api/job_json.h"
#include "api/jobs.h"
#include "api/jobs_filter.h"
#include "api/page_link.h"
#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

#define PAGE_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define LINK_MAX ((size_t)16 * 1024)

struct page {
	struct job_service *service;
	struct buffer json;
	struct job_json_context context;
	int n, limit;
	bool has_more;
	char last_id[ID_SIZE];
};

static void page_add(void *arg, struct job_record *job)
{
	struct page *page = arg;
	char message[JOB_STATUS_MESSAGE_SIZE];

	if (page->has_more || page->n == page->limit || page->json.len > PAGE_BYTES_MAX) {
		page->has_more = true;
		return;
	}
	if ((page->n > 0 && buffer_add_byte(&page->json, ',') < 0) ||
	    job_json_write(&page->json, job, job_status_message(page->service, job, message),
	                   &page->context) < 0)
		BUG("a page of jobs does not fit into its buffer");
	page->n++;
	memcpy(page->last_id, job->id, ID_SIZE);
}

static void page_add_link(const struct page *page, struct http_request *request)
{
	autobuffer struct buffer link = BUFFER_INIT(LINK_MAX);

	if (page_link_write(&link, page->context.base_url, http_path(request),
	                    http_raw_query(request), page->last_id) == 0)
		http_add_header(request, "Link", buffer_text(&link));
}

void jobs_list(struct http_request *request, void *context)
{
	struct api *api = context;
	autofilter struct jobs_filter filter = {0};
	struct error err = ERROR_INIT;
	struct page page = {
	        .service = api->jobs,
	        .json = BUFFER_INIT(PAGE_BYTES_MAX + 2 * JOBS_OBJECT_MAX),
	        .context.base_url = http_base_url(request, api->configuration->public_url),
	        .context.now_ms = clock_now_ms(),
	        .context.db = api->db,
	};

	if (jobs_filter_read(request, access_of(request)->ns.id, &filter, &err) < 0 ||
	    jobs_filter_read_page(request, &filter, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	page.limit = filter.query.limit++;
	(void)buffer_add_byte(&page.json, '[');
	jobs_each(api->db, &filter.query, page_add, &page);
	(void)buffer_add_byte(&page.json, ']');
	if (page.has_more)
		page_add_link(&page, request);
	answer_json(request, 200, &page.json);
	buffer_clear(&page.json);
}

void jobs_count_matching(struct http_request *request, void *context)
{
	struct api *api = context;
	autofilter struct jobs_filter filter = {0};
	autobuffer struct buffer json = BUFFER_INIT(64);
	struct error err = ERROR_INIT;

	if (jobs_filter_read(request, access_of(request)->ns.id, &filter, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	(void)buffer_printf(&json, "{\"count\":%" PRId64 "}", jobs_count(api->db, &filter.query));
	answer_json(request, 200, &json);
}
