/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: exact costs, each attempt once, sums that add up, credits in their order. */
#include "store_fixture.h"

#include "base/buffer.h"
#include "store/ledger.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS LEDGER_DAY_MS
#define MAY_1 INT64_C(1777593600000) /* 2026-05-01T00:00:00Z */
#define YEAR_MS (INT64_C(365) * LEDGER_DAY_MS)

static void cost_is_rounded_to_the_nearest_micro_usd(void **state)
{
	assert_int_equal(ledger_cost(0, 1000000), 0);
	assert_int_equal(ledger_cost(HOUR_MS, 10000), 10000);
	assert_int_equal(ledger_cost(60000, 10000), 167); /* 166.67: cpu-basic per minute */
	assert_int_equal(ledger_cost(1, 1799999), 0);     /* 0.4999997 */
	assert_int_equal(ledger_cost(1, 1800000), 1);     /* 0.5 */
	assert_int_equal(ledger_cost(3, 1800000), 2);     /* 1.5 */
	assert_int_equal(ledger_cost(1, 5400000), 2);     /* 1.5 */
	assert_int_equal(ledger_cost(HOUR_MS - 1, 1), 1);
}

static void cost_has_no_negative_and_no_overflow(void **state)
{
	const int64_t most = INT64_C(1000000000000); /* a million USD per hour */

	assert_int_equal(ledger_cost(-1, 1000000), 0);
	assert_int_equal(ledger_cost(1000, -1), 0);
	assert_int_equal(ledger_cost(INT64_MIN, INT64_MIN), 0);
	assert_int_equal(ledger_cost(10 * YEAR_MS, most), 10 * 365 * 24 * most);
	assert_int_equal(ledger_cost(10 * YEAR_MS + 1, most), 10 * 365 * 24 * most + 277778);
	assert_int_equal(ledger_cost(INT64_MAX, INT64_MAX), INT64_MAX);
}

static void shares_of_days_add_up(void **state)
{
	static const int64_t prices[] = {0, 1, 7, 10000, 999983, INT64_C(1000000000000)};
	unsigned seed = 7;

	for (int i = 0; i < 20000; i++) {
		struct usage_record record = {
		        .started_ms = MAY_1 + rand_r(&seed) % (3 * DAY_MS),
		        .used_ms = i % 7 == 0 ? 0 : rand_r(&seed) % (5 * DAY_MS),
		        .price_hour_micro_usd = prices[i % 6],
		};
		struct usage_share share = {0};
		int64_t used_ms = 0, cost = 0, attempts = 0, day = -1;

		while (usage_share_next(&record, &share)) {
			assert_true(day < 0 || share.day == day + 1);
			assert_true(share.used_ms >= 0 && share.used_ms <= DAY_MS);
			assert_true(share.cost_micro_usd >= 0);
			day = share.day;
			used_ms += share.used_ms;
			cost += share.cost_micro_usd;
			attempts += share.attempts;
		}
		assert_int_equal(used_ms, record.used_ms);
		assert_int_equal(cost, ledger_cost(record.used_ms, record.price_hour_micro_usd));
		assert_int_equal(attempts, 1);
	}
}

static void add_job(struct store_fixture *f, const struct account *owner, char ret_id[ID_SIZE])
{
	struct job_record job autojob = {0};
	struct error err = ERROR_INIT;
	char existing[ID_SIZE];

	store_fill_job(owner, &f->alice, NULL, &job);
	assert_int_equal(jobs_insert(f->db, &job, NULL, 0, NULL, NULL, existing, &err), 0);
	memcpy(ret_id, job.id, ID_SIZE);
}

static void begin(struct store_fixture *f, const struct account *owner, const char *id, int attempt,
                  int64_t price, int64_t started_ms)
{
	struct usage_record record = {
	        .attempt = attempt,
	        .flavor = "cpu-basic",
	        .price_hour_micro_usd = price,
	        .started_ms = started_ms,
	};

	memcpy(record.job_id, id, ID_SIZE);
	memcpy(record.namespace_id, owner->id, ID_SIZE);
	memcpy(record.user_id, f->alice.id, ID_SIZE);
	usage_begin(f->db, &record);
}

