/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CDI specification for NVIDIA cards, made by reading what the installed driver shows. Nothing is
 * run and nothing is loaded.
 *
 * Names of devices: "0", "1", … in the order of the PCI bus (as nvidia-smi counts), the card's UUID
 * ("GPU-…"), "all". Slices (MIG): UUID:GI:CI and INDEX:GI:CI, with the numbers of GPU instance and
 * compute instance, which NVML tells, too ("GPU-…:1:0").
 */
#ifndef HEARTH_CONTAINER_CDI_NVIDIA_H
#define HEARTH_CONTAINER_CDI_NVIDIA_H

#include "base/json.h"

#define CDI_NVIDIA_KIND "nvidia.com/gpu"
#define CDI_NVIDIA_LIBRARIES "/usr/local/nvidia/lib64"
#define CDI_NVIDIA_PROGRAMS "/usr/local/nvidia/bin"

/* The specification, yours to release; NULL: no driver is loaded, or it has no card. `root`: "/",
 * or where a test has put a driver's files. Paths in it are without the root. */
json_t *cdi_nvidia_make(const char *root);
/* What an administrator should do, or jobs will not find their card; NULL: nothing. */
const char *cdi_nvidia_advice(const char *root);

#endif
