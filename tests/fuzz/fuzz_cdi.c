/* SPDX-License-Identifier: Apache-2.0 */
/* CDI specifications, written by administrators and by programs of vendors, and libraries of
 * drivers. The first byte chooses: YAML, JSON, an ELF file. What the check lets through keeps its
 * promises. */
#include "base/cleanup.h"
#include "base/memory.h"
#include "container/cdi_check.h"
#include "container/cdi_yaml.h"
#include "container/elf_soname.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_clean(const json_t *list, const char *key, const char *prefix)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		const char *path = json_get_text(item, key, "");
		autofree char *slashed = xasprintf("%s/", path);
		if (!cdi_path_is_clean(path) || strncmp(path, prefix, strlen(prefix)) != 0 ||
		    strstr(slashed, "/../") || strstr(slashed, "//"))
			abort();
	}
}

static void expect_edits(const json_t *edits)
{
	size_t i;
	json_t *item;

	expect_clean(json_object_get(edits, "deviceNodes"), "path", "/dev/");
	expect_clean(json_object_get(edits, "deviceNodes"), "hostPath", "/");
	expect_clean(json_object_get(edits, "mounts"), "hostPath", "/");
	expect_clean(json_object_get(edits, "mounts"), "containerPath", "/");
	expect_clean(json_object_get(edits, "symlinks"), "path", "/");
	json_array_foreach(json_object_get(edits, "env"), i, item)
	{
		if (!strchr(json_string_value(item), '='))
			abort();
	}
}

static void fuzz_spec(const json_t *json)
{
	autobuffer struct buffer warnings = BUFFER_INIT(4096);
	autojson json_t *checked = NULL;
	struct error err = ERROR_INIT;
	const char *name;
	json_t *edits;

	if (cdi_check(json, &warnings, &checked, &err))
		return;
	if (!cdi_kind_is_valid(json_get_text(checked, "kind", "")))
		abort();
	expect_edits(json_object_get(checked, "edits"));
	json_object_foreach(json_object_get(checked, "devices"), name, edits)
	{
		if (!cdi_name_is_valid(name))
			abort();
		expect_edits(edits);
	}
}

static void fuzz_library(const uint8_t *data, size_t size)
{
	autoclose int fd = memfd_create("library", MFD_CLOEXEC);
	char name[ELF_SONAME_SIZE];

	if (fd >= 0 && write(fd, data, size) == (ssize_t)size && elf_soname(fd, name) &&
	    (!name[0] || strchr(name, '/')))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autojson json_t *json = NULL;
	struct error err = ERROR_INIT;

	if (size < 1)
		return 0;
	autofree char *text = xmalloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] == 'e')
		fuzz_library(data + 1, size - 1);
	else if (data[0] == 'j' ? json_parse(text, size - 1, "text", &json, &err) == 0
	                        : cdi_yaml_parse(text, size - 1, &json, &err) == 0)
		fuzz_spec(json);
	return 0;
}
