/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local files on their way into a job: through the bucket `jobs-artifacts` of the namespace, in the same folders that
 * `hf` uses, so that both find what the other has sent (hub-jobs-api 5.2 and 6.3).
 */
#ifndef HEARTH_CLI_ARTIFACTS_H
#define HEARTH_CLI_ARTIFACTS_H

#include "cli/hub.h"

#include <stdbool.h>

#define ARTIFACTS_BUCKET "jobs-artifacts"
#define ARTIFACTS_MOUNT "/data"

struct local_files;

/* Which of `words` are local files. A word that ends like a script or a configuration file and is none is E_NOT_FOUND. */
int local_files_find(char *const *words, size_t count, struct local_files **ret, struct error *err);
void local_files_free(struct local_files *files);
bool local_files_is_empty(const struct local_files *files);
/* Where the job sees the file of that word ("/data/NAME"); NULL: it is none of them. Borrowed. */
const char *local_files_place(const struct local_files *files, const char *word);
/* Upload them to a folder of their own. *ret_volume shows it at ARTIFACTS_MOUNT, *ret_url is the bucket's page. */
int local_files_upload(const struct local_files *files, struct hub *hub, const char *space,
		       json_t **ret_volume, char **ret_url, struct error *err);

/* The name of a folder's copy: "NAME-<8 digits>", from host name and absolute path. Yours to free. */
char *artifacts_folder_name(const char *path);
/* Bring the copy of a local folder up to date; *ret_volume shows it at `mount`. */
int artifacts_sync(struct hub *hub, const char *space, const char *folder, const char *mount, bool is_read_only,
		   json_t **ret_volume, struct error *err);

#endif
