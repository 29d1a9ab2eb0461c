/* SPDX-License-Identifier: Apache-2.0 */
/* Names inside layers: cleaned, and what a whiteout name means (OCI image spec, layer.md). */
#ifndef HEARTH_IMAGE_UNPACK_PATH_H
#define HEARTH_IMAGE_UNPACK_PATH_H

#include "base/error.h"

#include <limits.h>
#include <stddef.h>

/* Lexically cleaned and relative: "a/b"; "" is the root. ".." that leaves the root, too long names
 * and too long components are E_INVALID. */
int unpack_path_clean(const char *name, char ret[PATH_MAX], struct error *err);
/* One line of printable text for sentences. Returns `ret`. */
#define UNPACK_PATH_SHOWN 160
const char *unpack_path_shown(const char *name, char ret[UNPACK_PATH_SHOWN]);

enum whiteout_kind {
	WHITEOUT_NONE,	  /* an ordinary name */
	WHITEOUT_NAME,	  /* ".wh.x": x of lower layers is gone */
	WHITEOUT_OPAQUE,  /* ".wh..wh..opq": all of the folder's lower content is gone */
	WHITEOUT_IGNORED, /* other names of AUFS's own */
	WHITEOUT_BAD,	  /* ".wh.", ".wh..", ".wh..." */
};
/* `base` is a last component; *ret_name points into it, to the name that is gone. */
enum whiteout_kind unpack_path_whiteout(const char *base, const char **ret_name);

#endif
