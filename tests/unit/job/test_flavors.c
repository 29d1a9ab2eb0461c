/* SPDX-License-Identifier: Apache-2.0 */
/* Which flavors a machine offers, over made-up machines, and who may have them. */
#include "../unit.h"

#include "job/flavor_catalogue.h"
#include "job/flavor_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIB ((int64_t)1 << 30)

struct machine {
	struct configuration *configuration;
	struct device devices[32];
	size_t n;
};

static void machine_open(struct machine *m, int64_t cpus, int64_t memory_gib)
{
	struct error err = ERROR_INIT;

	*m = (struct machine){.configuration = configuration_new()};
	m->configuration->cpu_millis = cpus * 1000;
	m->configuration->memory_bytes = memory_gib * GIB;
	if (configuration_finish(m->configuration, &err) < 0)
		fail_msg("%s", err.text);
}

static struct device *add_card(struct machine *m, const char *model, int64_t memory_gib)
{
	struct device *device = &m->devices[m->n];

	*device = (struct device){
	        .memory_bytes = memory_gib * GIB, .numa_node = -1, .is_healthy = true};
	snprintf(device->name, sizeof(device->name), "nvidia.com/gpu=GPU-%zu", m->n);
	snprintf(device->kind, sizeof(device->kind), "nvidia.com/gpu");
	snprintf(device->model, sizeof(device->model), "%s", model);
	snprintf(device->uuid, sizeof(device->uuid), "GPU-%zu", m->n++);
	return device;
}

static void add_cards(struct machine *m, size_t count, const char *model, int64_t memory_gib)
{
	while (count-- > 0)
		(void)add_card(m, model, memory_gib);
}

static void add_slice(struct machine *m, const char *model, const char *slice, const char *parent)
{
	struct device *device = add_card(m, model, 10);

	snprintf(device->slice, sizeof(device->slice), "%s", slice);
	snprintf(device->parent, sizeof(device->parent), "%s", parent);
}

/* The names of flavors with devices, in their order. */
static const char *offered(struct machine *m)
{
	static char names[1024];
	size_t len = 0;

	flavor_catalogue_add(m->configuration, m->devices, m->n);
	flavor_catalogue_mark(m->configuration, m->devices, m->n);
	names[0] = '\0';
	for (size_t i = 0; i < m->configuration->n_flavors; i++) {
		const struct flavor *flavor = &m->configuration->flavors[i];
		if (flavor->device_count > 0 && !flavor->is_unserved)
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
			                        len ? " " : "", flavor->name);
	}
	return names;
}

static const struct flavor *get(const struct machine *m, const char *name)
{
	const struct flavor *flavor = configuration_flavor(m->configuration, name);

	if (!flavor)
		fail_msg("there is no flavor %s", name);
	return flavor;
}

static void test_words_of_models(void **state)
{
	assert_true(flavor_model_matches("L4", "NVIDIA L4"));
	assert_false(flavor_model_matches("L4", "NVIDIA L40S"));
	assert_false(flavor_model_matches("L40", "NVIDIA L40S"));
	assert_true(flavor_model_matches("l40s", "NVIDIA L40S"));
	assert_false(flavor_model_matches("A10", "NVIDIA A100-SXM4-80GB"));
	assert_false(flavor_model_matches("A10", "NVIDIA A10G"));
	assert_false(flavor_model_matches("A100", "NVIDIA A10"));
	assert_true(flavor_model_matches("A100", "NVIDIA A100-SXM4-80GB"));
	assert_true(flavor_model_matches("A100 80GB", "NVIDIA A100-SXM4-80GB"));
	assert_false(flavor_model_matches("A100 40GB", "NVIDIA A100-SXM4-80GB"));
	assert_false(flavor_model_matches("H200", "NVIDIA GH200 480GB"));
	assert_true(flavor_model_matches("RTX PRO 6000",
	                                 "NVIDIA RTX PRO 6000 Blackwell Server Edition"));
	assert_false(flavor_model_matches("RTX PRO 6000", "NVIDIA RTX 6000 Ada Generation"));
	assert_false(flavor_model_matches("RTX 6000", "NVIDIA RTX PRO 6000 Blackwell"));
	assert_true(flavor_model_matches(NULL, "anything"));
	assert_true(flavor_model_matches("", ""));
	assert_false(flavor_model_matches("A100", ""));
}

