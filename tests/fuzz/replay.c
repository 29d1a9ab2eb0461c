/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target without libFuzzer, in the ordinary tests: replay FOLDER… feeds every file of
 * the folders, and what is left of it after cutting it short at up to REPLAY_CUTS places. */
#include "base/cleanup.h"
#include "base/memory.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPLAY_CUTS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly that size: a sanitizer sees every byte that is read beyond it. */
static void replay_bytes(const uint8_t *data, size_t size)
{
	autofree uint8_t *copy = xmalloc(size);

	memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
}

static int replay_file(int folder_fd, const char *name)
{
	autoclose int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	size_t size = (size_t)st.st_size, step = size / REPLAY_CUTS + 1;
	autofree uint8_t *data = xmalloc(size);

	if (read(fd, data, size) != (ssize_t)size) {
		fprintf(stderr, "cannot read %s\n", name);
		exit(1);
	}
	for (size_t cut = 0; cut < size; cut += step)
		replay_bytes(data, cut);
	replay_bytes(data, size);
	return 1;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		autodir DIR *folder = opendir(argv[i]);
		struct dirent *entry;

		while (folder && (entry = readdir(folder)))
			count += replay_file(dirfd(folder), entry->d_name);
	}
	printf("%d seeds\n", count);
	return count > 0 ? 0 : 1;
}
