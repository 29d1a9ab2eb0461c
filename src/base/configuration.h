/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every setting of Hearth, from one table (configuration.c): INI file, command line, defaults, help,
 * `hearthd --show-config` with the origin of each value, and hearth.conf.5 come from its rows.
 *
 * hearthd writes the effective values to STATE/run/effective.ini; hearth-monitor and hearth-pull,
 * which start later and may outlive it, read them from there.
 */
#ifndef HEARTH_BASE_CONFIGURATION_H
#define HEARTH_BASE_CONFIGURATION_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* [flavor NAME]: a named size of hardware. */
struct flavor {
	char *name;
	char *pretty_name;
	int64_t cpu_millis;	     /* 2000 = 2 vCPU */
	int64_t memory_bytes;
	int64_t storage_bytes;	      /* ephemeral storage; 0 = no limit */
	int64_t price_micro_usd_hour; /* exact; clients are shown flavor_price_per_minute() */
	/* Accelerators (job/device.h); device_count 0: none. */
	char *device_kind;     /* CDI "vendor/class": "nvidia.com/gpu"; NULL: none */
	char *device_model;    /* part of the model's name, any case: "A100"; NULL: any model */
	char *device_slice;    /* MIG profile "1g.10gb"; NULL: whole devices */
	int64_t device_count;
	int64_t device_shares; /* 1: devices of its own; N: an Nth of one, shared by jobs of one owner */
	char *accelerator;     /* "gpu", "neuron": type told to clients; NULL: "gpu" */
	char *manufacturer;    /* NULL: known from the kind */
	int64_t vram_bytes;    /* of one device; 0: as the inventory says */
	/* Who and how long. */
	char **allow;	       /* names of users and organizations; NULL or empty: everyone */
	int64_t max_timeout_s; /* 0: max_timeout of [jobs] */
	bool is_unserved;      /* not a setting: too few devices for it (job/flavor_catalogue.h) */
};
/* Micro-USD per minute, rounded: what the Hub's `unitCostMicroUSD` is. */
int64_t flavor_price_per_minute(const struct flavor *flavor);

/* [registry HOST]: how a registry is reached. */
struct registry {
	char *host;    /* as in image references: "docker.io", "ghcr.io", "host:5000" */
	char *mirror;  /* "host[:port][/prefix]" or a URL to ask instead; NULL = none */
	bool is_plain; /* http without TLS, for the registry or, if set, its mirror */
	char *ca_file; /* extra CA bundle; NULL = the system's */
};

