/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain pages for people who follow a link. They are the same for everybody: nothing in them
 * depends on what exists, so that a page tells no more than its address.
 */
#include "api/answer.h"
#include "api/handlers.h"

#include <ctype.h>
#include <string.h>

#define PAGE_MAX ((size_t)16 * 1024)
#define SHOWN_MAX 200 /* of a name in an address */

static void pages_escape(struct buffer *ret, const char *text)
{
	size_t len = strnlen(text, SHOWN_MAX);

	for (size_t i = 0; i < len; i++) {
		switch (text[i]) {
		case '&':
			(void)buffer_add_text(ret, "&amp;");
			break;
		case '<':
			(void)buffer_add_text(ret, "&lt;");
			break;
		case '>':
			(void)buffer_add_text(ret, "&gt;");
			break;
		case '"':
			(void)buffer_add_text(ret, "&quot;");
			break;
		case '\'':
			(void)buffer_add_text(ret, "&#39;");
			break;
		default:
			(void)buffer_add_byte(ret, text[i]);
		}
	}
}

static void pages_begin(struct buffer *ret, const char *title)
{
	(void)buffer_add_text(ret,
	                      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	                      "<meta name=\"viewport\" content=\"width=device-width\"><title>");
	pages_escape(ret, title);
	(void)buffer_add_text(ret, "</title><style>body{font:1rem/1.5 system-ui,sans-serif;"
	                           "max-width:44rem;margin:3rem auto;padding:0 1rem}"
	                           "pre{background:#8882;padding:.8rem;overflow-x:auto}"
	                           "</style></head><body>\n");
}

static void pages_send(struct http_request *request, struct buffer *page)
{
	(void)buffer_add_text(page, "</body></html>\n");
	http_add_header(request, "Content-Security-Policy",
	                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
	http_add_header(request, "X-Content-Type-Options", "nosniff");
	http_add_header(request, "Referrer-Policy", "no-referrer");
	http_respond(request, 200, "text/html; charset=utf-8", buffer_text(page), page->len);
}

/* export HF_ENDPOINT=… */
static void pages_add_endpoint(struct buffer *page, struct http_request *request,
                               const struct api *api)
{
	(void)buffer_add_text(page, "<pre>export HF_ENDPOINT=");
	pages_escape(page, http_base_url(request, api->configuration->public_url));
	(void)buffer_add_text(page, "\nexport HF_TOKEN=hf_…\n");
}

void pages_home(struct http_request *request, void *context)
{
	autobuffer struct buffer page = BUFFER_INIT(PAGE_MAX);

	pages_begin(&page, "Hearth");
	(void)buffer_add_text(&page, "<h1>Hearth</h1>\n<p>Jobs on your own machines, for the "
	                             "unmodified <code>hf</code> command.</p>\n");
	pages_add_endpoint(&page, request, context);
	(void)buffer_add_text(
	        &page,
	        "hf jobs run python:3.12 python -c 'print(\"Hello\")'\nhf jobs ps -a</pre>\n"
	        "<p><a href=\"/settings/tokens\">How tokens are made</a> · "
	        "<a href=\"/openapi.json\">The API</a> · <a href=\"/healthz\">Health</a></p>\n");
	pages_send(request, &page);
}

void pages_job(struct http_request *request, void *context)
{
	autobuffer struct buffer page = BUFFER_INIT(PAGE_MAX);
	const char *ns = http_param(request, "ns"), *id = http_param(request, "id");

	pages_begin(&page, "Job");
	(void)buffer_add_text(&page, "<h1>Job <code>");
	pages_escape(&page, id);
	(void)buffer_add_text(&page, "</code></h1>\n<p>This page shows nothing of the job itself: "
	                             "that needs a token. On the command line:</p>\n");
	pages_add_endpoint(&page, request, context);
	(void)buffer_add_text(&page, "hf jobs inspect --namespace ");
	pages_escape(&page, ns);
	(void)buffer_add_text(&page, " ");
	pages_escape(&page, id);
	(void)buffer_add_text(&page, "\nhf jobs logs --namespace ");
	pages_escape(&page, ns);
	(void)buffer_add_text(&page, " ");
	pages_escape(&page, id);
	(void)buffer_add_text(&page, "</pre>\n");
	pages_send(request, &page);
}

void pages_bucket(struct http_request *request, void *context)
{
	autobuffer struct buffer page = BUFFER_INIT(PAGE_MAX), name = BUFFER_INIT(PAGE_MAX);

	(void)buffer_printf(&name, "%s/%s", http_param(request, "ns"), http_param(request, "name"));
	pages_begin(&page, "Bucket");
	(void)buffer_add_text(&page, "<h1>Bucket <code>");
	pages_escape(&page, buffer_text(&name));
	(void)buffer_add_text(&page,
	                      "</code></h1>\n<p>This page shows nothing of the bucket itself. "
	                      "On the command line:</p>\n");
	pages_add_endpoint(&page, request, context);
	(void)buffer_add_text(&page, "hf buckets list ");
	pages_escape(&page, buffer_text(&name));
	(void)buffer_add_text(&page, " -R\nhf buckets sync hf://buckets/");
	pages_escape(&page, buffer_text(&name));
	(void)buffer_add_text(&page, " ./folder</pre>\n");
	pages_send(request, &page);
}

void pages_tokens(struct http_request *request, void *context)
{
	static const char text[] =
	        "Tokens are made on the machine where the server runs, by its administrator:\n\n"
	        "    hearth admin token create USER --name NAME\n"
	        "    hearth admin token create USER --name NAME --role read\n"
	        "    hearth admin token list USER\n"
	        "    hearth admin token revoke USER NAME\n\n"
	        "The text of a token (hf_...) is shown once. Then, on your computer:\n\n"
	        "    hf auth login --token hf_...\n";

	http_add_header(request, "X-Content-Type-Options", "nosniff");
	http_respond(request, 200, "text/plain; charset=utf-8", text, sizeof(text) - 1);
}

/* One letter on a colour that depends on the name; made for any name, known or not. */
void pages_avatar(struct http_request *request, void *context)
{
	autobuffer struct buffer svg = BUFFER_INIT(PAGE_MAX);
	const char *file = http_param(request, "file");
	unsigned hue = 0;

	for (const char *c = file; *c && *c != '.'; c++)
		hue = (hue * 31 + (unsigned char)*c) % 360;
	(void)buffer_printf(
	        &svg,
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\">"
	        "<rect width=\"64\" height=\"64\" fill=\"hsl(%u,45%%,45%%)\"/>"
	        "<text x=\"32\" y=\"44\" font-family=\"sans-serif\" font-size=\"36\" "
	        "fill=\"#fff\" text-anchor=\"middle\">%c</text></svg>\n",
	        hue, isalnum((unsigned char)file[0]) ? toupper((unsigned char)file[0]) : '?');
	http_add_header(request, "X-Content-Type-Options", "nosniff");
	http_add_header(request, "Cache-Control", "public, max-age=86400");
	http_respond(request, 200, "image/svg+xml", buffer_text(&svg), svg.len);
}
