/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler's inside, for its files.
 *
 *   scheduler.c           what its owner calls: entries come, go and change
 *   scheduler_lanes.c     waiting entries: lanes of one namespace and priority, bins of one flavor in
 *                         them; those that pause, by time; those that are held
 *   scheduler_share.c     namespaces, users, groups: limits, counts, use that decays
 *   scheduler_resources.c kinds (what a flavor needs), capacity, slots
 *   scheduler_inventory.c the inventory, who has what, which ones to take
 *   scheduler_plan.c      promises, and whether a start would break one
 *   scheduler_pass.c      one pass over the queue
 *   scheduler_order.c     places in the queue, and when each may start
 *   scheduler_explain.c   the same as sentences
 *
 * All entries of a flavor need the same, so that most questions are asked once per flavor and not once
 * per entry; that is what makes a pass over a long queue cheap.
 */
#ifndef HEARTH_JOB_SCHEDULER_PRIVATE_H
#define HEARTH_JOB_SCHEDULER_PRIVATE_H

#include "job/id_table.h"
#include "job/scheduler.h"

#define SCOPES 3
#define NO_ROOM INT64_MAX
/* Longer than anything runs; sums of it do not overflow. */
#define FOREVER_MS (INT64_C(1) << 53)
/* What a namespace holds counts as if it had held it for so long already: of two that have used the same,
 * the one that holds less goes first. */
#define HELD_COUNTS_MS 60000.0
/* A device, in parts: so many that any number of shares fits. */
#define DEVICE_UNITS (INT64_C(1) << 30)
#define PROMISES_MAX 32
#define LONGEST_KNOWN 4
#define ORDER_MAX 10000	  /* entries whose place is told exactly */
#define ESTIMATES_MAX 1000 /* and whose start is estimated by simulating */

struct amount {
	int64_t cpu_millis, memory_bytes, jobs;
};

/* A namespace, a user or a group. */
struct scope {
	struct id_entry entry;
	struct scheduler_limits limits;
	int64_t queued, running, devices;
	/* Of namespaces only. */
	double use;	     /* share × ms, in the value of scheduler.share_epoch_ms */
	double held_share;   /* of what it holds now */
	int64_t accrued_ms;  /* use is counted up to here */
	struct lane *lanes;
	double supposed;     /* of the order being made: share of those that went before */
	uint64_t supposed_in;
	int64_t admitted;    /* of the estimate being made */
};

struct scheduler_device {
	struct device info;
	bool is_present;
	bool is_divided; /* slices of it are devices: it is not given as a whole */
	int64_t units;	 /* taken */
	struct scheduler_place **holders;
	int n_holders, cap_holders;
	/* Of the estimate being made. */
	int64_t later_units;
	struct scope *later_owner;
};

/* What the entries of one flavor need. */
struct kind {
	const struct flavor *flavor;
	struct amount amount;
	int n_devices;
	int64_t units; /* of each device; less than DEVICE_UNITS: shared */
	double share;
	size_t group; /* the first kind that needs devices of the same sort, or none as this one */
	struct scheduler_device **eligible; /* present ones */
	size_t n_eligible, n_healthy;
	int64_t waiting; /* entries in lanes */
	struct promise *promise;
	/* Of the pass. */
	bool fits;	    /* now, if no promise were in the way */
	bool is_impossible; /* with what is healthy; nobody waits for it */
	struct longest {    /* that one of this rank and priority may run */
		int64_t rank, max_ms;
		int priority;
	} longest[LONGEST_KNOWN];
	int n_longest; /* known ones, in a ring */
	/* Of the estimate. */
	struct scheduler_place *first_later, *last_later;
};

struct place_list {
	struct scheduler_place *first, *last;
};

/* Entries of one lane and one kind, by age: those that ran before first. */
struct bin {
	struct lane *lane;
	struct kind *kind;
	struct place_list retries, arrivals;
	int64_t least_limit_ms; /* no entry has a shorter one */
	struct scheduler_place *cursor; /* of the pass `walk` */
	uint64_t walk;
	struct bin *next;
};

/* Entries of one rank, priority and namespace. */
struct lane {
	int64_t rank;
	int priority;
	struct scope *space;
	struct bin *bins;
	struct lane *next; /* of the namespace */
	size_t index;	   /* in scheduler.lanes */
	/* Of the walk. */
	double score;
	struct scheduler_place *candidate;
};

enum place_state { PLACE_AWAY, PLACE_IN_LANE, PLACE_PAUSED, PLACE_HELD, PLACE_HOLDING };

