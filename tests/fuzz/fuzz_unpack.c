/* SPDX-License-Identifier: Apache-2.0 */
/* A layer: any bytes are refused with a sentence or unpacked, and in no case does anything outside
 * of the target folder change. The namespaces around the unpacker are left out on purpose. */
#include "base/cleanup.h"
#include "base/file.h"
#include "image/unpack.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_BYTES_MAX (1024 * 1024)

static char fuzz_folder[] = "/dev/shm/hearth-fuzz.XXXXXX";

static void fuzz_remove_folder(void)
{
	struct error err = ERROR_INIT;

	(void)file_remove_tree(AT_FDCWD, fuzz_folder, &err);
}

/* <folder>/target is unpacked into; <folder>/sentinel must stay, alone beside it. */
static int fuzz_open_folder(void)
{
	static int folder_fd = -1;

	if (folder_fd < 0) {
		int fd;

		if (!mkdtemp(fuzz_folder) || atexit(fuzz_remove_folder) != 0)
			abort();
		folder_fd = open(fuzz_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd = openat(folder_fd, "sentinel", O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
		if (folder_fd < 0 || fd < 0 || write(fd, "x", 1) != 1)
			abort();
		close(fd);
	}
	return folder_fd;
}

static void fuzz_check_outside(int folder_fd)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *dir = fdopendir(fd);
	struct dirent *entry;
	struct stat st;
	int count = 0;

	while ((entry = readdir(dir)))
		count++;
	if (count != 4 || fstatat(folder_fd, "sentinel", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_size != 1 || st.st_nlink != 1 || (st.st_mode & 07777) != 0400)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unpack_result result = {0};
	struct error err = ERROR_INIT, ignored = ERROR_INIT;
	int folder_fd = fuzz_open_folder(), target_fd = -1;
	int blob_fd = memfd_create("layer", MFD_CLOEXEC);
	autoclose int home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (blob_fd < 0 || write(blob_fd, data, size) != (ssize_t)size ||
	    lseek(blob_fd, 0, SEEK_SET) != 0 ||
	    file_open_subdir(folder_fd, "target", 0700, &target_fd, &ignored) < 0)
		abort();
	if (unpack_run(blob_fd, target_fd, FUZZ_BYTES_MAX, &result, &err) < 0) {
		if (err.code == E_NONE || !err.text[0] || strchr(err.text, '\n'))
			abort();
	} else if (!digest_is_valid(result.diff_id) || result.blob_bytes != (int64_t)size ||
	           result.bytes > FUZZ_BYTES_MAX) {
		abort();
	}
	fuzz_check_outside(folder_fd);
	close(target_fd);
	close(blob_fd);
	/* the unpacker walks about; libFuzzer's paths are relative */
	if (fchdir(home_fd) < 0 || file_remove_tree(folder_fd, "target", &ignored) < 0)
		abort();
	return 0;
}
