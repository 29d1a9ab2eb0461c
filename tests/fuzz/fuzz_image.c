/* SPDX-License-Identifier: Apache-2.0 */
/* What registries and users say about images, all small texts; the first byte chooses which:
 * references, manifests and indexes, configs, challenges, URLs of redirects, docker's config.json.
 */
#include "base/cleanup.h"
#include "base/memory.h"
#include "image/manifest.h"
#include "image/reference.h"
#include "image/registry_auth.h"
#include "image/registry_url.h"
#include "image/unpack_path.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Who is read once is read again, as the same. */
static void fuzz_reference(const char *text)
{
	struct reference ref, again;
	struct error err = ERROR_INIT;
	char full[REFERENCE_MAX];

	if (reference_parse(text, &ref, &err) < 0)
		return;
	reference_format(&ref, full);
	if (text[0] == '-' || strstr(ref.path, "..") || strstr(full, "//"))
		abort();
	if (strlen(full) < 512 &&
	    (reference_parse(full, &again, &err) < 0 || memcmp(&ref, &again, sizeof(ref)) != 0))
		abort();
}

static void fuzz_manifest(const json_t *document)
{
	static struct manifest manifest;
	struct manifest_blob blob;
	struct error err = ERROR_INIT;

	if (manifest_is_index(document) && manifest_choose(document, "amd64", &blob, &err) == 0 &&
	    !digest_is_valid(blob.digest))
		abort();
	if (manifest_read(document, &manifest, &err) < 0)
		return;
	for (size_t i = 0; i < manifest.n_layers; i++) {
		if (!digest_is_valid(manifest.layers[i].blob.digest) ||
		    manifest.layers[i].blob.size < 0)
			abort();
	}
}

static void fuzz_config(const json_t *document)
{
	struct manifest manifest = {.n_layers = 1};
	struct error err = ERROR_INIT;
	autojson json_t *config = NULL;
	autofree char *architecture = NULL;

	if (manifest_read_config(&manifest, document, "amd64", &config, &architecture, &err) == 0 &&
	    !digest_is_valid(manifest.layers[0].diff_id))
		abort();
}

static void fuzz_credentials(const json_t *document)
{
	struct auth_credentials credentials = {0};
	struct error err = ERROR_INIT;

	(void)auth_credentials_find(document, "docker.io", "library/x", &credentials, &err);
	auth_credentials_clear(&credentials);
}

static void fuzz_json(char kind, const char *text, size_t size)
{
	struct error err = ERROR_INIT;
	autojson json_t *document = NULL;

	if (json_parse(text, size, "text", &document, &err) < 0)
		return;
	if (kind == 'm')
		fuzz_manifest(document);
	else if (kind == 'c')
		fuzz_config(document);
	else
		fuzz_credentials(document);
}

static void fuzz_url(const char *text)
{
	autofree char *url = registry_url_resolve("https://registry.example.org/v2/x", text);
	char host[REGISTRY_URL_HOST_SIZE];

	if (!url)
		return;
	registry_url_host(url, host);
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		abort();
	(void)registry_url_is_family("https://registry.example.org/", url);
	(void)registry_url_proxy(url);
}

static void fuzz_path(const char *text)
{
	struct error err = ERROR_INIT;
	char clean[PATH_MAX], slashed[PATH_MAX + 2];

	if (unpack_path_clean(text, clean, &err) < 0)
		return;
	snprintf(slashed, sizeof(slashed), "/%s/", clean);
	if (clean[0] == '/' || strstr(slashed, "/../") || strstr(slashed, "/./"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct auth_challenge challenge;

	if (size < 1)
		return 0;
	autofree char *text = xstrndup((const char *)data + 1, size - 1);

	switch (data[0]) {
	case 'r':
		fuzz_reference(text);
		break;
	case 'a':
		(void)auth_parse_challenge(text, &challenge);
		break;
	case 'u':
		fuzz_url(text);
		break;
	case 'p':
		fuzz_path(text);
		break;
	default:
		fuzz_json((char)data[0], (const char *)data + 1, size - 1);
	}
	return 0;
}