struct scheduler_place {
	/* What a walk looks at, together; of the entry as it was when it came to its lane. */
	struct kind *kind;
	struct promise *promise;
	struct scheduler_place *previous, *next; /* in its bin, or among those held */
	int64_t limit_ms, arrived_ms, ticket;
	bool is_retry;
	struct scope *scopes[SCOPES]; /* NULL: no group */
	int64_t rank;
	int priority;
	enum place_state state;
	struct scheduler_entry *entry;
	struct bin *bin;
	size_t index; /* among those that pause, or that hold */
	/* As last ordered (`order` says when). */
	uint64_t order;
	int64_t position, ahead, start_ms;
	bool is_admitted; /* no limit keeps it, nor will when those before it run */
	struct scheduler_place *next_later;
	struct scheduler_device **later_devices;
	/* While it holds. */
	struct scheduler_device **devices;
	char *device_names;
	int n_devices;
	double share;
	int64_t end_ms; /* at the latest */
};

/* By when an entry starts, and with which devices. */
struct promise {
	struct scheduler_place *place;
	int64_t start_ms, end_ms;
	struct amount spare; /* what others may have at its start, if they are still there then */
	struct scheduler_device *devices[DEVICES_PER_JOB];
	int n_devices;
};

/* Somebody leaves, at the latest. */
struct leaving {
	int64_t at_ms;
	struct scheduler_place *place;
	struct amount left; /* by it and all those after it: what is taken until then */
};

struct plan {
	struct promise *promises[PROMISES_MAX]; /* the most urgent first */
	size_t n_promises;
	struct leaving *leavings;
	size_t n_leavings, cap_leavings;
	bool are_leavings_valid;
	bool is_loose;	/* somebody left: promises may be kept earlier */
	bool is_broken; /* somebody stays longer, or a device went: promises are made anew */
};

struct lane_heap {
	struct lane **lanes;
	size_t count, cap;
};

struct pass {
	bool is_valid, is_over;
	int64_t now_ms;
	uint64_t walk;
	struct lane_heap heap;
	size_t next_promised; /* these may start though others wait before them */
	bool is_strict;	      /* no backfill: one waits, and nobody may overtake it */
};

struct order {
	bool is_valid;
	uint64_t number, walk;
	int64_t at_ms;
	struct lane_heap heap;
	struct scheduler_place **places;
	size_t count, cap;
	int64_t rest_from_ms;  /* the last estimate; 0: there is none */
	int64_t rest_position; /* so many were before it or it */
};

struct scheduler {
	struct amount capacity, taken;
	bool is_backfilling, is_sharing_between;
	double half_life_ms;
	int64_t default_max[SCOPES];
	struct scheduler_usage usage;

	int64_t now_ms;
	int64_t next_ticket, seen_ticket;

	struct id_table scopes[SCOPES];
	int64_t share_epoch_ms; /* 0: none yet */

	struct kind **kinds;
	size_t n_kinds;
	struct scheduler_device **devices;
	size_t n_devices;
	bool has_inventory;

	struct lane **lanes;
	size_t n_lanes, cap_lanes;
	bool are_lanes_untidy; /* some, or their bins, are empty */
	struct scheduler_place **paused; /* a heap */
	size_t n_paused, cap_paused;
	struct place_list held;
	int64_t n_held, n_waiting;

	struct scheduler_place **holding;
	size_t n_holding, cap_holding;
	uint8_t *slots; /* one byte each: taken or not */
	int n_slots, first_free_slot;

	struct plan plan;
	struct pass pass;
	struct order order;
	uint64_t walks;
	int64_t steps; /* entries and lanes looked at, for tests of what a pass costs */

	bool is_telling_all; /* everyone reads it: resource groups are not named */
	scheduler_name_fn *name;
	void *name_arg;
};

/* Something changed: what was found out about the queue does not hold any more. */
void scheduler_changed(struct scheduler *scheduler);
/* When one that holds is gone: if it should be already, in a moment. */
int64_t place_end_ms(const struct scheduler *scheduler, const struct scheduler_place *place);
/* Rank and priority: below 0 if a goes before b. */
int place_compare_urgency(const struct scheduler_place *a, const struct scheduler_place *b);

/* scheduler_lanes.c */
void lanes_insert(struct scheduler *scheduler, struct scheduler_place *place);
void lanes_remove(struct scheduler *scheduler, struct scheduler_place *place);
void lanes_wake(struct scheduler *scheduler);
void lanes_tidy(struct scheduler *scheduler); /* no walk is going on */
void bin_note_limit(struct bin *bin, const struct scheduler_place *place);
struct scheduler_place *bin_first(const struct bin *bin);
struct scheduler_place *bin_next(const struct bin *bin, const struct scheduler_place *place);
int place_compare_age(const struct scheduler_place *a, const struct scheduler_place *b);
void lane_heap_add(struct lane_heap *heap, struct lane *lane); /* then lane_heap_build() */
void lane_heap_build(struct lane_heap *heap);
void lane_heap_sink(struct lane_heap *heap, size_t at);
void lane_heap_pop(struct lane_heap *heap);

