/* SPDX-License-Identifier: Apache-2.0 */
/* Cards and slices from /proc/driver/nvidia, their nodes from /dev. */
#include "container/cdi_nvidia.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "container/cdi_nvidia_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARDS_MAX 64
#define SLICES_MAX 64 /* of a card; the hardware has seven */
#define HOOK "/usr/bin/nvidia-cdi-hook"

struct card {
	char bus[32], uuid[64];
	long minor;
};

static json_t *make_hook(const char *name, const char *option, const char *value)
{
	return json_pack("{s:s, s:s, s:[s,s,s,s]}", "hookName", "createContainer", "path", HOOK,
	                 "args", "nvidia-cdi-hook", name, option, value);
}

static void add_node(int root_fd, json_t *nodes, const char *path)
{
	if (nvidia_exists(root_fd, path))
		(void)json_array_append_new(
		        nodes, json_pack("{s:s, s:s}", "path", path, "permissions", "rw"));
}

static int compare_cards(const void *a, const void *b)
{
	return strcmp(((const struct card *)a)->bus, ((const struct card *)b)->bus);
}

/* A card that the driver leaves out has no minor, and one that was never used has no UUID yet. */
static bool read_card(int root_fd, const char *bus, struct card *ret)
{
	autofree char *path = xasprintf("/proc/driver/nvidia/gpus/%s/information", bus);
	autofree char *text = nvidia_read_text(root_fd, path);
	char minor[16];

	*ret = (struct card){.minor = -1};
	(void)snprintf(ret->bus, sizeof(ret->bus), "%.31s", bus);
	if (!nvidia_find_value(text, "Device Minor", minor, sizeof(minor)) ||
	    strspn(minor, "0123456789") != strlen(minor))
		return false;
	ret->minor = strtol(minor, NULL, 10);
	if (!nvidia_find_value(text, "GPU UUID", ret->uuid, sizeof(ret->uuid)) ||
	    strncmp(ret->uuid, "GPU-", 4) != 0 || strchr(ret->uuid, '?'))
		ret->uuid[0] = '\0';
	autofree char *node = xasprintf("/dev/nvidia%ld", ret->minor);
	return nvidia_exists(root_fd, node);
}

static size_t list_cards(int root_fd, struct card *cards)
{
	struct error unused = ERROR_INIT;
	int fd = -1;
	size_t count = 0;
	struct dirent *entry;

	if (file_open_in_root(root_fd, "/proc/driver/nvidia/gpus", O_RDONLY | O_DIRECTORY, 0, &fd,
	                      &unused))
		return 0;
	autodir DIR *dir = fdopendir(fd);
	while (dir && count < CARDS_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && read_card(root_fd, entry->d_name, &cards[count]))
			count++;
	}
	qsort(cards, count, sizeof(*cards), compare_cards);
	return count;
}

/* The node by which programs that draw without a screen find the card. */
static void add_render_node(int root_fd, const struct card *card, json_t *nodes)
{
	autofree char *folder = xasprintf("/sys/bus/pci/devices/%s/drm", card->bus);
	struct error unused = ERROR_INIT;
	struct dirent *entry;
	int fd = -1;

	if (file_open_in_root(root_fd, folder, O_RDONLY | O_DIRECTORY, 0, &fd, &unused))
		return;
	autodir DIR *dir = fdopendir(fd);
	while (dir && (entry = readdir(dir))) {
		autofree char *path = xasprintf("/dev/dri/%s", entry->d_name);
		if (strncmp(entry->d_name, "renderD", 7) == 0)
			add_node(root_fd, nodes, path);
	}
}

static json_t *card_nodes(int root_fd, const struct card *card)
{
	autofree char *path = xasprintf("/dev/nvidia%ld", card->minor);
	json_t *nodes = json_array();

	add_node(root_fd, nodes, path);
	add_render_node(root_fd, card, nodes);
	return nodes;
}

static void add_device(json_t *devices, const char *name, json_t *nodes)
{
	(void)json_array_append_new(devices, json_pack("{s:s, s:{s:O}}", "name", name,
	                                               "containerEdits", "deviceNodes", nodes));
}

/* The right to a slice is the right to open its capability's node. False: there is no such slice.
 */