static void an_attempt_is_charged_once(void **state)
{
	struct store_fixture *f = *state;
	struct usage_record record;
	char id[ID_SIZE];
	int64_t day = MAY_1 / DAY_MS;

	add_job(f, &f->alice, id);
	assert_false(usage_end(f->db, id, 1, 1000, NULL, &record)); /* never began */
	begin(f, &f->alice, id, 1, 3600000, MAY_1);
	begin(f, &f->alice, id, 1, 7200000, MAY_1 + 5); /* told again, with another price */
	assert_true(usage_find(f->db, id, 1, &record));
	assert_int_equal(record.price_hour_micro_usd, 3600000);
	assert_int_equal(record.started_ms, MAY_1);
	assert_int_equal(record.ended_ms, 0);
	assert_true(usage_end(f->db, id, 1, 1500, NULL, &record));
	assert_int_equal(record.cost_micro_usd, 1500);
	assert_int_equal(record.ended_ms, MAY_1 + 1500);
	assert_false(usage_end(f->db, id, 1, 9000, NULL, &record));
	begin(f, &f->alice, id, 1, 1, MAY_1);
	assert_false(usage_end(f->db, id, 1, 9000, NULL, &record));
	assert_int_equal(usage_cost_of_month(f->db, f->alice.id, day), 1500);
	assert_int_equal(usage_cost_of_month(f->db, f->alice.id, day + 31), 0);
	begin(f, &f->alice, id, 2, 3600000, MAY_1 + 9000);
	assert_true(usage_end(f->db, id, 2, -5, NULL, &record)); /* a clock that ran backwards */
	assert_int_equal(record.used_ms, 0);
	assert_int_equal(usage_cost_of_month(f->db, f->alice.id, day), 1500);
}

static void add_sum(void *arg, const struct usage_sum *sum)
{
	struct buffer *text = arg;

	(void)buffer_printf(text, "%s:%lld/%lld/%lld ", sum->key, (long long)sum->attempts,
	                    (long long)sum->used_ms, (long long)sum->cost_micro_usd);
}

static const char *sums(struct store_fixture *f, const char *namespace_id, enum usage_by by,
                        const char *label)
{
	static char text[4096];
	autobuffer struct buffer buffer = BUFFER_INIT(4096);
	int64_t day = MAY_1 / DAY_MS;

	usage_sums(f->db, namespace_id, by, label, day, day + 31, add_sum, &buffer);
	snprintf(text, sizeof(text), "%s", buffer_text(&buffer));
	return text;
}

static void sums_are_by_everything(void **state)
{
	struct store_fixture *f = *state;
	autojson json_t *labels = json_pack("{s:s, s:s}", "team", "red", "run", "1");
	autojson json_t *others = json_pack("{s:s}", "team", "blue");
	struct usage_record record;
	char id[ID_SIZE];

	add_job(f, &f->alice, id);
	begin(f, &f->alice, id, 1, 3600000, MAY_1 + DAY_MS - 1000);
	assert_true(usage_end(f->db, id, 1, 3000, labels, &record)); /* over midnight */
	add_job(f, &f->lab, id);
	begin(f, &f->lab, id, 1, 7200000, MAY_1);
	assert_true(usage_end(f->db, id, 1, 1000, others, &record));
	database_commit(f->db);

	assert_string_equal(sums(f, NULL, USAGE_BY_NAMESPACE, NULL),
	                    "alice:1/3000/3000 lab:1/1000/2000 ");
	assert_string_equal(sums(f, f->lab.id, USAGE_BY_NAMESPACE, NULL), "lab:1/1000/2000 ");
	assert_string_equal(sums(f, NULL, USAGE_BY_USER, NULL), "alice:2/4000/5000 ");
	assert_string_equal(sums(f, NULL, USAGE_BY_FLAVOR, NULL), "cpu-basic:2/4000/5000 ");
	assert_string_equal(sums(f, NULL, USAGE_BY_GROUP, NULL), ":2/4000/5000 ");
	assert_string_equal(sums(f, NULL, USAGE_BY_DAY, NULL),
	                    "2026-05-01:1/2000/3000 2026-05-02:1/2000/2000 ");
	assert_string_equal(sums(f, f->alice.id, USAGE_BY_DAY, NULL),
	                    "2026-05-01:0/1000/1000 2026-05-02:1/2000/2000 ");
	assert_string_equal(sums(f, NULL, USAGE_BY_MONTH, NULL), "2026-05:2/4000/5000 ");
	assert_string_equal(sums(f, NULL, USAGE_BY_LABEL, "team"),
	                    "blue:1/1000/2000 red:1/3000/3000 ");
	assert_string_equal(sums(f, f->alice.id, USAGE_BY_LABEL, "run"), "1:1/3000/3000 ");
	assert_string_equal(sums(f, f->alice.id, USAGE_BY_LABEL, "none"), "");
}

