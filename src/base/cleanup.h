/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleanup attributes: a resource declared with one of these is released when its scope is left.
 * Leaving a scope with the resource is written `return take_ptr(&p);`.
 */
#ifndef HEARTH_BASE_CLEANUP_H
#define HEARTH_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cleanup_close_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static inline void cleanup_close_dir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

#define autofree __attribute__((cleanup(cleanup_free_ptr)))
#define autoclose __attribute__((cleanup(cleanup_close_fd)))
#define autofile __attribute__((cleanup(cleanup_close_file)))
#define autodir __attribute__((cleanup(cleanup_close_dir)))

/* Hand the pointer on to the caller: returns it and leaves NULL behind. */
#define take_ptr(pp)                                                                               \
	({                                                                                         \
		__typeof__(*(pp)) taken_ = *(pp);                                                  \
		*(pp) = NULL;                                                                      \
		taken_;                                                                            \
	})

/* Hand the descriptor on to the caller: returns it and leaves -1 behind. */
static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

#endif
