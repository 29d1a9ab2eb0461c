/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes behind a data URL: chunks of a plain file, each with the header of an uncompressed
 * chunk before it. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "hub/xorb.h"
#include "job/xet_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 512

struct xet_data {
	struct xet_file file;
	struct xet_table table;
	size_t chunk;    /* of the file; now at … */
	uint32_t at;     /* … this byte of it, header included */
	int64_t file_at; /* where its data begins in the file */
	int64_t left;
};

static bool range_read(const char *text, struct xet_range *ret)
{
	return sscanf(text, "range %24s %64s %zu %zu %" SCNu64 " %u %u %" SCNd64, ret->bucket_id,
	              ret->hash, &ret->group.first, &ret->group.end, &ret->group.offset,
	              &ret->first, &ret->end, &ret->expires_s) == 8;
}

static int range_open(struct xet_service *service, const char *query, struct xet_range *ret,
                      struct error *err)
{
	char text[TEXT_MAX];

	if (!xet_unseal_text(service, query, text, sizeof(text)) || !range_read(text, ret))
		return fail(err, E_FORBIDDEN, "This address was not given by this server");
	if (clock_now_ms() / 1000 > ret->expires_s)
		return fail(err, E_FORBIDDEN, "This address has expired; ask for a new one");
	return 0;
}

/* "bytes=S-E", both given: what clients send. */
static int range_header(const char *header, int64_t *ret_first, int64_t *ret_last,
                        struct error *err)
{
	int64_t first, last;
	int used = -1;

	if (!header ||
	    sscanf(header, "bytes=%" SCNd64 "-%" SCNd64 "%n", &first, &last, &used) != 2 ||
	    header[used] || first < 0 || last < first)
		return fail(err, E_INVALID,
		            "The header Range must be bytes=FIRST-LAST, as in the reconstruction");
	*ret_first = first;
	*ret_last = last;
	return 0;
}

/* Go to byte `target` of the serialized group. */
static void data_seek(struct xet_data *data, const struct file_group *group, int64_t target)
{
	int64_t at = 0;

	data->file_at = (int64_t)group->offset;
	for (data->chunk = group->first; data->chunk < group->end; data->chunk++) {
		uint32_t length = file_table_length(&data->table.view, data->chunk);

		if (at + XORB_HEADER_SIZE + length > target)
			break;
		at += XORB_HEADER_SIZE + length;
		data->file_at += length;
	}
	data->at = (uint32_t)(target - at);
}

static int data_prepare(struct xet_data *data, struct xet_range *range, int64_t first, int64_t last,
                        int64_t *ret_total, struct error *err)
{
	struct file_group *group = &range->group;
	uint32_t begin, end, total, ignored;

	if (group->end > data->table.view.count || group->first >= group->end ||
	    range->end > group->end - group->first || range->first >= range->end)
		return fail(err, E_NOT_FOUND, "The file has changed");
	file_group_locate(&data->table.view, group, range->first, &begin, &ignored);
	file_group_locate(&data->table.view, group, range->end, &end, &ignored);
	file_group_locate(&data->table.view, group, group->end - group->first, &total, &ignored);
	if (first < begin || last >= end)
		return fail(err, E_FORBIDDEN,
		            "This address is for the bytes %u to %u; ask for another one", begin,
		            end - 1);
	data_seek(data, group, first);
	data->left = last - first + 1;
	*ret_total = total;
	return 0;
}

int xet_data_open(struct xet_service *service, const char *namespace_id, const char *query,
                  const char *header, struct xet_data **ret, int64_t *ret_first,
                  int64_t *ret_length, int64_t *ret_total, struct error *err)
{
	struct xet_data *data = xcalloc(1, sizeof(*data));
	struct xet_range range = {0};
	struct bucket bucket;
	int64_t first = 0, last = 0;

	data->file.fd = -1;
	if (range_open(service, query, &range, err) < 0 ||
	    range_header(header, &first, &last, err) < 0)
		goto failed;
	if (!buckets_find_by_id(service->db, range.bucket_id, &bucket) ||
	    strcmp(bucket.namespace_id, namespace_id) != 0) {
		(void)fail(err, E_NOT_FOUND, "The bucket is gone");
		goto failed;
	}
	if (xet_file_open(service, &bucket, range.hash, &data->file, err) < 0 ||
	    xet_table_open(service, namespace_id, range.hash, &data->table, err) < 0 ||
	    data_prepare(data, &range, first, last, ret_total, err) < 0)
		goto failed;
	*ret = data;
	*ret_first = first;
	*ret_length = data->left;
	return 0;
failed:
	xet_data_free(data);
	return -1;
}

static size_t data_copy_header(struct xet_data *data, uint32_t length, char *buffer, size_t max)
{
	uint8_t header[XORB_HEADER_SIZE];
	size_t n = XORB_HEADER_SIZE - data->at;

	xorb_header_write(header, 0, length, length);
	n = n < max ? n : max;
	memcpy(buffer, header + data->at, n);
	data->at += (uint32_t)n;
	return n;
}

/* One step: part of a header or part of a chunk. */
static ssize_t data_step(struct xet_data *data, char *buffer, size_t max)
{
	uint32_t length = file_table_length(&data->table.view, data->chunk);
	uint32_t done;
	ssize_t n;

	if (data->at < XORB_HEADER_SIZE)
		return (ssize_t)data_copy_header(data, length, buffer, max);
	done = data->at - XORB_HEADER_SIZE;
	n = pread(data->file.fd, buffer, length - done < max ? length - done : max,
	          data->file_at + done);
	if (n <= 0)
		return -1;
	data->at += (uint32_t)n;
	if (data->at == XORB_HEADER_SIZE + length) {
		data->file_at += length;
		data->chunk++;
		data->at = 0;
	}
	return n;
}

ssize_t xet_data_read(struct xet_data *data, char *buffer, size_t max)
{
	size_t done = 0;

	while (done < max && data->left > 0) {
		size_t room = max - done;
		ssize_t n = data_step(data, buffer + done,
		                      (int64_t)room < data->left ? room : (size_t)data->left);

		if (n < 0)
			return -1;
		done += (size_t)n;
		data->left -= n;
	}
	/* Whoever wrote into it meanwhile has made what was sent worthless. */
	if (done > 0 && data->left == 0 && !xet_file_is_same(&data->file))
		return -1;
	return (ssize_t)done;
}

void xet_data_free(struct xet_data *data)
{
	xet_file_close(&data->file);
	xet_table_close(&data->table);
	free(data);
}
