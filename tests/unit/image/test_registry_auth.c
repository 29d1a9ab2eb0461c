/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/address_guard.h"
#include "image/registry_auth.h"
#include "image/registry_http.h"
#include "image/registry_url.h"

#include <arpa/inet.h>
#include <string.h>

static void test_challenges(void **state)
{
	struct auth_challenge c;

	assert_true(
	        auth_parse_challenge("Bearer realm=\"https://auth.docker.io/token\",service="
	                             "\"registry.docker.io\",scope=\"repository:library/x:pull\"",
	                             &c));
	assert_int_equal(c.scheme, AUTH_BEARER);
	assert_string_equal(c.realm, "https://auth.docker.io/token");
	assert_string_equal(c.service, "registry.docker.io");
	assert_string_equal(c.scope, "repository:library/x:pull");

	assert_true(auth_parse_challenge(
	        "Basic realm=\"x\", bearer  realm = \"https://a\" , service=b", &c));
	assert_int_equal(c.scheme, AUTH_BEARER);
	assert_string_equal(c.realm, "https://a");
	assert_string_equal(c.service, "b");
	assert_string_equal(c.scope, "");

	assert_true(auth_parse_challenge("Negotiate, Basic realm=\"say \\\"hi\\\", please\"", &c));
	assert_int_equal(c.scheme, AUTH_BASIC);
	assert_string_equal(c.realm, "say \"hi\", please");
	assert_true(auth_parse_challenge("Basic", &c));
	assert_true(auth_parse_challenge("Digest realm=\"x\", nonce=\"a==\", Basic realm=y", &c));
	assert_int_equal(c.scheme, AUTH_BASIC);
}

static void test_bad_challenges(void **state)
{
	static const char *const bad[] = {"",
	                                  ",",
	                                  "Negotiate",
	                                  "Bearer",
	                                  "Bearer service=\"x\"",
	                                  "Bearer realm=\"x",
	                                  "Bearer realm=\"a\nb\"",
	                                  "Bearer =x",
	                                  "Digest realm=\"x\"",
	                                  "\"",
	                                  "Basic realm"};
	struct auth_challenge c;
	char huge[4096] = "Bearer realm=\"https://";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		c.scheme = AUTH_NONE;
		if (auth_parse_challenge(bad[i], &c) && c.scheme == AUTH_BEARER)
			fail_msg("taken: %s", bad[i]);
	}
	memset(huge + strlen(huge), 'x', 3000);
	strcpy(huge + 3010, "\"");
	assert_false(auth_parse_challenge(huge, &c));
}

static void find(const char *config_text, const char *host, const char *path, const char *user,
                 const char *password)
{
	struct auth_credentials c = {0};
	struct error err = ERROR_INIT;
	autojson json_t *config = NULL;

	assert_int_equal(json_parse(config_text, strlen(config_text), "config", &config, &err), 0);
	if (auth_credentials_find(config, host, path, &c, &err) < 0)
		fail_msg("%s", err.text);
	if (user) {
		assert_non_null(c.user);
		assert_string_equal(c.user, user);
		assert_string_equal(c.password, password);
	} else {
		assert_null(c.user);
	}
	auth_credentials_clear(&c);
}

static void test_credentials(void **state)
{
	/* "dTpw" is u:p, "dTpwOnE=" is u:p:q */
	const char *hub = "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"}}}";
	const char *many =
	        "{\"auths\":{\"ghcr.io\":{\"auth\":\"dTpwOnE=\"},\"ghcr.io/team\":{"
	        "\"username\":\"t\",\"password\":\"tp\"},\"https://h:5000/v2/\":{\"auth\":"
	        "\"dTpw\"}}}";

	find(hub, "docker.io", "library/x", "u", "p");
	find(hub, "index.docker.io.evil.com", "x", NULL, NULL);
	find(hub, "ghcr.io", "x", NULL, NULL);
	find(many, "ghcr.io", "other/x", "u", "p:q");
	find(many, "ghcr.io", "team/x", "t", "tp");
	find(many, "ghcr.io", "teams/x", "u", "p:q");
	find(many, "ghcr.io.evil.com", "x", NULL, NULL);
	find(many, "h:5000", "x", "u", "p");
	find(many, "h", "x", NULL, NULL);
	find("{}", "h", "x", NULL, NULL);
	find("[]", "h", "x", NULL, NULL);
}