struct configuration {
	/* [server] */
	char *state_dir;
	char **listen; /* "ADDRESS:PORT", NULL-terminated */
	char *tls_certificate, *tls_key;
	char *public_url;   /* NULL: from the request's Host */
	char *user;	    /* what the HTTP process becomes when started as root */
	char *operator_name; /* first user, made at first start; NULL: of the one who starts it */
	char *organization; /* first organization; NULL: none */
	char *log_level;
	int64_t max_connections;
	int64_t idle_timeout_s; /* of a connection that sends or takes nothing */
	/* [auth] */
	char *upstream_url; /* unknown tokens are asked there (whoami-v2); NULL: never */
	int64_t upstream_cache_s;
	/* [jobs] */
	int64_t default_timeout_s, max_timeout_s, grace_s;
	int64_t log_limit_bytes, total_log_bytes;
	int64_t max_queued;	     /* per namespace; more is 429 */
	int64_t max_queued_per_user; /* 0: no limit */
	int64_t max_grace_s;	     /* longest that the label hearth.grace may ask for */
	int64_t warning_s;	     /* a signal so long before the time limit; 0: none */
	char *warning_signal;	     /* "USR1" */
	int64_t retry_delay_s, retry_delay_max_s; /* before the second attempt; doubles up to the maximum */
	/* [scheduler] */
	int64_t cpu_millis, memory_bytes; /* 0 = what the machine has */
	int64_t max_running;		  /* jobs at once, any size */
	int64_t max_running_per_namespace, max_running_per_user; /* 0: no limit */
	int64_t max_priority;		  /* highest that users may ask for */
	int64_t half_life_s;		  /* after so long, use counts half in fair sharing */
	bool backfill;			  /* may small jobs use what a large one waits for? */
	bool hub_flavors;		  /* offer those of the Hub that the machine can serve */
	/* [devices] */
	char **cdi_dirs;		  /* folders of CDI specifications */
	char *nvml;			  /* "auto", "off", or the library's path */
	int64_t probe_timeout_s;	  /* a driver that is silent for so long is taken for dead */
	bool share_between_owners;	  /* may a shared device serve several namespaces at once? */
	int64_t idle_warn_s, idle_stop_s; /* of accelerators that a job holds and does not use; 0: never */
	/* [billing] */
	bool prepaid;			  /* no credit, no jobs; else only what has a budget is limited */
	int64_t monthly_budget_micro_usd; /* of each namespace without its own; 0: none */
	/* [images] */
	int64_t image_disk_bytes; /* 0 = no limit */
	int64_t image_refresh_s;  /* a tag is asked for again after that long */
	int64_t image_parallel;	  /* layers fetched at once */
	int64_t layer_max_bytes;  /* of one unpacked layer */
	char *docker_config;	  /* config.json with registry credentials; NULL = none */
	char *space_registry;	  /* "registry.hf.space" */
	/* [container] */
	char *runtime;	     /* "crun" */
	char *cgroup_parent; /* "hearth" */
	int64_t first_id;    /* first host uid of the jobs' ranges, 65536 each */
	int64_t pids_limit;
	char *ca_bundle;     /* host file given to jobs as SSL_CERT_FILE and friends; NULL = none */
	char *http_proxy, *https_proxy, *no_proxy; /* environment of jobs; NULL = unset */
	bool storage_limits; /* enforce flavor storage */
	char *seccomp;	     /* "default", "none", or a profile's path */
	/* [network] */
	char *network_mode; /* "bridge" or "none" */
	char *bridge;	    /* "hearth0" */
	char *subnet;	    /* "10.213.0.0/16" */
	char *dns;	    /* "auto" or addresses, comma-separated */
	char *deny;	    /* CIDRs that jobs cannot reach, comma-separated */
	bool give_endpoint; /* HF_ENDPOINT in jobs, and the way from jobs to this server */
	/* [hub]: where models, datasets and Spaces come from */
	char *hub_endpoint;	/* a Hub's URL; NULL: auth.upstream_url, if any */
	char *hub_mirror;	/* folder that serves as the Hub; NULL: none */
	char *hub_token_file;	/* token for repositories when the user's own does not serve; NULL: none */
	char *hub_fetch;	/* "lazy" or "prefetch" */
	int64_t hub_cache_bytes; /* blocks of repositories on disk; 0: no limit */
	int64_t hub_timeout_s;	/* a read from the Hub fails after so long without a byte */
	/* [buckets] */
	int64_t bucket_quota_bytes;	/* of one bucket; 0: none */
	int64_t namespace_quota_bytes;	/* of all buckets of a namespace and its uploads; 0: none */
	bool buckets_private;		/* new ones, unless asked for otherwise */
	int64_t upload_keep_s;		/* how long uploaded xorbs are kept after their last use */
	/* [uv] */
	char *uv_image;		 /* of `hearth uv run` */
	bool uv_cache;		 /* keep environments between jobs of a namespace */
	int64_t uv_cache_bytes;	 /* per namespace; 0: no limit */
	char *uv_index_url;	 /* UV_DEFAULT_INDEX; NULL: unset */
	char *uv_wheels;	 /* folder of wheels, given to jobs as UV_FIND_LINKS; NULL: none */
	bool uv_offline;	 /* UV_OFFLINE */
	/* [schedules] */
	char *schedule_catch_up;	/* "latest", "none", "all" */
	int64_t schedule_catch_up_max;	/* most ticks made up for with "all" */
	int64_t schedule_catch_up_age_s; /* older ticks are never made up for */
	int64_t schedules_max;		/* per namespace */
	int64_t schedule_min_interval_s; /* shortest time between two runs of a schedule */
	char *schedule_overlap;		/* "skip", "allow", "queue", "replace" */
	int64_t schedule_history_s;	/* ledger rows are kept so long */
	int64_t schedule_history_rows;	/* and at most so many of a schedule */
	/* [webhooks] */
	bool webhook_private_addresses;	/* may deliveries go to private and loopback addresses? */
	int64_t webhook_timeout_s;	/* of one delivery */
	int64_t webhook_retry_s;	/* a delivery is given up after so long */
	int64_t webhook_daily_max;	/* triggers per webhook and day */
	char *webhook_ingest_secret_file; /* secret of events from a real Hub; NULL: none are taken */

	struct flavor *flavors;
	size_t n_flavors;
	struct registry *registries;
	size_t n_registries;

	struct configuration_origin *origins; /* opaque */
};

/* Defaults only. */
struct configuration *configuration_new(void);
void configuration_free(struct configuration *c);

/* Read an INI file. Unknown sections and keys, and bad values, are errors "FILE:LINE: …". */
int configuration_read_file(struct configuration *c, const char *path, struct error *err);
/* "section.key=value" as given by `--set`, or by a flag of its own (`--listen`). */
int configuration_set(struct configuration *c, const char *section, const char *key,
		      const char *value, const char *origin, struct error *err);
/* Fill what depends on the machine (CPUs, memory, the flavor cpu-basic) and check combinations. */
int configuration_finish(struct configuration *c, struct error *err);

/* All effective values as an INI text; with origins as comments when `with_origins`. */
int configuration_print(const struct configuration *c, bool with_origins, struct buffer *ret);
/* The reference of all settings, as troff for hearth.conf.5. */
int configuration_manual(struct buffer *ret);

const struct flavor *configuration_flavor(const struct configuration *c, const char *name);
const struct registry *configuration_registry(const struct configuration *c, const char *host);

#endif