static void test_names_of_models(void **state)
{
	static const char *const rows[][3] = {
	        {"NVIDIA GeForce RTX 4090", "RTX 4090", "rtx-4090"},
	        {"NVIDIA H100 80GB HBM3", "H100", "h100"},
	        {"Tesla V100-SXM2-16GB", "V100", "v100"},
	        {"NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", "rtx-6000-ada"},
	        {"NVIDIA GeForce GTX 1080 Ti", "GTX 1080 Ti", "gtx-1080-ti"},
	        {"Quadro RTX 8000", "RTX 8000", "rtx-8000"},
	        {"NVIDIA", "NVIDIA", "nvidia"},
	};
	char text[FLAVOR_MODEL_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(flavor_model_short(rows[i][0], text), rows[i][1]);
		assert_true(flavor_model_matches(text, rows[i][0]));
		assert_string_equal(flavor_model_slug(rows[i][0], text), rows[i][2]);
	}
}

static void test_offers_what_fits(void **state)
{
	struct machine m;

	machine_open(&m, 96, 1200);
	add_cards(&m, 8, "NVIDIA A100-SXM4-80GB", 80);
	assert_string_equal(offered(&m), "a100-large a100x4 a100x8");
	assert_int_equal(get(&m, "a100x4")->cpu_millis, 48000);
	assert_int_equal(get(&m, "a100x4")->memory_bytes, 568 * GIB);
	assert_int_equal(get(&m, "a100x4")->price_micro_usd_hour, 10000000);
	assert_int_equal(get(&m, "a100x4")->vram_bytes, 80 * GIB);
	assert_int_equal(get(&m, "a100x4")->device_count, 4);
	configuration_free(m.configuration);

	machine_open(&m, 200, 2000);
	add_cards(&m, 4, "NVIDIA L4", 23);
	add_cards(&m, 1, "NVIDIA L40S", 45);
	assert_string_equal(offered(&m), "l4x1 l4x4 l40sx1");
	assert_int_equal(get(&m, "l4x1")->vram_bytes, 24 * GIB);
	configuration_free(m.configuration);
}

/* a10g-large does not fit, a10g-small does: nothing is made smaller. */
static void test_leaves_out_what_is_too_large(void **state)
{
	struct machine m;

	machine_open(&m, 8, 32);
	add_cards(&m, 1, "NVIDIA A10G", 23);
	assert_string_equal(offered(&m), "a10g-small");
	assert_int_equal(get(&m, "a10g-small")->cpu_millis, 4000);
	configuration_free(m.configuration);
}

static void test_reduces_the_smallest(void **state)
{
	struct machine m;

	machine_open(&m, 6, 30);
	add_cards(&m, 2, "NVIDIA A100-PCIE-40GB", 40);
	assert_string_equal(offered(&m), "a100-large");
	assert_int_equal(get(&m, "a100-large")->cpu_millis, 3000);
	assert_int_equal(get(&m, "a100-large")->memory_bytes, 15 * GIB);
	assert_int_equal(get(&m, "a100-large")->vram_bytes, 40 * GIB);
	configuration_free(m.configuration);

	machine_open(&m, 2, 8);
	add_cards(&m, 2, "NVIDIA A10G", 23);
	assert_string_equal(offered(&m), "a10g-small a10g-largex2");
	assert_int_equal(get(&m, "a10g-small")->cpu_millis, 1000);
	assert_int_equal(get(&m, "a10g-largex2")->cpu_millis, 2000);
	assert_int_equal(get(&m, "a10g-largex2")->memory_bytes, 8 * GIB);
	configuration_free(m.configuration);

	/* More than its own size it never gets. */
	machine_open(&m, 64, 20);
	add_cards(&m, 1, "NVIDIA L4", 23);
	assert_string_equal(offered(&m), "l4x1");
	assert_int_equal(get(&m, "l4x1")->cpu_millis, 8000);
	assert_int_equal(get(&m, "l4x1")->memory_bytes, 20 * GIB);
	configuration_free(m.configuration);
}