static void test_bad_credentials(void **state)
{
	struct auth_credentials c = {0};
	struct error err = ERROR_INIT;
	autojson json_t *config =
	        json_pack("{s:{s:{s:s}, s:{s:s}, s:{}}, s:s}", "auths", "a", "auth", "!!!", "b",
	                  "auth", "bm9jb2xvbg==", "c", "credsStore", "desktop");

	assert_int_equal(auth_credentials_find(config, "a", "x", &c, &err), -1);
	assert_int_equal(auth_credentials_find(config, "b", "x", &c, &err), -1);
	assert_int_equal(auth_credentials_find(config, "c", "x", &c, &err), 0);
	assert_true(c.has_helper && !c.user);
	assert_int_equal(auth_credentials_load("/nonexistent", "h", "x", &c, &err), -1);
	assert_int_equal(auth_credentials_load(NULL, "h", "x", &c, &err), 0);
}

static void test_basic_value(void **state)
{
	struct auth_credentials c = {.user = (char *)"alice", .password = (char *)"s3cret"};
	autofree char *value = auth_basic_value(&c);

	assert_string_equal(value, "Basic YWxpY2U6czNjcmV0");
}

static void test_families(void **state)
{
	static const struct {
		const char *url, *realm;
		bool is_family;
	} pairs[] = {
	        {"https://registry-1.docker.io/v2/", "https://auth.docker.io/token", true},
	        {"https://registry.gitlab.com/v2/", "https://gitlab.com/jwt/auth", true},
	        {"https://ghcr.io/v2/", "https://ghcr.io/token", true},
	        {"https://ghcr.io/v2/", "https://ghcr.io.evil.com/token", false},
	        {"https://ghcr.io/v2/", "https://ghcr.io@evil.com/token", false},
	        {"https://ghcr.io/v2/", "https://evil.com/ghcr.io", false},
	        {"https://ghcr.io/v2/", "https://evil.io/token", false},
	        {"https://a.example.org/", "https://b.example.org:8443/", true},
	        {"https://a.example.org/", "https://evilexample.org/", false},
	        {"http://10.0.0.1:5000/", "http://10.0.0.1:5001/token", true},
	        {"http://10.0.0.1:5000/", "http://11.0.0.1:5000/token", false},
	        {"http://localhost:5000/", "http://127.0.0.1:5000/", false},
	        {"http://[::1]:5000/", "http://[::1]:5000/x", true},
	        {"https://h/", "not a url", false},
	        {"https://h/", "https://i/", false},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (registry_url_is_family(pairs[i].url, pairs[i].realm) != pairs[i].is_family)
			fail_msg("%s and %s", pairs[i].url, pairs[i].realm);
	}
}

static void test_urls(void **state)
{
	char host[REGISTRY_URL_HOST_SIZE];
	autofree char *one = registry_url_resolve("https://a:1/v2/x", "/y?z=1#f");
	autofree char *two = registry_url_resolve("https://a/v2/x", "//b.c/y");
	autofree char *three = registry_url_resolve("https://a/", "http://user:pw@B:80/y");

	assert_string_equal(one, "https://a:1/y?z=1");
	assert_string_equal(two, "https://b.c/y");
	assert_non_null(three);
	assert_null(strstr(three, "pw"));
	registry_url_host(three, host);
	assert_string_equal(host, "b");
	assert_null(registry_url_resolve("https://a/", "file:///etc/passwd"));
	assert_true(registry_http_same_origin("https://A/x", "https://a:443/y"));
	assert_false(registry_http_same_origin("https://a/x", "http://a/x"));
	assert_false(registry_http_same_origin("https://a/x", "https://a:444/x"));
	assert_false(registry_http_same_origin("https://a@b/x", "https://a/x"));
	assert_false(registry_http_same_origin("", ""));
}

