/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "job/flavor_model.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct word {
	const char *at;
	size_t len;
};

/* False: no more. */
static bool next_word(const char **text, struct word *ret)
{
	while (**text && !isalnum((unsigned char)**text))
		(*text)++;
	ret->at = *text;
	while (isalnum((unsigned char)**text))
		(*text)++;
	ret->len = (size_t)(*text - ret->at);
	return ret->len > 0;
}

/* Memory ("80GB"), sockets ("SXM4") and names that say nothing. */
static bool is_noise(const struct word *word)
{
	static const char *const words[] = {
	        "nvidia", "geforce", "tesla", "quadro",  "generation", "pcie",        "hbm2",
	        "hbm2e",  "hbm3",    "hbm3e", "edition", "server",     "workstation", "blackwell"};
	size_t digits = strspn(word->at, "0123456789");

	if (digits > 0 && digits + 2 == word->len && !strncasecmp(word->at + digits, "gb", 2))
		return true;
	if (word->len > 3 && !strncasecmp(word->at, "sxm", 3))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i]) == word->len && !strncasecmp(words[i], word->at, word->len))
			return true;
	}
	return false;
}

/* Words of the model that say nothing may lie between. */
static bool begins_with_words(const char *model, const char *pattern)
{
	struct word wanted, found;
	bool is_same = true;

	while (is_same && next_word(&pattern, &wanted)) {
		do {
			is_same = next_word(&model, &found) && found.len == wanted.len &&
			          !strncasecmp(found.at, wanted.at, wanted.len);
		} while (!is_same && found.len > 0 && is_noise(&found));
	}
	return is_same;
}

bool flavor_model_matches(const char *pattern, const char *model)
{
	struct word word;

	if (!pattern || !*pattern)
		return true;
	while (next_word(&model, &word)) {
		if (begins_with_words(word.at, pattern))
			return true;
	}
	return false;
}

char *flavor_model_short(const char *model, char ret[FLAVOR_MODEL_SIZE])
{
	const char *rest = model;
	struct word word;
	size_t len = 0;

	ret[0] = '\0';
	while (next_word(&rest, &word)) {
		if (is_noise(&word) || len + word.len + 2 > FLAVOR_MODEL_SIZE)
			continue;
		len += (size_t)snprintf(ret + len, FLAVOR_MODEL_SIZE - len, "%s%.*s",
		                        len ? " " : "", (int)word.len, word.at);
	}
	if (len == 0) /* nothing but noise */
		(void)snprintf(ret, FLAVOR_MODEL_SIZE, "%.*s", FLAVOR_MODEL_SIZE - 1, model);
	return ret;
}

char *flavor_model_slug(const char *model, char ret[FLAVOR_MODEL_SIZE])
{
	(void)flavor_model_short(model, ret);
	for (char *c = ret; *c; c++)
		*c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '-';
	return ret;
}
