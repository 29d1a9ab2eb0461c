/* SPDX-License-Identifier: Apache-2.0 */
/* The name by which programs look for a shared library: DT_SONAME of its ELF file. */
#ifndef HEARTH_CONTAINER_ELF_SONAME_H
#define HEARTH_CONTAINER_ELF_SONAME_H

#include <stdbool.h>

#define ELF_SONAME_SIZE 128

/* False: it has none, or is no library of 64 bits. The file is not trusted. */
bool elf_soname(int fd, char ret[ELF_SONAME_SIZE]);

#endif