static bool refuses(const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return address_guard_refuses((struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return address_guard_refuses((struct sockaddr *)&in6);
}

static void test_private_addresses(void **state)
{
	static const struct {
		const char *text;
		bool is_private;
	} cases[] = {{"10.1.2.3", true},      {"172.31.0.1", true},   {"172.32.0.1", false},
	             {"192.168.1.1", true},   {"100.64.0.1", true},   {"100.128.0.1", false},
	             {"198.19.0.1", true},    {"8.8.8.8", false},     {"127.0.0.1", false},
	             {"fd12::1", true},       {"2001:db8::1", false}, {"::ffff:10.0.0.1", true},
	             {"64:ff9b::a00:1", true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sockaddr_in in = {.sin_family = AF_INET};
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
		bool is_ipv4 = inet_pton(AF_INET, cases[i].text, &in.sin_addr) == 1;

		if (!is_ipv4)
			assert_int_equal(inet_pton(AF_INET6, cases[i].text, &in6.sin6_addr), 1);
		assert_int_equal(address_guard_is_private(is_ipv4 ? (struct sockaddr *)&in
		                                                  : (struct sockaddr *)&in6),
		                 cases[i].is_private);
	}
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {"127.0.0.1",
	                                  "127.255.0.9",
	                                  "0.0.0.0",
	                                  "169.254.169.254",
	                                  "100.100.100.200",
	                                  "168.63.129.16",
	                                  "192.0.0.192",
	                                  "224.0.0.1",
	                                  "255.255.255.255",
	                                  "::",
	                                  "::1",
	                                  "::ffff:127.0.0.1",
	                                  "::127.0.0.1",
	                                  "fe80::1",
	                                  "febf::1",
	                                  "ff02::1",
	                                  "fd00:ec2::254",
	                                  "fd20:ce::254",
	                                  "64:ff9b::7f00:1",
	                                  "2002:7f00:1::",
	                                  "2002:a9fe:a9fe::"};
	static const char *const good[] = {"10.0.0.1",         "192.168.1.1", "172.16.0.1",
	                                   "8.8.8.8",          "1.1.1.1",     "100.64.0.1",
	                                   "2001:db8::1",      "fd12::1",     "::ffff:8.8.8.8",
	                                   "64:ff9b::808:808", "169.253.0.1"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!refuses(bad[i]))
			fail_msg("%s is allowed", bad[i]);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (refuses(good[i]))
			fail_msg("%s is refused", good[i]);
	}
}

static void test_proxies(void **state)
{
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	unsetenv("https_proxy");
	setenv("HTTPS_PROXY", "http://proxy:3128", 1);
	setenv("no_proxy", "localhost, .example.org,exact.com", 1);
	assert_string_equal(registry_url_proxy("https://ghcr.io/x"), "http://proxy:3128");
	assert_string_equal(registry_url_proxy("https://localhost:5000/"), "");
	assert_string_equal(registry_url_proxy("https://a.example.org/"), "");
	assert_string_equal(registry_url_proxy("https://a.exact.com/"), "");
	assert_string_equal(registry_url_proxy("https://inexact.com/"), "http://proxy:3128");
	setenv("no_proxy", "*", 1);
	assert_string_equal(registry_url_proxy("https://ghcr.io/x"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_challenges),
	        cmocka_unit_test(test_bad_challenges),
	        cmocka_unit_test(test_credentials),
	        cmocka_unit_test(test_bad_credentials),
	        cmocka_unit_test(test_basic_value),
	        cmocka_unit_test(test_families),
	        cmocka_unit_test(test_urls),
	        cmocka_unit_test(test_addresses),
	        cmocka_unit_test(test_private_addresses),
	        cmocka_unit_test(test_proxies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
