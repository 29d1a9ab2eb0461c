/* SPDX-License-Identifier: Apache-2.0 */
/* Why an entry waits, for people: what keeps it, how many go before it, and
 * when it may start. */
#include "job/scheduler_private.h"

#include "base/quantity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TELLABLE_MS (INT64_C(3650) * 86400000) /* what is later is not told */
#define NAME_SIZE 128
#define NOUN_SIZE 256

struct sentence {
	char *text;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *sentence, const char *fmt,
                                                      ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(sentence->text + sentence->len, sentence->size - sentence->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		sentence->len += (size_t)n;
	if (sentence->len >= sentence->size)
		sentence->len = sentence->size - 1;
}

static void say_time(struct sentence *sentence, int64_t ms)
{
	int64_t seconds = (ms + 500) / 1000;

	if (seconds < 100)
		say(sentence, "%lld s", (long long)(seconds > 0 ? seconds : 1));
	else if (seconds < 100 * 60)
		say(sentence, "%lld min", (long long)((seconds + 30) / 60));
	else if (seconds < 48 * 3600)
		say(sentence, "%lld h", (long long)((seconds + 1800) / 3600));
	else
		say(sentence, "%lld days", (long long)((seconds + 43200) / 86400));
}

/* "1 A100", "2 A100 1g.10gb", "1/4 of 1 A100" */
static void kind_write_devices(const struct kind *kind, char ret[NOUN_SIZE])
{
	const struct flavor *flavor = kind->flavor;
	const char *model = flavor->device_model;
	struct sentence sentence = {ret, NOUN_SIZE, 0};

	if (!model || !*model)
		model = kind->n_eligible ? kind->eligible[0]->info.model : flavor->device_kind;
	if (flavor->device_shares > 1)
		say(&sentence, "1/%lld of ", (long long)flavor->device_shares);
	say(&sentence, "%lld %s", (long long)flavor->device_count, model);
	if (flavor->device_slice && *flavor->device_slice)
		say(&sentence, " %s", flavor->device_slice);
}

static void scope_write_name(const struct scheduler *scheduler, const struct scheduler_place *place,
                             const struct scope *scope, char ret[NAME_SIZE])
{
	static const char *const nouns[SCOPES] = {"its namespace", "its user",
	                                          "its resource group"};
	int which = 0;

	while (which < SCOPES - 1 && place->scopes[which] != scope)
		which++;
	if (!scheduler->name || (scheduler->is_telling_all && which == SCOPE_GROUP) ||
	    !scheduler->name(scheduler->name_arg, (enum scheduler_scope)which, scope->entry.id, ret,
	                     NAME_SIZE))
		snprintf(ret, NAME_SIZE, "%s", nouns[which]);
}

static void explain_limit(const struct scheduler *scheduler, const struct scheduler_place *place,
                          const struct scope *scope, struct sentence *sentence)
{
	const struct scheduler_limits *limits = &scope->limits;
	char name[NAME_SIZE];

	scope_write_name(scheduler, place, scope, name);
	if (limits->max_running == 0)
		say(sentence, "Waiting: %s may not run jobs", name);
	else if (limits->max_running > 0 && scope->running >= limits->max_running)
		say(sentence, "Waiting: %s runs %lld of at most %lld jobs", name,
		    (long long)scope->running, (long long)limits->max_running);
	else if (place->kind->n_devices > limits->max_devices)
		say(sentence, "Waiting: %s may have %lld devices at once, and this job needs %d",
		    name, (long long)limits->max_devices, place->kind->n_devices);
	else
		say(sentence, "Waiting: %s has %lld of at most %lld devices", name,
		    (long long)scope->devices, (long long)limits->max_devices);
}

/* Nobody who leaves can help. */
static void explain_impossible(const struct scheduler *scheduler, const struct kind *kind,
                               struct sentence *sentence)
{
	char noun[NOUN_SIZE];

