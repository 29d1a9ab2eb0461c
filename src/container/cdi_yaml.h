/* SPDX-License-Identifier: Apache-2.0 */
/* YAML 1.1 by libyaml, as the JSON value that a CDI specification written in it means. */
#ifndef HEARTH_CONTAINER_CDI_YAML_H
#define HEARTH_CONTAINER_CDI_YAML_H

#include "base/error.h"
#include "base/json.h"

#include <stddef.h>

/* One document. Aliases are copied out, which together may make CDI_YAML_NODES_MAX values and no
 * more; deep nesting, repeated keys and keys that are no text are refused. E_INVALID. */
#define CDI_YAML_NODES_MAX 200000
int cdi_yaml_parse(const char *text, size_t len, json_t **ret, struct error *err);

#endif