static void test_names_what_the_hub_does_not_know(void **state)
{
	struct machine m;

	machine_open(&m, 12, 96);
	add_cards(&m, 3, "NVIDIA GeForce RTX 4090", 24);
	add_cards(&m, 1, "NVIDIA A10", 24);
	assert_string_equal(offered(&m), "rtx-4090 rtx-4090x2 rtx-4090x3 a10");
	assert_int_equal(get(&m, "rtx-4090x2")->cpu_millis, 8000);
	assert_int_equal(get(&m, "rtx-4090x2")->memory_bytes, 64 * GIB);
	assert_int_equal(get(&m, "rtx-4090x2")->price_micro_usd_hour, 0);
	assert_string_equal(get(&m, "rtx-4090x2")->pretty_name, "2x Nvidia RTX 4090");
	configuration_free(m.configuration);
}

static void test_names_slices(void **state)
{
	struct machine m;

	machine_open(&m, 28, 70);
	add_slice(&m, "NVIDIA A100-SXM4-80GB", "1g.10gb", "GPU-a");
	add_slice(&m, "NVIDIA A100-SXM4-80GB", "1g.10gb", "GPU-a");
	add_slice(&m, "NVIDIA A100-SXM4-80GB", "3g.40gb", "GPU-a");
	add_card(&m, "NVIDIA A100-SXM4-80GB", 80);
	assert_string_equal(offered(&m), "a100-large a100-mig-1g.10gb a100-mig-3g.40gb");
	assert_int_equal(get(&m, "a100-mig-1g.10gb")->cpu_millis, 2000);
	assert_int_equal(get(&m, "a100-mig-3g.40gb")->cpu_millis, 6000);
	assert_true(flavor_takes_device(get(&m, "a100-mig-1g.10gb"), &m.devices[0]));
	assert_false(flavor_takes_device(get(&m, "a100-mig-1g.10gb"), &m.devices[2]));
	assert_false(flavor_takes_device(get(&m, "a100-mig-1g.10gb"), &m.devices[3]));
	assert_false(flavor_takes_device(get(&m, "a100-large"), &m.devices[0]));
	assert_true(flavor_takes_device(get(&m, "a100-large"), &m.devices[3]));
	configuration_free(m.configuration);
}

static void test_counts_cards_without_names(void **state)
{
	struct machine m;

	machine_open(&m, 8, 16);
	for (int i = 0; i < 2; i++) {
		struct device *device = add_card(&m, "0", 0);
		device->uuid[0] = '\0';
	}
	assert_string_equal(offered(&m), "gpu gpux2");
	configuration_free(m.configuration);
}

static void test_configured_ones_win(void **state)
{
	struct machine m;
	struct error err = ERROR_INIT;
	static const char *const rows[][3] = {
	        {"flavor a100-large", "vcpu", "1"},
	        {"flavor a100-large", "memory", "1G"},
	        {"flavor a100-large", "devices", "nvidia.com/gpu"},
	        {"flavor fuse", "vcpu", "1"},
	        {"flavor fuse", "memory", "1G"},
	        {"flavor fuse", "devices", "test.hearth/fuse"},
	};

	m = (struct machine){.configuration = configuration_new()};
	m.configuration->cpu_millis = 12000;
	m.configuration->memory_bytes = 200 * GIB;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (configuration_set(m.configuration, rows[i][0], rows[i][1], rows[i][2], "test",
		                      &err) < 0)
			fail_msg("%s", err.text);
	}
	assert_int_equal(configuration_finish(m.configuration, &err), 0);
	add_card(&m, "NVIDIA A100-SXM4-80GB", 80);
	assert_string_equal(offered(&m), "a100-large");
	assert_int_equal(get(&m, "a100-large")->cpu_millis, 1000);
	assert_true(get(&m, "fuse")->is_unserved);
	configuration_free(m.configuration);
}

static void test_off_means_off(void **state)
{
	struct machine m;

	machine_open(&m, 96, 1200);
	m.configuration->hub_flavors = false;
	add_cards(&m, 8, "NVIDIA A100-SXM4-80GB", 80);
	assert_string_equal(offered(&m), "");
	configuration_free(m.configuration);
}

