/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /api/jobs/{ns}: any bytes are refused with a sentence or become a specification
 * that keeps the rules, and that is the same when it is read again. */
#include "base/json.h"
#include "base/memory.h"
#include "job/spec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct configuration *fuzz_configuration(void)
{
	static struct configuration *c;

	if (!c) {
		struct error err = ERROR_INIT;

		c = configuration_new();
		if (configuration_finish(c, &err) < 0)
			abort();
	}
	return c;
}

/* What the API would answer, as a request again. */
static json_t *fuzz_request(const struct job_spec *spec)
{
	json_t *body = json_copy(spec->body);

	json_object_del(body, "secretNames");
	json_object_set(body, "secrets", spec->secrets);
	json_object_set(body, "labels", spec->labels);
	json_object_set_new(body, "flavor", json_string(spec->flavor));
	json_object_set_new(body, "timeoutSeconds", json_integer(spec->timeout_s));
	json_object_set_new(body, "attempts", json_integer(spec->attempts));
	return body;
}

static void fuzz_check(const struct job_spec *spec)
{
	autojson json_t *body = fuzz_request(spec);
	struct job_spec again;
	struct error err = ERROR_INIT;
	char image[1024];

	if (spec->timeout_s <= 0 || spec->attempts < 1 ||
	    job_spec_image(fuzz_configuration(), spec->body, image, sizeof(image), &err) < 0)
		abort();
	if (job_spec_parse(fuzz_configuration(), body, &again, &err) < 0 ||
	    !json_equal(again.body, spec->body) || !json_equal(again.secrets, spec->secrets) ||
	    !json_equal(again.labels, spec->labels))
		abort();
	job_spec_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autojson json_t *body = NULL;
	struct job_spec spec;
	struct error err = ERROR_INIT;

	if (json_parse((const char *)data, size, "request body", &body, &err) < 0 ||
	    job_spec_parse(fuzz_configuration(), body, &spec, &err) < 0) {
		if (err.code == E_NONE || *err.text == '\0' || strchr(err.text, '\n'))
			abort();
		return 0;
	}
	fuzz_check(&spec);
	job_spec_clear(&spec);
	return 0;
}
