/* SPDX-License-Identifier: Apache-2.0 */
/* Pages in other orders, against all entries sorted at once. */
#include "../unit.h"

#include "base/memory.h"
#include "job/bucket_select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 500

struct plain {
	char path[16];
	int64_t uploaded_ms;
};

static struct plain all[COUNT];
static enum bucket_order by;
static int sign;

static int compare(const void *a, const void *b)
{
	const struct plain *x = a, *y = b;

	if (by == BUCKET_BY_UPLOAD && x->uploaded_ms != y->uploaded_ms)
		return x->uploaded_ms > y->uploaded_ms ? sign : -sign;
	return sign * strcmp(x->path, y->path);
}

/* Few times for many paths: most are the same. */
static void make_all(unsigned seed)
{
	srand(seed);
	for (int i = 0; i < COUNT; i++) {
		snprintf(all[i].path, sizeof(all[i].path), "%03d", i);
		all[i].uploaded_ms = rand() % 50;
	}
	for (int i = 0; i < COUNT; i++) {
		int j = rand() % COUNT;
		struct plain held = all[i];

		all[i] = all[j];
		all[j] = held;
	}
}

static struct listed *listed_of(const struct plain *plain)
{
	struct listed *listed = xcalloc(1, sizeof(*listed));

	listed->path = xstrdup(plain->path);
	listed->file.uploaded_ms = plain->uploaded_ms;
	return listed;
}

/* One page; how many there were. The query goes on behind it. */
static int check_page(struct bucket_list_query *query, const struct plain *expected, int left,
                      char after[16])
{
	struct bucket_select *select = bucket_select_new(query);
	bool has_more = false;
	int n = 0;

	for (int i = 0; i < COUNT; i++)
		bucket_select_add(select, listed_of(&all[i]));
	for (struct listed *l = bucket_select_take(select, &has_more), *next; l; l = next) {
		next = l->next;
		assert_string_equal(l->path, expected[n].path);
		snprintf(after, 16, "%s", l->path);
		query->after = after;
		query->after_uploaded_ms = l->file.uploaded_ms;
		listed_free(l);
		n++;
	}
	assert_int_equal(n, left < query->limit ? left : query->limit);
	assert_int_equal(has_more, left > query->limit);
	bucket_select_free(select);
	return n;
}

static void check_order(enum bucket_order order, bool is_descending, int limit)
{
	struct bucket_list_query query = {
	        .prefix = "", .limit = limit, .order = order, .is_descending = is_descending};
	struct plain sorted[COUNT];
	char after[16];

	by = order;
	sign = is_descending ? -1 : 1;
	memcpy(sorted, all, sizeof(all));
	qsort(sorted, COUNT, sizeof(sorted[0]), compare);
	for (int at = 0; at < COUNT;)
		at += check_page(&query, sorted + at, COUNT - at, after);
}

static void pages_make_up_the_whole(void **state)
{
	static const int limits[] = {1, 2, 7, 100, COUNT - 1, COUNT, COUNT + 1};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		make_all((unsigned)i);
		check_order(BUCKET_BY_UPLOAD, false, limits[i]);
		check_order(BUCKET_BY_UPLOAD, true, limits[i]);
		check_order(BUCKET_BY_PATH, true, limits[i]);
	}
}

static void the_natural_order_needs_none(void **state)
{
	assert_null(bucket_select_new(&(struct bucket_list_query){.prefix = "", .limit = 5}));
	bucket_select_free(NULL);
}

/* The client left: what was kept goes with it. */
static void freed_in_the_middle(void **state)
{
	struct bucket_select *select = bucket_select_new(&(struct bucket_list_query){
	        .prefix = "", .limit = 5, .after = "x", .is_descending = true});

	make_all(1);
	for (int i = 0; i < COUNT; i++)
		bucket_select_add(select, listed_of(&all[i]));
	bucket_select_free(select);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(pages_make_up_the_whole),
	        cmocka_unit_test(the_natural_order_needs_none),
	        cmocka_unit_test(freed_in_the_middle),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
