/* SPDX-License-Identifier: Apache-2.0 */
/* Between image_writer.c and image_records.c only. */
#ifndef HEARTH_IMAGE_IMAGE_WRITER_PRIVATE_H
#define HEARTH_IMAGE_IMAGE_WRITER_PRIVATE_H

#include "image/image_writer.h"

struct image_writer {
	int images_fd, records_fd, layers_fd, used_fd, tmp_fd, lock_fd;
	uid_t owner_uid;
	gid_t owner_gid;
};

#endif
