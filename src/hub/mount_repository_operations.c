/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel asks of a repository. Nothing in it ever changes, so that the kernel may keep all
 * it learns; folders that are not listed yet are listed when someone looks into them. */
#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/repository.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FOR_EVER 86400.0
#define FIRST_COOKIE 2 /* of the first child; 1: "..", both are made of nothing */

/* An operation that waits for a folder's list. */
struct lookup {
	fuse_req_t request;
	uint32_t folder;
	char *name; /* NULL: opendir */
	struct fuse_file_info info;
};

static struct repository *request_repository(fuse_req_t request)
{
	return fuse_req_userdata(request);
}

static void node_stat(struct repository *repository, uint32_t number, struct stat *ret)
{
	const struct tree_node *node = repository_tree_node(repository->tree, number);

	*ret = (struct stat){
	        .st_ino = number,
	        .st_mode = node->is_directory ? S_IFDIR | 0555 : S_IFREG | 0444,
	        .st_nlink = node->is_directory ? 2 : 1,
	        .st_uid = repository->mount->owner_uid,
	        .st_gid = repository->mount->owner_gid,
	        .st_size = node->size,
	        .st_blocks = (node->size + 511) / 512,
	        .st_blksize = BLOCK_BYTES,
	        .st_atim = {.tv_sec = repository->mtime_s},
	        .st_mtim = {.tv_sec = repository->mtime_s},
	        .st_ctim = {.tv_sec = repository->mtime_s},
	};
}

static void node_entry(struct repository *repository, uint32_t number, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){
	        .ino = number, .attr_timeout = FOR_EVER, .entry_timeout = FOR_EVER};
	if (number)
		node_stat(repository, number, &ret->attr);
}

static void lookup_free(struct lookup *lookup)
{
	free(lookup->name);
	free(lookup);
}

static void lookup_answer(struct lookup *lookup)
{
	struct repository *repository = request_repository(lookup->request);
	struct fuse_entry_param entry;

	if (lookup->name) {
		/* Not there is an answer too, which the kernel keeps: entry 0. */
		node_entry(repository,
		           repository_tree_find(repository->tree, lookup->folder, lookup->name),
		           &entry);
		fuse_reply_entry(lookup->request, &entry);
	} else {
		lookup->info.cache_readdir = 1;
		lookup->info.keep_cache = 1;
		fuse_reply_open(lookup->request, &lookup->info);
	}
}

static void lookup_interrupted(fuse_req_t request, void *arg)
{
	struct lookup *lookup = arg;

	repository_list_forget(request_repository(request), lookup);
	fuse_reply_err(request, EINTR);
	lookup_free(lookup);
}

static void lookup_listed(void *arg, const struct error *err)
{
	struct lookup *lookup = arg;

	fuse_req_interrupt_func(lookup->request, NULL, NULL);
	if (!err)
		lookup_answer(lookup);
	else
		fuse_reply_err(lookup->request, err->code == E_FORBIDDEN   ? EACCES
		                                : err->code == E_TOO_LARGE ? ENOMEM
		                                                           : EIO);
	lookup_free(lookup);
}

static void lookup_begin(fuse_req_t request, uint32_t folder, const char *name,
                         const struct fuse_file_info *info)
{
	struct repository *repository = request_repository(request);
	const struct tree_node *node = repository_tree_node(repository->tree, folder);
	struct lookup *lookup = xcalloc(1, sizeof(*lookup));

	lookup->request = request;
	lookup->folder = folder;
	lookup->name = xstrdup(name);
	if (info)
		lookup->info = *info;
	if (node->is_listed || (name && repository_tree_find(repository->tree, folder, name))) {
		lookup_answer(lookup);
		lookup_free(lookup);
		return;
	}
	repository_list(repository, folder, LIST_FOLDER, lookup_listed, lookup);
	/* Setting the function on one that was interrupted before would answer inside of the
	 * setting. */
	if (fuse_req_interrupted(request))
		lookup_interrupted(request, lookup);
	else
		fuse_req_interrupt_func(request, lookup_interrupted, lookup);
}

static struct tree_node *request_node(fuse_req_t request, fuse_ino_t number)
{
	struct tree_node *node =
	        number <= UINT32_MAX
	                ? repository_tree_node(request_repository(request)->tree, (uint32_t)number)
	                : NULL;

	if (!node)
		fuse_reply_err(request, ENOENT);
	return node;
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	const struct tree_node *node = request_node(request, parent);

	if (!node)
		return;
	if (!node->is_directory)
		fuse_reply_err(request, ENOTDIR);
	else
		lookup_begin(request, (uint32_t)parent, name, NULL);
}

static void on_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct stat status;

	if (!request_node(request, number))
		return;
	node_stat(request_repository(request), (uint32_t)number, &status);
	fuse_reply_attr(request, &status, FOR_EVER);
}