static void months_are_their_days(void **state)
{
	struct store_fixture *f = *state;
	struct usage_record record;
	unsigned seed = 3;
	char id[ID_SIZE];

	for (int i = 0; i < 60; i++) {
		add_job(f, &f->alice, id);
		begin(f, &f->alice, id, 1, 3600000,
		      MAY_1 + rand_r(&seed) % (70 * DAY_MS / 1000) * 1000);
		assert_true(usage_end(f->db, id, 1, rand_r(&seed) % (3 * DAY_MS), NULL, &record));
	}
	for (int64_t day = MAY_1 / DAY_MS, next; day < MAY_1 / DAY_MS + 70; day = next) {
		autobuffer struct buffer of_days = BUFFER_INIT(4096), of_month = BUFFER_INIT(4096);

		assert_int_equal(usage_month_of(day + 27, &next), day);
		assert_true(next - day == 30 || next - day == 31);
		for (int by = USAGE_BY_NAMESPACE; by <= USAGE_BY_MONTH; by++) {
			if (by == USAGE_BY_DAY)
				continue;
			usage_sums(f->db, NULL, (enum usage_by)by, NULL, day, next, add_sum,
			           &of_days);
			usage_sums_month(f->db, by % 2 ? f->alice.id : NULL, (enum usage_by)by, day,
			                 add_sum, &of_month);
		}
		assert_true(of_days.len > 0);
		assert_string_equal(buffer_text(&of_days), buffer_text(&of_month));
	}
}

struct listing {
	int64_t at[8];
	struct usage_record last;
	int n;
};

static void list(void *arg, const struct usage_record *record)
{
	struct listing *listing = arg;

	listing->last = *record;
	listing->at[listing->n++] = record->started_ms - MAY_1;
}

