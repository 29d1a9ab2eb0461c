/* SPDX-License-Identifier: Apache-2.0 */
/* hearth.conf: any bytes are refused with one sentence, or become settings whose printed form
 * (effective.ini, which monitors read) gives the same settings again. */
#include "base/cleanup.h"
#include "base/configuration.h"
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_BYTES_MAX (1u << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_check_error(const struct error *err)
{
	if (err->code == E_NONE || !err->text[0] || strchr(err->text, '\n'))
		abort();
}

/* NULL when the text was refused. */
static struct configuration *fuzz_read(const void *data, size_t size)
{
	struct configuration *c = configuration_new();
	autoclose int fd = memfd_create("conf", MFD_CLOEXEC);
	struct error err = ERROR_INIT;
	char path[32];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (configuration_read_file(c, path, &err) == 0 && configuration_finish(c, &err) == 0)
		return c;
	fuzz_check_error(&err);
	configuration_free(c);
	return NULL;
}

/* As `--set container.no_proxy=TEXT`. */
static struct configuration *fuzz_set(const void *data, size_t size)
{
	struct configuration *c = configuration_new();
	autofree char *text = xstrndup(data, size);
	struct error err = ERROR_INIT;

	if (configuration_set(c, "container", "no_proxy", text, "--set", &err) == 0 &&
	    configuration_finish(c, &err) == 0)
		return c;
	fuzz_check_error(&err);
	configuration_free(c);
	return NULL;
}

/* Blanks are lost where a long list goes on in the next line. */
static bool fuzz_is_same(const char *a, const char *b)
{
	for (;; a++, b++) {
		a += strspn(a, " \t\n");
		b += strspn(b, " \t\n");
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autobuffer struct buffer first = BUFFER_INIT(FUZZ_BYTES_MAX);
	autobuffer struct buffer second = BUFFER_INIT(FUZZ_BYTES_MAX);
	struct configuration *c =
	        size > 0 && data[0] == '=' ? fuzz_set(data + 1, size - 1) : fuzz_read(data, size);

	if (!c)
		return 0;
	if (configuration_print(c, false, &first) == 0) {
		struct configuration *again = fuzz_read(first.data, first.len);

		if (!again || configuration_print(again, false, &second) < 0 ||
		    !fuzz_is_same(buffer_text(&first), buffer_text(&second)))
			abort();
		configuration_free(again);
	}
	configuration_free(c);
	return 0;
}
