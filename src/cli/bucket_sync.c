/* SPDX-License-Identifier: Apache-2.0 */
/* hearth bucket sync: a local folder and a bucket, one way. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "cli/local_tree.h"
#include "cli/sync_plan.h"
#include "cli/terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_quiet(const struct invocation *in)
{
	return in->out.mode == OUTPUT_QUIET;
}

static void print_summary(const struct sync_plan *plan)
{
	printf("Sync plan: %s -> %s\n", plan->source, plan->dest);
	printf("  Uploads: %lld\n", (long long)sync_plan_count(plan, "upload"));
	printf("  Downloads: %lld\n", (long long)sync_plan_count(plan, "download"));
	printf("  Deletes: %lld\n", (long long)sync_plan_count(plan, "delete"));
	printf("  Skips: %lld\n", (long long)sync_plan_count(plan, "skip"));
}

static int execute(struct invocation *in, struct hub *hub, const struct sync_plan *plan,
                   struct error *err)
{
	terminal_catch_interrupt();
	if (sync_plan_execute(plan, hub, options_flag(&in->options, "verbose") && !is_quiet(in),
	                      !is_quiet(in) && terminal_is(STDERR_FILENO), err) < 0)
		return -1;
	if (!is_quiet(in))
		puts("Sync completed.");
	return 0;
}

static int apply(struct invocation *in, struct hub *hub, const char *path, struct error *err)
{
	static const char *const others[] = {"delete",  "ignore-times", "ignore-sizes",   "include",
	                                     "exclude", "filter-from",  "existing",       "plan",
	                                     "dry-run", "no-delete",    "ignore-existing"};
	struct sync_plan plan = {0};
	if (in->options.n_arguments > 0)
		return fail(err, E_INVALID, "Cannot specify source/dest when using apply.");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (options_count(&in->options, others[i]) > 0)
			return fail(err, E_INVALID, "Cannot specify --%s when using apply.",
			            others[i]);
	int rc = sync_plan_read(path, &plan, err);
	if (rc == 0 && !is_quiet(in)) {
		print_summary(&plan);
		puts("Executing plan...");
	}
	if (rc == 0)
		rc = execute(in, hub, &plan, err);
	sync_plan_clear(&plan);
	return rc;
}

static int check_local(const struct sync_plan *plan, struct error *err)
{
	struct stat st;
	if (plan->is_upload && !local_is_folder(plan->folder))
		return fail(err, E_INVALID, "Source must be an existing directory: %s",
		            plan->source);
	if (!plan->is_upload && stat(plan->folder, &st) == 0 && !S_ISDIR(st.st_mode))
		return fail(err, E_INVALID, "Destination must be a directory: %s", plan->dest);
	return 0;
}

static int check_options(struct invocation *in, struct error *err)
{
	static const char *const pairs[][2] = {
	        {"ignore-times", "ignore-sizes"},
	        {"existing", "ignore-existing"},
	        {"dry-run", "plan"},
	};
	if (in->options.n_arguments < 2)
		return fail(err, E_INVALID,
		            "Both source and dest are required (unless using --apply).");
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (options_count(&in->options, pairs[i][0]) &&
		    options_count(&in->options, pairs[i][1]))
			return fail(err, E_INVALID, "Cannot specify both --%s and --%s.",
			            pairs[i][0], pairs[i][1]);
	return 0;
}

static int save(struct invocation *in, const struct sync_plan *plan, const char *path,
                struct error *err)
{
	autofile FILE *file = fopen(path, "we");
	if (!file)
		return fail_errno(err, E_INVALID, errno, "--plan: %s", path);
	sync_plan_write(plan, file);
	if (fflush(file) != 0)
		return fail_errno(err, E_INVALID, errno, "--plan: %s", path);
	if (is_quiet(in))
		return 0;
	print_summary(plan);
	printf("Plan saved to: %s\n", path);
	output_hint(&in->out, "Run `hearth bucket sync --apply %s` to execute this plan.", path);
	return 0;
}

static int use_plan(struct invocation *in, struct hub *hub, const struct sync_plan *plan,
                    struct error *err)
{
	const char *path = options_text(&in->options, "plan");
	if (options_flag(&in->options, "dry-run")) {
		sync_plan_write(plan, stdout);
		return 0;
	}
	if (path)
		return save(in, plan, path, err);
	if (!is_quiet(in))
		print_summary(plan);
	if (sync_plan_count(plan, "upload") + sync_plan_count(plan, "download") +
	            sync_plan_count(plan, "delete") ==
	    0) {
		if (!is_quiet(in))
			puts("Nothing to sync.");
		return 0;
	}
	if (!is_quiet(in))
		puts("Syncing...");
	return execute(in, hub, plan, err);
}

static int sync_now(struct invocation *in, struct hub *hub, struct error *err)
{
	const struct options *o = &in->options;
	struct sync_plan plan = {0};
	struct path_filter *filter = NULL;
	struct sync_options options = {
	        .deletes = options_flag(o, "delete") && !options_flag(o, "no-delete"),
	        .ignores_times = options_flag(o, "ignore-times"),
	        .ignores_sizes = options_flag(o, "ignore-sizes"),
	        .existing = options_flag(o, "existing"),
	        .ignores_existing = options_flag(o, "ignore-existing"),
	        .shows_status = !is_quiet(in) && !options_flag(o, "dry-run"),
	};
	int rc = check_options(in, err);
	if (rc == 0)
		rc = sync_plan_init(&plan, o->arguments[0], o->arguments[1], err);
	if (rc == 0)
		rc = check_local(&plan, err);
	if (rc == 0)
		rc = path_filter_new(o, true, &filter, err);
	options.filter = filter;
	if (rc == 0)
		rc = sync_plan_compute(&plan, hub, &options, err);
	if (rc == 0)
		rc = use_plan(in, hub, &plan, err);
	path_filter_free(filter);
	sync_plan_clear(&plan);
	return rc;
}

int bucket_sync_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	const char *path = options_text(&in->options, "apply");
	int rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	if (rc == 0)
		rc = path ? apply(in, hub, path, &err) : sync_now(in, hub, &err);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}
