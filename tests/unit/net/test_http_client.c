/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client against our own server on the same loop: redirects and what goes with them,
 * addresses that are not allowed, answers that are too long. */
#include "../unit.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/http_url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct loop *loop;
	struct http_server *server;
	struct http_client *client;
	int port, other_port; /* on 127.0.0.1 and 127.0.0.2 */
	char location[256];
	/* what the server saw last, and what came back */
	char seen_body[64], seen_private[64], seen_plain[64];
	int seen, status;
	size_t answer_len;
	char headers[1024], url[256];
	struct error err;
};

static void serve_redirect(struct http_request *request, void *context)
{
	struct fixture *f = context;

	f->seen++;
	http_add_header(request, "Location", f->location);
	http_respond(request, atoi(http_param(request, "status")), "text/plain", "", 0);
}

static void note(char ret[64], const char *text)
{
	snprintf(ret, 64, "%s", text ? text : "-");
}

static void serve_target(struct http_request *request, void *context)
{
	struct fixture *f = context;
	size_t len;

	f->seen++;
	note(f->seen_body, http_body(request, &len));
	note(f->seen_private, http_header(request, "X-Private"));
	note(f->seen_plain, http_header(request, "X-Plain"));
	http_add_header(request, "X-Answer", "here");
	http_respond(request, 200, "text/plain", "0123456789", 10);
}

static const struct http_route routes[] = {
        {.method = "POST",
         .pattern = "/redirect/{status}",
         .handler = serve_redirect,
         .max_body = 1000},
        {.method = "POST", .pattern = "/target", .handler = serve_target, .max_body = 1000},
        {0}};