static void test_choose(void **state)
{
	char *allow[] = {(char *)"Bob", (char *)"lab", NULL};
	struct error err = ERROR_INIT;
	const struct flavor *flavor;
	struct machine m;

	machine_open(&m, 12, 200);
	add_card(&m, "NVIDIA A100-SXM4-80GB", 80);
	(void)offered(&m);
	assert_int_equal(flavor_choose(m.configuration, "h100", "al", "al", &flavor, &err), -1);
	assert_int_equal(err.code, E_INVALID);
	assert_string_equal(err.text, "flavor \"h100\" is not known; this server has: cpu-basic, "
	                              "cpu-upgrade, a100-large");
	assert_int_equal(flavor_choose(m.configuration, "a100-large", "al", "al", &flavor, &err),
	                 0);
	((struct flavor *)(uintptr_t)flavor)->allow = allow;
	assert_int_equal(flavor_choose(m.configuration, "a100-large", "al", "acme", &flavor, &err),
	                 -1);
	assert_int_equal(err.code, E_FORBIDDEN);
	assert_string_equal(err.text,
	                    "flavor \"a100-large\" is not open to al in acme; you may use: "
	                    "cpu-basic, cpu-upgrade");
	assert_int_equal(flavor_choose(m.configuration, "a100-large", "bob", "acme", &flavor, &err),
	                 0);
	assert_int_equal(flavor_choose(m.configuration, "a100-large", "al", "Lab", &flavor, &err),
	                 0);
	assert_int_equal(flavor_choose(m.configuration, "a100-large", NULL, NULL, &flavor, &err),
	                 -1);
	flavor_catalogue_mark(m.configuration, NULL, 0);
	assert_int_equal(flavor_choose(m.configuration, "a100-large", "bob", "bob", &flavor, &err),
	                 -1);
	assert_non_null(strstr(err.text, "needs 1 A100"));
	m.configuration->memory_bytes = GIB;
	assert_int_equal(flavor_choose(m.configuration, "cpu-upgrade", "al", "al", &flavor, &err),
	                 -1);
	assert_non_null(strstr(err.text, "larger than this machine"));
	((struct flavor *)(uintptr_t)get(&m, "a100-large"))->allow = NULL;
	configuration_free(m.configuration);
}

static void test_longest_time(void **state)
{
	struct error err = ERROR_INIT;
	int64_t timeout_s = 7200;
	struct flavor *flavor;
	struct machine m;

	machine_open(&m, 12, 200);
	flavor = (struct flavor *)(uintptr_t)get(&m, "cpu-basic");
	assert_int_equal(flavor_limit_timeout(m.configuration, flavor, &timeout_s, &err), 0);
	flavor->max_timeout_s = 600;
	assert_int_equal(flavor_max_timeout_s(m.configuration, flavor), 600);
	assert_int_equal(flavor_limit_timeout(m.configuration, flavor, &timeout_s, &err), -1);
	assert_string_equal(err.text,
	                    "timeoutSeconds must be at most 600 (10m) with the flavor cpu-basic");
	timeout_s = m.configuration->default_timeout_s; /* nothing was asked */
	assert_int_equal(flavor_limit_timeout(m.configuration, flavor, &timeout_s, &err), 0);
	assert_int_equal(timeout_s, 600);
	configuration_free(m.configuration);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_words_of_models),
	        cmocka_unit_test(test_names_of_models),
	        cmocka_unit_test(test_offers_what_fits),
	        cmocka_unit_test(test_leaves_out_what_is_too_large),
	        cmocka_unit_test(test_reduces_the_smallest),
	        cmocka_unit_test(test_names_what_the_hub_does_not_know),
	        cmocka_unit_test(test_names_slices),
	        cmocka_unit_test(test_counts_cards_without_names),
	        cmocka_unit_test(test_configured_ones_win),
	        cmocka_unit_test(test_off_means_off),
	        cmocka_unit_test(test_choose),
	        cmocka_unit_test(test_longest_time),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
