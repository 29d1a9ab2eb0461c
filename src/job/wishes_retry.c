/* SPDX-License-Identifier: Apache-2.0 */
/* Which ends of an attempt are followed by another one: the label hearth.retry. */
#include "job/wishes_private.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <string.h>

#define RETRY_RIGHT                                                                                \
	"none, any, or some of exit, exit-N, signal, oom, storage, lost and timeout, with ',' or " \
	"'.' between them"

static const struct {
	const char *name;
	enum attempt_outcome outcome;
} causes[] = {
        {"exit", OUTCOME_EXITED},     {"signal", OUTCOME_SIGNALED}, {"oom", OUTCOME_OOM},
        {"storage", OUTCOME_STORAGE}, {"lost", OUTCOME_LOST},       {"timeout", OUTCOME_TIMEOUT},
};
#define CAUSE_COUNT (sizeof(causes) / sizeof(*causes))

static bool retry_add(struct retry_rule *rule, const char *cause)
{
	bool is_any = strcmp(cause, "any") == 0, is_known = is_any;
	int code;

	if (strncmp(cause, "exit-", 5) == 0 && wish_to_number(cause + 5, 1, 255, &code)) {
		rule->exit_codes[code / 8] |= (uint8_t)(1u << code % 8);
		return true;
	}
	for (size_t i = 0; i < CAUSE_COUNT; i++) {
		if (is_any || strcmp(cause, causes[i].name) == 0) {
			rule->outcomes |= 1u << causes[i].outcome;
			is_known = true;
		}
	}
	return is_known;
}

int wish_retry(const struct wish *wish, struct job_wishes *ret, struct error *err)
{
	autofree char *copy = xstrdup(wish->value);
	char *rest = copy, *cause;

	ret->retry.is_set = true;
	if (strcmp(wish->value, "none") == 0)
		return 0;
	while ((cause = strsep(&rest, ",.")))
		if (!retry_add(&ret->retry, cause))
			return wish_fail(wish->label, cause, RETRY_RIGHT, err);
	return 0;
}

bool retry_rule_repeats(const struct retry_rule *rule)
{
	static const struct retry_rule none = {0};

	return rule->outcomes != 0 ||
	       memcmp(rule->exit_codes, none.exit_codes, sizeof(none.exit_codes)) != 0;
}