static int setup(void **state)
{
	struct http_server_options options = {
	        .max_connections = 100, .idle_timeout_s = 10, .spool_dir = "/tmp"};
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct error err = ERROR_INIT;

	f->loop = loop_new();
	f->client = http_client_new(f->loop);
	assert_int_equal(http_server_new(f->loop, routes, &options, f, &f->server, &err), 0);
	assert_int_equal(http_server_listen(f->server, "127.0.0.1:0", &f->port, &err), 0);
	assert_int_equal(http_server_listen(f->server, "127.0.0.2:0", &f->other_port, &err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_client_free(f->client);
	http_server_free(f->server);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void answered(void *arg, int status, const char *body, size_t len, const struct error *err)
{
	struct fixture *f = arg;

	f->status = status;
	f->answer_len = len;
	f->err = *err;
	snprintf(f->headers, sizeof(f->headers), "%s", http_client_answer_headers(f->client));
	snprintf(f->url, sizeof(f->url), "%s", http_client_answer_url(f->client));
	loop_stop(f->loop);
}

static bool only_first_address(const struct sockaddr *address)
{
	struct sockaddr_in in;

	memcpy(&in, address, sizeof(in));
	return in.sin_family == AF_INET && in.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

/* POST to `path` of the first address; what is not set in `request` is as for a webhook. */
static void post(struct fixture *f, const char *path, struct http_client_request request)
{
	static const char *const plain[] = {"X-Plain: yes", NULL}, *const private[] = {
	                                                                   "X-Private: yes", NULL};
	char url[256];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", f->port, path);
	request.method = "POST";
	request.url = url;
	request.headers = plain;
	request.private_headers = private;
	request.body = "hello";
	request.body_len = 5;
	request.timeout_ms = 5000;
	if (!request.max_response)
		request.max_response = 100;
	f->seen = 0;
	note(f->seen_private, NULL);
	http_client_send(f->client, &request, answered, f);
	loop_run(f->loop);
}

static void redirects_repeat_the_request(void **state)
{
	static const char *const paths[] = {"/redirect/301", "/redirect/302", "/redirect/307",
	                                    "/redirect/308"};
	struct fixture *f = *state;

	snprintf(f->location, sizeof(f->location), "/target");
	for (size_t i = 0; i < 4; i++) {
		post(f, paths[i], (struct http_client_request){.max_redirects = 1});
		assert_int_equal(f->status, 200);
		assert_string_equal(f->seen_body, "hello");
		assert_string_equal(f->seen_private, "yes");
		assert_non_null(strstr(f->headers, "X-Answer: here"));
		assert_null(strstr(f->headers, "Location"));
		assert_non_null(strstr(f->url, "/target"));
	}
	post(f, "/redirect/303", (struct http_client_request){.max_redirects = 1});
	assert_int_equal(f->status, 303);
	assert_int_equal(f->seen, 1);
}

static void another_host_gets_no_private_headers(void **state)
{
	struct fixture *f = *state;

	snprintf(f->location, sizeof(f->location), "http://127.0.0.2:%d/target", f->other_port);
	post(f, "/redirect/307", (struct http_client_request){.max_redirects = 1});
	assert_int_equal(f->status, 200);
	assert_string_equal(f->seen_private, "-");
	assert_string_equal(f->seen_plain, "yes");
}

static void redirects_end(void **state)
{
	struct fixture *f = *state;

	snprintf(f->location, sizeof(f->location), "/redirect/308");
	post(f, "/redirect/308", (struct http_client_request){.max_redirects = 3});
	assert_int_equal(f->status, 308);
	assert_int_equal(f->seen, 4);
	post(f, "/redirect/308", (struct http_client_request){.max_redirects = 0});
	assert_int_equal(f->seen, 1);
	snprintf(f->location, sizeof(f->location), "file:///etc/passwd");
	post(f, "/redirect/308", (struct http_client_request){.max_redirects = 3});
	assert_int_equal(f->status, 0);
	assert_int_equal(f->answer_len, 0);
}

/* Also when a redirect leads there, and also when a connection to it is open already. */
static void addresses_are_judged_at_each_hop(void **state)
{
	struct fixture *f = *state;

	snprintf(f->location, sizeof(f->location), "http://127.0.0.2:%d/target", f->other_port);
	post(f, "/target", (struct http_client_request){.allows = only_first_address});
	assert_int_equal(f->status, 200);
	post(f, "/redirect/307",
	     (struct http_client_request){.allows = only_first_address, .max_redirects = 3});
	assert_int_equal(f->status, 0);
	assert_int_equal(f->err.code, E_FORBIDDEN);
	assert_int_equal(f->seen, 1);
	assert_non_null(strstr(f->url, "127.0.0.2"));
}

static void long_answers(void **state)
{
	struct fixture *f = *state;

	post(f, "/target", (struct http_client_request){.max_response = 4});
	assert_int_equal(f->status, 0);
	assert_non_null(strstr(f->err.text, "4 bytes"));
	post(f, "/target", (struct http_client_request){.max_response = 4, .is_cut = true});
	assert_int_equal(f->status, 200);
	assert_int_equal(f->answer_len, 4);
}

static void what_may_share_private_headers(void **state)
{
	assert_true(http_url_may_share("http://A.example/x", "http://a.example:8080/y"));
	assert_true(http_url_may_share("http://a.example/x", "https://a.example/y"));
	assert_false(http_url_may_share("https://a.example/x", "http://a.example/x"));
	assert_false(http_url_may_share("https://a.example/x", "https://b.example/x"));
	assert_false(http_url_may_share("https://a.example/x", "https://a.example.evil/x"));
	assert_false(http_url_may_share("https://a.example/x", "https://a.example@evil/x"));
	assert_false(http_url_may_share("https://a.example/x", "nonsense"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(redirects_repeat_the_request, setup, teardown),
	        cmocka_unit_test_setup_teardown(another_host_gets_no_private_headers, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(redirects_end, setup, teardown),
	        cmocka_unit_test_setup_teardown(addresses_are_judged_at_each_hop, setup, teardown),
	        cmocka_unit_test_setup_teardown(long_answers, setup, teardown),
	        cmocka_unit_test(what_may_share_private_headers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
