/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the devices of an attempt: devices.c (the whole, rules, variables), device_nodes.c,
 * device_files.c (files of the driver), elf_soname.c. */
#ifndef HEARTH_CONTAINER_DEVICES_PRIVATE_H
#define HEARTH_CONTAINER_DEVICES_PRIVATE_H

#include "container/devices.h"
#include "container/stage.h"

#include <stdbool.h>
#include <sys/types.h>

#define DEVICES_STAGE STAGE_DIR "/devices"

struct device_node {
	char *path; /* in the container */
	dev_t number;
	mode_t mode; /* with S_IFCHR or S_IFBLK */
	bool can_read, can_write;
};

struct device_file {
	int fd;       /* of the host's file, O_PATH; -1 once it is on the stage */
	char *target; /* in the container, as the specification says it */
	char *place;  /* the same without links of the image; NULL: not known yet */
	bool is_folder, is_writable, is_recursive;
};

struct devices {
	json_t *edits;
	struct device_node *nodes;
	struct device_file *files;
	size_t n_nodes, n_files;
};

int device_nodes_read(struct devices *devices, struct error *err);
int device_nodes_make(const struct devices *devices, uint32_t uid, uint32_t gid, struct error *err);

int device_files_open(struct devices *devices, struct error *err);
/* Add the names by which programs look for libraries to "symlinks" of the edits. */
void device_files_find_names(struct devices *devices);
int device_files_bind(struct devices *devices, struct error *err);
int device_files_prepare(struct devices *devices, int root_fd, uint32_t owner, struct error *err);
void device_files_close(struct devices *devices);

#endif
