/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of jobs, and which name servers they get. */
#include "container/dns_plan.h"
#include "container/network.h"
#include "container/network_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct configuration *configuration_with(const char *key, const char *value)
{
	struct configuration *c = configuration_new();
	struct error err = ERROR_INIT;

	assert_int_equal(configuration_set(c, "network", key, value, "test", &err), 0);
	return c;
}

static void test_ranges(void **state)
{
	static const char *const bad[] = {"",           "x",          "10.0.0.0/33", "10.0.0.0/-1",
	                                  "10.0.0.1/8", "10.0.0/8",   "10.0.0.0/8x", "fd00::/8",
	                                  "10.0.0.0/",  "1.2.3.4.5/8"};
	struct network_range range;
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(network_range_parse(bad[i], "network.deny", &range, &err), -1);
		assert_int_equal(err.code, E_INVALID);
		assert_non_null(strstr(err.text, "network.deny"));
	}
	assert_int_equal(network_range_parse("10.16.0.0/12", "x", &range, &err), 0);
	assert_true(network_range_holds(&range, 0x0a1fffff));
	assert_false(network_range_holds(&range, 0x0a200000));
	assert_int_equal(network_range_parse("0.0.0.0/0", "x", &range, &err), 0);
	assert_true(network_range_holds(&range, 0xffffffff));
	assert_int_equal(network_range_parse("192.0.2.7", "x", &range, &err), 0);
	assert_int_equal(range.prefix, 32);
}

static void test_slots(void **state)
{
	struct configuration *c = configuration_with("subnet", "192.168.7.0/24");
	struct network_plan plan;
	struct error err = ERROR_INIT;
	uint8_t mac[NETWORK_MAC_SIZE];

	(void)state;
	assert_int_equal(network_plan_read(c, &plan, &err), 0);
	assert_int_equal(plan.gateway, 0xc0a80701);
	assert_int_equal(network_plan_address(&plan, 0), 0xc0a80702);
	/* The last one is not the broadcast address. */
	assert_int_equal(network_plan_address(&plan, plan.slots - 1), 0xc0a807fe);
	network_plan_mac(0xc0a80702, mac);
	assert_memory_equal(mac, "\x02\x48\xc0\xa8\x07\x02", 6);
	configuration_free(c);
	c = configuration_with("subnet", "10.0.0.0/8");
	assert_int_equal(network_plan_read(c, &plan, &err), 0);
	assert_int_equal(plan.slots, 4096);
	c->max_running = 1000000;
	assert_int_equal(network_plan_read(c, &plan, &err), 0);
	assert_int_equal(plan.slots, NETWORK_SLOTS_MAX);
	configuration_free(c);
}

static void plan_for(const struct configuration *c, const char *resolv_conf, struct dns_plan *ret)
{
	char path[] = "/tmp/hearth-resolv.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, resolv_conf, strlen(resolv_conf)), strlen(resolv_conf));
	close(fd);
	dns_plan_read(c, path, ret);
	(void)unlink(path);
}

static void expect_plan(const char *resolv_conf, bool relay, size_t servers, const char *text)
{
	struct configuration *c = configuration_with("deny", "203.0.113.0/24");
	struct dns_plan plan;

	plan_for(c, resolv_conf, &plan);
	assert_int_equal(plan.relay, relay);
	assert_int_equal(plan.n_servers, servers);
	assert_string_equal(plan.resolv_conf, text);
	configuration_free(c);
}

static void test_name_servers(void **state)
{
	(void)state;
	expect_plan("", false, 0, "");
	expect_plan("# x\nnameserver 198.51.100.1\nnameserver 198.51.100.2\n", false, 2,
	            "nameserver 198.51.100.1\nnameserver 198.51.100.2\n");
	expect_plan("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch a.example\n", true, 1,
	            "nameserver 127.0.0.11\noptions edns0 trust-ad\nsearch a.example\n");
	expect_plan("nameserver ::1\nnameserver 2001:db8::1\nnameserver fe80::1%lo\n", true, 3,
	            "nameserver 127.0.0.11\n");
	/* One that can be reached is enough; more than three are not looked at. */
	expect_plan("nameserver 127.0.0.1\nnameserver 198.51.100.9\n", false, 1,
	            "nameserver 198.51.100.9\n");
	expect_plan("nameserver 203.0.113.5\nnameserver 169.254.169.253\nnameserver 127.1.2.3\n"
	            "nameserver 198.51.100.1\n",
	            true, 3, "nameserver 127.0.0.11\n");
	expect_plan("nameserver nonsense\nnameserver\nnameserver 1.2.3\n", false, 0, "");
}

static void test_configured_name_servers(void **state)
{
	struct configuration *c = configuration_with("dns", "198.51.100.5 127.0.0.1");
	struct dns_plan plan;

	(void)state;
	plan_for(c, "nameserver 198.51.100.1\nsearch not.this\n", &plan);
	assert_string_equal(plan.resolv_conf, "nameserver 198.51.100.5\n");
	configuration_free(c);
}

static void test_long_search_list(void **state)
{
	char text[4096] = "nameserver 198.51.100.1\nsearch ";
	struct configuration *c = configuration_new();
	struct dns_plan plan;

	(void)state;
	memset(text + strlen(text), 'a', 3000);
	strcat(text, "\n");
	plan_for(c, text, &plan);
	assert_true(strncmp(plan.resolv_conf, "nameserver 198.51.100.1\n", 21) == 0);
	assert_true(strlen(plan.resolv_conf) < sizeof(plan.resolv_conf));
	configuration_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_ranges),
	        cmocka_unit_test(test_slots),
	        cmocka_unit_test(test_name_servers),
	        cmocka_unit_test(test_configured_name_servers),
	        cmocka_unit_test(test_long_search_list),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