/* scheduler_share.c */
struct scope *scope_get(struct scheduler *scheduler, enum scheduler_scope which, const char *id);
void scopes_clear(struct scheduler *scheduler);
void scopes_of(struct scheduler *scheduler, struct scheduler_place *place);
void scope_count(struct scheduler_place *place, int queued, int running);
/* The scope whose limit does not let it start; NULL: none. */
const struct scope *scope_blocker(const struct scheduler_place *place);
/* Will a limit be in the way between these times, of it or of others that were promised a start (and are
 * not less urgent), when all who leave by then have left? */
bool scope_blocks(const struct scheduler *scheduler, const struct scheduler_place *place,
		  int64_t start_ms, int64_t end_ms);
void share_hold(struct scheduler *scheduler, struct scheduler_place *place, int64_t since_ms);
void share_release(struct scheduler *scheduler, struct scheduler_place *place);
/* Of its namespace, now: the smaller the sooner. */
double share_score(const struct scheduler *scheduler, const struct scope *space, double extra);

/* scheduler_resources.c */
struct kind *kind_get(struct scheduler *scheduler, const struct flavor *flavor);
void kind_find_devices(struct scheduler *scheduler, struct kind *kind);
void kinds_clear(struct scheduler *scheduler);
/* fits and is_impossible of all kinds. */
void kinds_look(struct scheduler *scheduler);
bool amount_fits(const struct amount *need, const struct amount *room);
struct amount amount_add(const struct amount *a, const struct amount *b);
struct amount amount_subtract(const struct amount *a, const struct amount *b);
void slot_take(struct scheduler *scheduler, int slot);
void slot_free(struct scheduler *scheduler, int slot);
int slot_find(struct scheduler *scheduler);

/* scheduler_inventory.c */
bool device_is_usable(const struct scheduler_device *device);
/* Room for one of this kind, whoever asks. */
bool device_has_room(const struct scheduler_device *device, const struct kind *kind);
/* Choose those that it may have now until end_ms; false: there are not enough. `ret` holds DEVICES_PER_JOB. */
bool inventory_choose(struct scheduler *scheduler, const struct scheduler_place *place, int64_t end_ms,
		   struct scheduler_device **ret);
/* The same at a later time, when all who leave by then are gone. */
bool inventory_choose_later(struct scheduler *scheduler, const struct scheduler_place *place,
			 int64_t start_ms, int64_t end_ms, struct scheduler_device **ret);
void inventory_take(struct scheduler_place *place, struct scheduler_device *const *devices, int n);
void inventory_count(const struct scheduler *scheduler, struct scheduler_usage *usage);
void inventory_release(struct scheduler *scheduler, struct scheduler_place *place);
/* Those of an attempt that lives already; unknown ones are remembered. */
int inventory_find(struct scheduler *scheduler, const char *names, struct scheduler_device **ret);
void inventory_clear(struct scheduler *scheduler);

/* scheduler_plan.c */
void plan_refresh(struct scheduler *scheduler);
/* May it start now with regard to all promises but its own and less urgent ones? */
bool plan_allows(struct scheduler *scheduler, const struct scheduler_place *place);
/* The longest that any of this kind, rank and priority may run from now on. */
int64_t plan_max_ms(const struct scheduler *scheduler, struct kind *kind,
		    const struct scheduler_place *place);
/* It waits: promise it a start. False: there is none, whoever leaves. */
bool plan_promise(struct scheduler *scheduler, struct scheduler_place *place);
void plan_forget(struct scheduler *scheduler, struct scheduler_place *place);
/* It has started. */
void plan_started(struct scheduler *scheduler, struct scheduler_place *place);
/* Forget devices that cannot be used any more. */
void plan_devices_changed(struct scheduler *scheduler, bool any_lost);
void plan_clear(struct scheduler *scheduler);

/* scheduler_pass.c */
/* Who may start now, and its devices (DEVICES_PER_JOB at most); NULL: nobody. It must be started then. */
struct scheduler_place *pass_next(struct scheduler *scheduler,
				  struct scheduler_device **ret_devices);
/* It has: what is free now? */
void pass_started(struct scheduler *scheduler);

/* scheduler_order.c, scheduler_estimate.c */
/* Places of all as things are now; not made again at once when the queue is long. */
void order_refresh(struct scheduler *scheduler, bool is_needed);
void order_forget(struct scheduler *scheduler, const struct scheduler_place *place);
void estimate_make(struct scheduler *scheduler);

#endif