	if (!kind->n_devices) {
		say(sentence, "Waiting: this server is too small for it now");
		return;
	}
	kind_write_devices(kind, noun);
	if (kind->n_eligible == 0)
		say(sentence, "Waiting for %s: this server has none now", noun);
	else if (kind->n_healthy == 0)
		say(sentence, "Waiting for %s: %s of the %zu here works", noun, "none",
		    kind->n_eligible);
	else
		say(sentence, "Waiting for %s: only %zu of the %zu here work%s", noun,
		    kind->n_healthy, kind->n_eligible, kind->n_healthy == 1 ? "s" : "");
	for (size_t i = 0; i < kind->n_eligible; i++) {
		if (device_is_usable(kind->eligible[i]) || !*kind->eligible[i]->info.fault)
			continue;
		say(sentence, " (%s)", kind->eligible[i]->info.fault);
		return;
	}
}

static void explain_amount(const struct scheduler *scheduler, const struct kind *kind,
                           const struct amount *room, struct sentence *sentence)
{
	char memory[QUANTITY_TEXT_SIZE], free_memory[QUANTITY_TEXT_SIZE];
	int64_t cpu_millis = room->cpu_millis > 0 ? room->cpu_millis : 0;
	int64_t bytes = room->memory_bytes > 0 ? room->memory_bytes : 0;

	say(sentence, "Waiting for %g vCPU and %s: %g vCPU and %s are free",
	    (double)kind->amount.cpu_millis / 1000,
	    quantity_format_bytes(kind->amount.memory_bytes, memory), (double)cpu_millis / 1000,
	    quantity_format_bytes(bytes, free_memory));
}

static void explain_devices(const struct scheduler *scheduler, const struct kind *kind,
                            struct sentence *sentence)
{
	size_t untaken = 0, roomy = 0;
	char noun[NOUN_SIZE];

	kind_write_devices(kind, noun);
	for (size_t i = 0; i < kind->n_eligible; i++) {
		untaken += device_is_usable(kind->eligible[i]) && !kind->eligible[i]->n_holders;
		roomy += device_has_room(kind->eligible[i], kind);
	}
	if (kind->units < DEVICE_UNITS && roomy > untaken)
		say(sentence, "Waiting for %s: what is free is shared by jobs of somebody else",
		    noun);
	else if (untaken == 0)
		say(sentence, "Waiting for %s: none of %zu is free", noun, kind->n_healthy);
	else
		say(sentence, "Waiting for %s: %zu of %zu %s free", noun, untaken, kind->n_healthy,
		    untaken == 1 ? "is" : "are");
}

/* Of those that compete for the same it is the first. */
static void explain_first(struct scheduler *scheduler, const struct scheduler_place *place,
                          struct sentence *sentence)
{
	struct amount room = amount_subtract(&scheduler->capacity, &scheduler->taken);
	const struct kind *kind = place->kind;
	struct scheduler_device *devices[DEVICES_PER_JOB];

	if (room.jobs <= 0)
		say(sentence, "Waiting: %lld of %lld jobs are running",
		    (long long)scheduler->taken.jobs, (long long)scheduler->capacity.jobs);
	else if (kind->n_devices && !inventory_choose(scheduler, place, 0, devices))
		explain_devices(scheduler, kind, sentence);
	else if (!amount_fits(&kind->amount, &room))
		explain_amount(scheduler, kind, &room, sentence);
	else
		say(sentence, "Waiting: what is free is kept for a job that was promised "
		              "to start then");
}

static void explain_ahead(const struct kind *kind, int64_t ahead, struct sentence *sentence)
{
	char noun[NOUN_SIZE];

	say(sentence, "Waiting");
	if (kind->n_devices) {
		kind_write_devices(kind, noun);
		say(sentence, " for %s", noun);
	}
	say(sentence, ": %lld job%s ahead", (long long)ahead, ahead == 1 ? "" : "s");
}

static int64_t place_estimate(const struct scheduler *scheduler,
                              const struct scheduler_place *place)
{
	const struct order *order = &scheduler->order;
	int64_t start_ms = place->start_ms;

	if (place->order != order->number)
		return 0;
	if (start_ms == 0 && place->is_admitted && order->rest_from_ms > order->at_ms)
		start_ms = order->at_ms +
		           (int64_t)((double)(order->rest_from_ms - order->at_ms) *
		                     (double)(place->position + 1) / (double)order->rest_position);
	return start_ms - scheduler->now_ms < TELLABLE_MS ? start_ms : 0;
}

static void explain_waiting(struct scheduler *scheduler, const struct scheduler_place *place,
                            struct sentence *sentence)
{
	const struct order *order = &scheduler->order;
	const struct scope *blocker = scope_blocker(place);
	bool is_placed = place->order == order->number;
	int64_t start_ms = place_estimate(scheduler, place);

