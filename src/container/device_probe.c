/* SPDX-License-Identifier: Apache-2.0 */
/* `hearth-devices list`. See the header. */
#include "container/device_probe.h"

#include "base/log.h"
#include "base/memory.h"
#include "container/device_inventory.h"
#include "container/device_probe_private.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FNV_START 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * FNV_PRIME;
	return hash;
}

uint64_t probe_stamp(const struct probe_options *options)
{
	uint64_t sum = FNV_START;

	for (char *const *dir = options->cdi_dirs; *dir; dir++) {
		DIR *opened = opendir(*dir);
		const struct dirent *entry;
		struct stat st;

		while (opened && (entry = readdir(opened))) {
			if (fstatat(dirfd(opened), entry->d_name, &st, 0) < 0)
				continue;
			uint64_t hash = mix(FNV_START, entry->d_name, strlen(entry->d_name));
			hash = mix(hash, &st.st_ino, sizeof(st.st_ino));
			hash = mix(hash, &st.st_size, sizeof(st.st_size));
			hash = mix(hash, &st.st_uid, sizeof(st.st_uid));
			hash = mix(hash, &st.st_mode, sizeof(st.st_mode));
			hash = mix(hash, &st.st_mtim, sizeof(st.st_mtim));
			sum += hash; /* in any order */
		}
		if (opened)
			(void)closedir(opened);
	}
	return sum;
}

/* On most machines there is no such driver, which is nothing to speak of. */
struct nvml *probe_open_nvml(const struct probe_options *options)
{
	struct error err = ERROR_INIT;
	struct nvml *nvml = NULL;

	if (!strcmp(options->nvml, "off"))
		return NULL;
	if (nvml_open(options->nvml, &nvml, &err) < 0 &&
	    (err.code != E_NOT_FOUND || strcmp(options->nvml, "auto") != 0))
		log_warning("%s", err.text);
	return nvml;
}

struct cdi *probe_read_cdi(const struct probe_options *options)
{
	struct cdi *cdi = cdi_new(options->cdi_dirs, options->nvml);

	cdi_log_warnings(cdi);
	return cdi;
}

json_t *device_probe_list(const struct probe_options *options)
{
	struct inventory_device *devices = xcalloc(INVENTORY_MAX, sizeof(*devices));
	struct cdi *cdi = probe_read_cdi(options);
	struct nvml *nvml = probe_open_nvml(options);
	size_t n = device_inventory_read(cdi, nvml, devices);

	device_inventory_warn(cdi, devices, n);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, device_inventory_json(&devices[i]));
	nvml_close(nvml);
	cdi_free(cdi);
	free(devices);
	return list;
}