static void on_opendir(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	const struct tree_node *node = request_node(request, number);

	if (!node)
		return;
	if (!node->is_directory)
		fuse_reply_err(request, ENOTDIR);
	else
		lookup_begin(request, (uint32_t)number, NULL, info);
}

/* The child that comes at a cookie: cookies are numbers of the children before, so that they stay.
 */
static uint32_t child_at(struct repository *repository, const struct tree_node *folder,
                         off_t cookie)
{
	const struct tree_node *before;

	if (cookie == FIRST_COOKIE)
		return folder->first_child;
	before = repository_tree_node(repository->tree, (uint32_t)(cookie - FIRST_COOKIE));
	return before ? before->next : 0;
}

struct page {
	fuse_req_t request;
	bool is_plus;
	char *data;
	size_t size, len;
};

/* False: it does not fit any more. */
static bool page_add(struct page *page, const char *name, uint32_t number, off_t next)
{
	struct repository *repository = request_repository(page->request);
	char *at = page->data + page->len;
	size_t left = page->size - page->len, n;
	struct fuse_entry_param entry;

	node_entry(repository, number, &entry);
	if (page->is_plus && name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
		entry.ino = 0; /* the kernel takes no look-up of those two */
	n = page->is_plus ? fuse_add_direntry_plus(page->request, at, left, name, &entry, next)
	                  : fuse_add_direntry(page->request, at, left, name, &entry.attr, next);
	if (n > left)
		return false;
	page->len += n;
	return true;
}

static void page_fill(struct page *page, uint32_t number, off_t cookie)
{
	struct repository *repository = request_repository(page->request);
	const struct tree_node *folder = repository_tree_node(repository->tree, number);
	uint32_t parent = folder->parent ? folder->parent : number;

	if (cookie == 0 && !page_add(page, ".", number, 1))
		return;
	if (cookie <= 1 && !page_add(page, "..", parent, FIRST_COOKIE))
		return;
	if (cookie < FIRST_COOKIE)
		cookie = FIRST_COOKIE;
	for (uint32_t child = child_at(repository, folder, cookie); child;) {
		const struct tree_node *node = repository_tree_node(repository->tree, child);

		if (!page_add(page, repository_tree_name(repository->tree, node), child,
		              (off_t)child + FIRST_COOKIE))
			return;
		child = node->next;
	}
}

static void reply_page(fuse_req_t request, fuse_ino_t number, size_t size, off_t cookie,
                       bool is_plus)
{
	autofree char *data = xmalloc(size);
	struct page page = {.request = request, .is_plus = is_plus, .data = data, .size = size};

	if (!request_node(request, number))
		return;
	page_fill(&page, (uint32_t)number, cookie);
	fuse_reply_buf(request, data, page.len);
}

static void on_readdir(fuse_req_t request, fuse_ino_t number, size_t size, off_t cookie,
                       struct fuse_file_info *info)
{
	reply_page(request, number, size, cookie, false);
}

static void on_readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t cookie,
                           struct fuse_file_info *info)
{
	reply_page(request, number, size, cookie, true);
}

static void on_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	const struct tree_node *node = request_node(request, number);
	struct file_reader *reader;

	if (!node)
		return;
	if (node->is_directory || (info->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(request, node->is_directory ? EISDIR : EROFS);
		return;
	}
	reader = repository_file_open(request_repository(request), (uint32_t)number);
	info->fh = (uint64_t)(uintptr_t)reader;
	info->keep_cache = !node->is_stale;
	fuse_reply_open(request, info);
}

static void on_release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info)
{
	struct file_reader *reader = (struct file_reader *)(uintptr_t)info->fh;

	repository_file_close(reader);
	fuse_reply_err(request, 0);
}

static void read_interrupted(fuse_req_t request, void *arg)
{
	repository_file_interrupt(arg, request);
}

static void on_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
	struct file_reader *reader = (struct file_reader *)(uintptr_t)info->fh;

	if (repository_file_read(reader, request, offset, size))
		return;
	if (fuse_req_interrupted(request))
		read_interrupted(request, reader->file);
	else
		fuse_req_interrupt_func(request, read_interrupted, reader->file);
}

static void on_statfs(fuse_req_t request, fuse_ino_t number)
{
	struct repository *repository = request_repository(request);
	struct statvfs status = {.f_bsize = 4096,
	                         .f_frsize = 4096,
	                         .f_files = repository_tree_count(repository->tree),
	                         .f_namemax = 255};

	fuse_reply_statfs(request, &status);
}

static void on_forget(fuse_req_t request, fuse_ino_t number, uint64_t count)
{
	fuse_reply_none(request);
}

const struct fuse_lowlevel_ops mount_repository_operations = {
        .lookup = on_lookup,
        .forget = on_forget,
        .getattr = on_getattr,
        .opendir = on_opendir,
        .readdir = on_readdir,
        .readdirplus = on_readdirplus,
        .open = on_open,
        .read = on_read,
        .release = on_release,
        .statfs = on_statfs,
};
