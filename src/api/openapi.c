/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /openapi.json: every row of the route table becomes an operation. Rights become the security
 * requirement and the list of error answers, {names} of the pattern become path parameters.
 */
#include "api/openapi.h"

#include "api/answer.h"
#include "api/handlers.h"
#include "api/routes.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"

#include <ctype.h>
#include <string.h>

static json_t *openapi_ref(const char *kind, const char *name)
{
	return json_pack("{s:o}", "$ref", json_sprintf("#/components/%s/%s", kind, name));
}

/* "{name...}" of a pattern is "{name}" in OpenAPI. */
static char *openapi_path(const char *pattern)
{
	char *path = xstrdup(pattern);
	char *dots = strstr(path, "...}");

	if (dots)
		memcpy(dots, "}", 2);
	return path;
}

static void openapi_add_path_parameters(json_t *list, const char *path)
{
	for (const char *c = strchr(path, '{'); c; c = strchr(c + 1, '{')) {
		int len = (int)strcspn(c + 1, "}");

		json_array_append_new(list,
		                      json_pack("{s:s#,s:s,s:b,s:{s:s}}", "name", c + 1, len, "in",
		                                "path", "required", 1, "schema", "type", "string"));
	}
}

static void openapi_add_query_parameters(json_t *list, const struct route_query *query)
{
	for (; query && query->name; query++) {
		json_t *schema = json_pack("{s:s}", "type", query->type);

		if (query->is_repeated)
			schema = json_pack("{s:s,s:o}", "type", "array", "items", schema);
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:o}", "name", query->name,
		                                      "in", "query", "description",
		                                      query->description, "schema", schema));
	}
}

/* The name of a schema, or a media type: those have a '/'. */
static json_t *openapi_content(const char *name)
{
	if (!name)
		return json_pack("{s:{s:{s:s}}}", "application/json", "schema", "type", "object");
	if (strchr(name, '/'))
		return json_pack("{s:{s:{s:s}}}", name, "schema", "type", "string");
	return json_pack("{s:{s:o}}", "application/json", "schema", openapi_ref("schemas", name));
}

static void openapi_add_error(json_t *responses, const char *status, const char *meaning)
{
	if (!json_object_get(responses, status))
		json_object_set_new(responses, status,
		                    json_pack("{s:s,s:o}", "description", meaning, "content",
		                              openapi_content("Error")));
}

static json_t *openapi_responses(const struct http_route *route, const struct route_doc *doc)
{
	json_t *responses = json_object();

	if (doc->status)
		openapi_add_error(responses, doc->status, "Not built yet in this version");
	else
		json_object_set_new(responses, "200",
		                    json_pack("{s:s,s:o}", "description", "Done", "content",
		                              openapi_content(doc->answer)));
	if (doc->body || doc->query)
		openapi_add_error(responses, "400", "The sentence names the field");
	if (doc->right != RIGHT_ANONYMOUS && doc->right != RIGHT_ADMIN)
		openapi_add_error(responses, "401", "No token, or one that is not known");
	if (doc->right > RIGHT_USER && doc->right != RIGHT_ADMIN)
		openapi_add_error(responses, "403", "The sentence names the right that is missing");
	if (strchr(route->pattern, '{') || doc->right == RIGHT_ADMIN)
		openapi_add_error(responses, "404", "No such thing, or not visible to the caller");
	return responses;
}

static json_t *openapi_security(enum api_right right)
{
	if (right == RIGHT_ANONYMOUS || right == RIGHT_SIGNED_URL)
		return json_array();
	if (right == RIGHT_CAS_READ || right == RIGHT_CAS_WRITE)
		return json_pack("[{s:[]}]", "xet");
	if (right == RIGHT_BUCKET_LIST || right == RIGHT_BUCKET_READ)
		return json_pack("[{},{s:[]}]", "token");
	if (right == RIGHT_ADMIN)
		return json_pack("[{s:[]}]", "adminSocket");
	if (right >= RIGHT_IMAGE_READ)
		return json_pack("[{s:[]},{s:[]}]", "token", "adminSocket");
	return json_pack("[{s:[]}]", "token");
}