	if (blocker) {
		explain_limit(scheduler, place, blocker, sentence);
		return;
	}
	if (place->kind->is_impossible) {
		explain_impossible(scheduler, place->kind, sentence);
		return;
	}
	if (!is_placed)
		say(sentence, "Waiting: at most %lld jobs ahead",
		    (long long)scheduler->n_waiting - 1);
	else if (place->ahead == 0)
		explain_first(scheduler, place, sentence);
	else
		explain_ahead(place->kind, place->ahead, sentence);
	if (start_ms > scheduler->now_ms) {
		say(sentence, ", about ");
		say_time(sentence, start_ms - scheduler->now_ms);
	}
}

static void explain_place(struct scheduler *scheduler, const struct scheduler_place *place,
                          char *ret, size_t size)
{
	static const char *const holds[] = {
	        [HOLD_NONE] = "",
	        [HOLD_OWNER] = "Held by its owner",
	        [HOLD_ADMIN] = "Held by an administrator",
	        [HOLD_AFTER] = "Waiting for other jobs",
	        [HOLD_ARRAY] = "Waiting: as many of its array run as may at once",
	};
	struct sentence sentence = {ret, size, 0};

	*ret = '\0';
	if (place->state == PLACE_HELD) {
		say(&sentence, "%s", holds[place->entry->hold]);
	} else if (place->state == PLACE_PAUSED) {
		say(&sentence, "%s in ", place->entry->is_retry ? "Next attempt" : "To be started");
		say_time(&sentence, place->entry->not_before_ms - scheduler->now_ms);
	} else {
		explain_waiting(scheduler, place, &sentence);
	}
}

static void scheduler_look_at(struct scheduler *scheduler, int64_t now_ms)
{
	if (now_ms > scheduler->now_ms)
		scheduler->now_ms = now_ms;
}

bool scheduler_explain(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_ms,
                       char *ret, size_t size)
{
	if (!entry->is_queued || entry->place->ticket >= scheduler->seen_ticket)
		return false;
	scheduler_look_at(scheduler, now_ms);
	order_refresh(scheduler, false);
	explain_place(scheduler, entry->place, ret, size);
	return true;
}

static void place_view(struct scheduler *scheduler, const struct scheduler_place *place,
                       int64_t position, struct scheduler_view *ret)
{
	*ret = (struct scheduler_view){.entry = place->entry, .position = -1};
	if (place->state != PLACE_HELD)
		ret->position = position;
	if (place->state == PLACE_IN_LANE)
		ret->start_ms = place_estimate(scheduler, place);
	else if (place->state == PLACE_PAUSED)
		ret->start_ms = place->entry->not_before_ms;
	if (place->promise && place->promise->start_ms - scheduler->now_ms < TELLABLE_MS) {
		ret->start_ms = place->promise->start_ms;
		ret->is_promised = true;
	}
	explain_place(scheduler, place, ret->why, sizeof(ret->why));
}

bool scheduler_find(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_ms,
                    struct scheduler_view *ret)
{
	const struct scheduler_place *place = entry->place;

	if (!entry->is_queued)
		return false;
	scheduler_look_at(scheduler, now_ms);
	order_refresh(scheduler, false);
	place_view(scheduler, place,
	           place->order == scheduler->order.number ? place->position
	                                                   : scheduler->n_waiting - 1,
	           ret);
	return true;
}

struct teller {
	struct scheduler *scheduler;
	void (*fn)(void *arg, const struct scheduler_view *view);
	void *arg;
	size_t left;
	int64_t position;
};

static void tell(struct teller *teller, const struct scheduler_place *place)
{
	struct scheduler_view view;

	teller->left--;
	place_view(teller->scheduler, place, teller->position++, &view);
	teller->fn(teller->arg, &view);
}

void scheduler_each(struct scheduler *scheduler, int64_t now_ms, size_t max,
                    void (*fn)(void *arg, const struct scheduler_view *view), void *arg)
{
	struct teller teller = {scheduler, fn, arg, max, 0};

	scheduler_look_at(scheduler, now_ms);
	order_refresh(scheduler, true);
	scheduler->is_telling_all = true;
	for (size_t i = 0; i < scheduler->order.count && teller.left; i++)
		if (scheduler->order.places[i])
			tell(&teller, scheduler->order.places[i]);
	for (size_t i = 0; i < scheduler->n_paused && teller.left; i++)
		tell(&teller, scheduler->paused[i]);
	for (const struct scheduler_place *place = scheduler->held.first; place && teller.left;
	     place = place->next)
		tell(&teller, place);
	scheduler->is_telling_all = false;
}