static bool add_capability(int root_fd, const char *folder, json_t *nodes)
{
	autofree char *path = xasprintf("%s/access", folder);
	autofree char *text = nvidia_read_text(root_fd, path);
	char minor[16];

	if (!nvidia_find_value(text, "DeviceFileMinor", minor, sizeof(minor)) ||
	    strspn(minor, "0123456789") != strlen(minor))
		return false;
	autofree char *node = xasprintf("/dev/nvidia-caps/nvidia-cap%s", minor);
	add_node(root_fd, nodes, node);
	return nvidia_exists(root_fd, node);
}

static void add_slice(int root_fd, const struct card *card, size_t index, int gi, int ci,
                      json_t *devices)
{
	autofree char *gi_path =
	        xasprintf("/proc/driver/nvidia/capabilities/gpu%ld/mig/gi%d", card->minor, gi);
	autofree char *ci_path = xasprintf("%s/ci%d", gi_path, ci);
	autofree char *by_index = xasprintf("%zu:%d:%d", index, gi, ci);
	autofree char *by_uuid = xasprintf("%s:%d:%d", card->uuid, gi, ci);
	autojson json_t *nodes = card_nodes(root_fd, card);

	if (!add_capability(root_fd, gi_path, nodes) || !add_capability(root_fd, ci_path, nodes))
		return;
	add_device(devices, by_index, nodes);
	if (card->uuid[0])
		add_device(devices, by_uuid, nodes);
}

static void add_slices(int root_fd, const struct card *card, size_t index, json_t *devices)
{
	for (int gi = 0; gi < SLICES_MAX; gi++) {
		autofree char *folder = xasprintf(
		        "/proc/driver/nvidia/capabilities/gpu%ld/mig/gi%d", card->minor, gi);
		for (int ci = 0; ci < SLICES_MAX && nvidia_exists(root_fd, folder); ci++)
			add_slice(root_fd, card, index, gi, ci, devices);
	}
}

static json_t *make_devices(int root_fd)
{
	autofree struct card *cards = xcalloc(CARDS_MAX, sizeof(*cards));
	autojson json_t *all = json_array();
	json_t *devices = json_array();
	size_t count = list_cards(root_fd, cards);

	for (size_t i = 0; i < count; i++) {
		autojson json_t *nodes = card_nodes(root_fd, &cards[i]);
		autofree char *index = xasprintf("%zu", i);
		add_device(devices, index, nodes);
		if (cards[i].uuid[0])
			add_device(devices, cards[i].uuid, nodes);
		add_slices(root_fd, &cards[i], i, devices);
		(void)json_array_extend(all, nodes);
	}
	if (count > 0)
		add_device(devices, "all", all);
	return devices;
}

static json_t *make_edits(int root_fd, const char *version)
{
	json_t *nodes = json_array(), *mounts = json_array();

	add_node(root_fd, nodes, "/dev/nvidiactl");
	add_node(root_fd, nodes, "/dev/nvidia-uvm");
	add_node(root_fd, nodes, "/dev/nvidia-uvm-tools");
	nvidia_add_mounts(root_fd, version, mounts);
	return json_pack("{s:[s], s:o, s:o, s:[o, o]}", "env", "NVIDIA_VISIBLE_DEVICES=void",
	                 "deviceNodes", nodes, "mounts", mounts, "hooks",
	                 make_hook("create-symlinks", "--link",
	                           "libcuda.so.1::" CDI_NVIDIA_LIBRARIES "/libcuda.so"),
	                 make_hook("update-ldcache", "--folder", CDI_NVIDIA_LIBRARIES));
}

const char *cdi_nvidia_advice(const char *root)
{
	autoclose int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0 || nvidia_exists(root_fd, "/dev/nvidia-uvm"))
		return NULL;
	return "there is no /dev/nvidia-uvm, without which CUDA finds no card: `nvidia-modprobe -u "
	       "-c 0` "
	       "makes it, at each boot anew";
}

json_t *cdi_nvidia_make(const char *root)
{
	autoclose int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char version[NVIDIA_VERSION_SIZE];

	if (root_fd < 0 || !nvidia_read_version(root_fd, version))
		return NULL;
	autojson json_t *devices = make_devices(root_fd);
	if (json_array_size(devices) == 0)
		return NULL;
	return json_pack("{s:s, s:s, s:o, s:O}", "cdiVersion", "0.5.0", "kind", CDI_NVIDIA_KIND,
	                 "containerEdits", make_edits(root_fd, version), "devices", devices);
}