static void records_come_newest_first_in_pages(void **state)
{
	struct store_fixture *f = *state;
	static const int64_t starts[] = {10, 30, 20, 20, 20};
	struct listing listing = {0};
	struct usage_record after;
	char id[ID_SIZE];

	for (int i = 0; i < 5; i++) {
		add_job(f, &f->alice, id);
		begin(f, &f->alice, id, 1, 1, MAY_1 + starts[i]);
	}
	usage_each(f->db, f->alice.id, MAY_1, MAY_1 + 31, NULL, 2, list, &listing);
	assert_int_equal(listing.n, 2);
	after = listing.last;
	usage_each(f->db, f->alice.id, MAY_1, MAY_1 + 31, &after, 2, list, &listing);
	after = listing.last;
	usage_each(f->db, f->alice.id, MAY_1, MAY_1 + 31, &after, 2, list, &listing);
	assert_int_equal(listing.n, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(listing.at[i], ((int64_t[]){30, 20, 20, 20, 10})[i]);
}

static void grant(struct store_fixture *f, const char *id, int64_t amount, int64_t expires_ms)
{
	struct credit credit = {.amount = amount, .expires_ms = expires_ms};

	snprintf(credit.id, sizeof(credit.id), "%s", id);
	credits_insert(f->db, f->alice.id, &credit);
}

static int64_t left(struct store_fixture *f, int64_t now_ms)
{
	struct credits_sum sum;

	credits_sum(f->db, f->alice.id, now_ms, &sum);
	return sum.left;
}

static void what_expires_first_is_used_first(void **state)
{
	struct store_fixture *f = *state;
	struct error err = ERROR_INIT;
	struct budget budget;

	grant(f, "never", 100, 0);
	grant(f, "later", 50, 2000);
	grant(f, "soon", 30, 1000);
	assert_int_equal(left(f, 0), 180);
	assert_int_equal(credits_first_expiry(f->db, f->alice.id), 1000);
	credits_take(f->db, f->alice.id, 10, 500);
	assert_int_equal(left(f, 1500), 150); /* 20 of "soon" are lost */
	credits_expire(f->db, f->alice.id, 1500);
	assert_int_equal(credits_first_expiry(f->db, f->alice.id), 2000);
	credits_take(f->db, f->alice.id, 60, 1500);
	assert_int_equal(left(f, 2500), 90);
	credits_take(f->db, f->alice.id, 100, 2500);
	assert_int_equal(left(f, 2500), -10);
	grant(f, "more", 4, 0);
	assert_int_equal(left(f, 2500), -6);
	grant(f, "most", 16, 0);
	budgets_get(f->db, f->alice.id, &budget);
	assert_int_equal(budget.debt_micro_usd, 0);
	assert_true(budget.has_credits);
	assert_int_equal(left(f, 2500), 10);
	assert_int_equal(credits_revoke(f->db, f->alice.id, "most", &err), 0);
	assert_int_equal(left(f, 2500), 0);
	assert_int_equal(credits_revoke(f->db, f->lab.id, "most", &err), -1);
	assert_int_equal(err.code, E_NOT_FOUND);
}

static void budgets_are_kept(void **state)
{
	struct store_fixture *f = *state;
	struct budget budget;

	budgets_get(f->db, f->lab.id, &budget);
	assert_int_equal(budget.is_unlimited, -1);
	assert_int_equal(budget.monthly_micro_usd, -1);
	assert_false(budget.has_credits);
	budgets_set(f->db, f->lab.id, 0, 0);
	budgets_set_told(f->db, f->lab.id, 202605, 0);
	budgets_get(f->db, f->lab.id, &budget);
	assert_int_equal(budget.is_unlimited, 0);
	assert_int_equal(budget.monthly_micro_usd, 0);
	assert_int_equal(budget.warned_month, 202605);
	budgets_set(f->db, f->lab.id, 1, -1);
	budgets_get(f->db, f->lab.id, &budget);
	assert_int_equal(budget.is_unlimited, 1);
	assert_int_equal(budget.monthly_micro_usd, -1);
	assert_int_equal(budget.warned_month, 0); /* to be told again */
}

static void a_price_is_that_of_the_attempts_row(void **state)
{
	struct store_fixture *f = *state;
	char id[ID_SIZE];
	struct attempt_record attempt = {.number = 1, .price_hour_micro_usd = 123};

	add_job(f, &f->alice, id);
	memcpy(attempt.job_id, id, ID_SIZE);
	attempts_insert(f->db, &attempt);
	assert_int_equal(attempts_price(f->db, id, 1, 5), 123);
	assert_int_equal(attempts_price(f->db, id, 2, 5), 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(cost_is_rounded_to_the_nearest_micro_usd),
	        cmocka_unit_test(cost_has_no_negative_and_no_overflow),
	        cmocka_unit_test(shares_of_days_add_up),
	        TEST(an_attempt_is_charged_once),
	        TEST(sums_are_by_everything),
	        TEST(months_are_their_days),
	        TEST(records_come_newest_first_in_pages),
	        TEST(what_expires_first_is_used_first),
	        TEST(budgets_are_kept),
	        TEST(a_price_is_that_of_the_attempts_row),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