static const char *openapi_right_text(enum api_right right)
{
	static const char *const texts[] = {
	        [RIGHT_ANONYMOUS] = "Right: none.",
	        [RIGHT_USER] = "Right: any token.",
	        [RIGHT_INGEST] = "Right: the secret of webhooks.ingest_secret_file in the header "
	                         "X-Webhook-Secret.",
	        [RIGHT_NAMESPACE_READ] = "Right: the user, or a member of the organization.",
	        [RIGHT_NAMESPACE_WRITE] = "Right: a write token of the user, or of a member of the "
	                                  "organization with the role write or admin.",
	        [RIGHT_BUCKET_LIST] = "Right: anybody, who then sees public buckets only.",
	        [RIGHT_BUCKET_READ] = "Right: anybody for a public bucket; for a private one the "
	                              "user, or a member of the organization.",
	        [RIGHT_BUCKET_WRITE] = "Right: a write token of the user, or of a member of the "
	                               "organization with the role write or admin.",
	        [RIGHT_CAS_READ] = "Right: an access token of xet-read-token or xet-write-token.",
	        [RIGHT_CAS_WRITE] = "Right: an access token of xet-write-token.",
	        [RIGHT_SIGNED_URL] = "Right: the address itself, which a reconstruction gave.",
	        [RIGHT_IMAGE_READ] = "Right: any token, or the admin socket.",
	        [RIGHT_IMAGE_PULL] = "Right: a write token, or the admin socket.",
	        [RIGHT_OPERATOR] = "Right: a write token of the operator, or the admin socket.",
	        [RIGHT_ADMIN] =
	                "Right: the Unix socket of the server, as root or its administrator; "
	                "elsewhere the answer is 404.",
	};

	return texts[right];
}

static json_t *openapi_operation(const struct http_route *route, const char *path)
{
	const struct route_doc *doc = route->more;
	json_t *operation = json_pack("{s:s,s:[s]}", "summary", doc->summary, "tags", doc->tag);
	json_t *parameters = json_array();

	json_object_set_new(operation, "description",
	                    json_sprintf("%s%s%s", doc->description ? doc->description : "",
	                                 doc->description ? "\n\n" : "",
	                                 openapi_right_text(doc->right)));
	openapi_add_path_parameters(parameters, path);
	openapi_add_query_parameters(parameters, doc->query);
	json_object_set_new(operation, "parameters", parameters);
	if (doc->body)
		json_object_set_new(operation, "requestBody",
		                    json_pack("{s:o}", "content", openapi_content(doc->body)));
	json_object_set_new(operation, "responses", openapi_responses(route, doc));
	json_object_set_new(operation, "security", openapi_security(doc->right));
	return operation;
}

static json_t *openapi_paths(const struct http_route *routes)
{
	json_t *paths = json_object();

	for (const struct http_route *route = routes; route->method; route++) {
		autofree char *path = openapi_path(route->pattern);
		json_t *item = json_object_get(paths, path);
		char method[16] = "";

		for (size_t i = 0; i < sizeof(method) - 1 && route->method[i]; i++)
			method[i] = (char)tolower((unsigned char)route->method[i]);
		if (!item) {
			item = json_object();
			json_object_set_new(paths, path, item);
		}
		json_object_set_new(item, method, openapi_operation(route, path));
	}
	return paths;
}

json_t *openapi_document(const struct http_route *routes, const char *version, const char *base_url)
{
	json_t *schemas = json_loads(openapi_schemas(), 0, NULL);

	if (!schemas)
		BUG("the schemas of /openapi.json are not JSON");
	return json_pack(
	        "{s:s,s:{s:s,s:s,s:s,s:{s:s,s:s}},s:[{s:s}],s:o,s:{s:o,s:{s:{s:s,s:s},"
	        "s:{s:s,s:s,s:s},s:{s:s,s:s,s:s,s:s}}}}",
	        "openapi", "3.1.0", "info", "title", "Hearth", "version", version, "description",
	        "Hugging Face Jobs on your own machines. Every error answer is "
	        "{\"error\": TEXT}, with the same text in the header X-Error-Message.",
	        "license", "name", "Apache-2.0", "identifier", "Apache-2.0", "servers", "url",
	        base_url, "paths", openapi_paths(routes), "components", "schemas", schemas,
	        "securitySchemes", "token", "type", "http", "scheme", "bearer", "xet", "type",
	        "http", "scheme", "bearer", "description",
	        "accessToken of xet-read-token or "
	        "xet-write-token",
	        "adminSocket", "type", "apiKey", "in", "header", "name", "(Unix socket)",
	        "description",
	        "Not a header: the call must come over the Unix socket in the state folder");
}

void openapi_show(struct http_request *request, void *context)
{
	const struct api *api = context;
	const char *base_url = http_base_url(request, api->configuration->public_url);

	http_respond_json(request, 200, openapi_document(api_routes(), api->version, base_url));
}
