/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Automatic job names. The same image and words give the same name here and in `hf`, so that people
 * find their runs again whichever tool started them.
 */
#include "cli/job_name.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const space_prefixes[] = {
        "https://huggingface.co/spaces/",
        "https://hf.co/spaces/",
        "huggingface.co/spaces/",
        "hf.co/spaces/",
};

const char *job_name_space(const char *image)
{
	for (size_t i = 0; i < sizeof space_prefixes / sizeof *space_prefixes; i++)
		if (strncmp(image, space_prefixes[i], strlen(space_prefixes[i])) == 0)
			return image + strlen(space_prefixes[i]);
	return NULL;
}

static char *name_of(const char *base, size_t base_len, const char *what, char *const *words,
                     size_t n_words)
{
	struct digest *sum = digest_new();
	digest_add(sum, what, strlen(what));
	for (size_t i = 0; i < n_words; i++) {
		digest_add(sum, "", 1);
		digest_add(sum, words[i], strlen(words[i]));
	}
	char text[DIGEST_SIZE];
	digest_finish(sum, text);
	digest_free(sum);

	char *name = xmalloc(base_len + 10);
	size_t n = 0;
	for (const char *c = base; c < base + base_len; c++) {
		if (isalnum((unsigned char)*c) || *c == '_')
			name[n++] = *c;
		else if (((unsigned char)*c & 0xc0) != 0x80) /* one '-' per character */
			name[n++] = '-';
	}
	snprintf(name + n, 10, "-%.8s", digest_hex(text));
	return name;
}

static const char *last_component(const char *text, size_t len, size_t *ret_len)
{
	const char *start = text;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '/')
			start = text + i + 1;
	*ret_len = len - (size_t)(start - text);
	return start;
}

char *job_name_of_image(const char *image, char *const *words, size_t n_words)
{
	const char *base = job_name_space(image);
	size_t len = base ? strlen(base) : strlen(image);
	if (!base) {
		while (len && image[len - 1] == '/')
			len--;
		base = last_component(image, len, &len);
	}
	if (len == 0) {
		base = image;
		len = strlen(image);
	}
	return name_of(base, len, image, words, n_words);
}

char *job_name_of_script(const char *script, char *const *words, size_t n_words)
{
	size_t len = strcspn(script, "?#");
	while (len && script[len - 1] == '/')
		len--;
	const char *base = last_component(script, len, &len);
	if (len >= 3 && memcmp(base + len - 3, ".py", 3) == 0)
		len -= 3;
	if (len == 0) {
		base = script;
		len = strlen(script);
	}
	return name_of(base, len, script, words, n_words);
}
