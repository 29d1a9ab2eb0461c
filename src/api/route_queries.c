/* SPDX-License-Identifier: Apache-2.0 */
/* What the routes take in their query. */
#include "api/route_queries.h"

#include <stddef.h>

const struct route_query list_query[] = {
        {"stage", "Only jobs in this stage; several: in any of them", "string", true},
        {"label", "key=value (the value may be empty); several: all of them", "string", true},
        {"cursor", "Where to go on; from the Link header of the page before", "string", false},
        {"limit", "Jobs per page, 1 to 1000, default 100 (an extension of Hearth)", "integer",
         false},
        {0}};
const struct route_query count_query[] = {
        {"stage", "Only jobs in this stage; several: in any of them", "string", true},
        {"label", "key=value; several: all of them", "string", true},
        {0}};
const struct route_query schedules_query[] = {
        {"label", "key=value; several: all of them", "string", true},
        {"limit",
         "Schedules per page, 1 to 1000; absent: all in one answer (an extension of Hearth)",
         "integer", false},
        {"cursor", "Where to go on; from the Link header of the page before", "string", false},
        {0}};
const struct route_query history_query[] = {
        {"cursor", "Where to go on; from the Link header of the page before", "string", false},
        {"limit", "Ticks per page, 1 to 1000, default 100", "integer", false},
        {0}};
const struct route_query usage_query[] = {
        {"namespace", "Whose; absent: the caller's own, over the Unix socket all", "string", false},
        {"by", "namespace, user, flavor (default), group, day, month or label", "string", false},
        {"label", "With by=label: the key whose values are summed up", "string", false},
        {"from", "First day, such as 2026-05-01; absent: the first of this month", "string", false},
        {"to", "Last day; absent: today", "string", false},
        {0}};
const struct route_query usage_records_query[] = {
        {"namespace", "Whose; absent: the caller's own", "string", false},
        {"from",
         "First day on which they began, such as 2026-05-01; absent: the first of this month",
         "string", false},
        {"to", "Last day; absent: today", "string", false},
        {"cursor", "Where to go on; from the Link header of the page before", "string", false},
        {"limit", "Records per page, 1 to 1000, default 100", "integer", false},
        {0}};
const struct route_query logs_query[] = {
        {"tail", "Begin with the last N lines; absent: with the first line", "integer", false},
        {"follow", "false: end with the lines stored now instead of waiting for more", "boolean",
         false},
        {0}};
const struct route_query metrics_history_query[] = {
        {"step",
         "Seconds between samples: the coarsest kept steps that are not longer; absent: the finest "
         "that reach back to the start",
         "integer", false},
        {"attempt", "Of this attempt; absent: of the last one", "integer", false},
        {0}};
const struct route_query import_query[] = {
        {"reference", "The name that the image gets, as in `hf jobs run NAME`", "string", false},
        {0}};
const struct route_query pull_query[] = {
        {"reference", "The image to pull, when the body does not name one", "string", false}, {0}};

const struct route_query bucket_list_query[] = {
        {"search", "Only buckets whose name contains this", "string", false},
        {"cursor", "Where to go on; from the Link header of the page before", "string", false},
        {0}};
const struct route_query tree_query[] = {
        {"sort", "path (default) or uploadedAt", "string", false},
        {"direction", "asc or desc; default asc, with sort=uploadedAt desc", "string", false},
        {"recursive", "false: also folders, and only what is directly below; default true",
         "boolean", false},
        {"limit", "Entries per page, 1 to 5000, default 1000", "integer", false},
        {"cursor", "Where to go on; from the Link header of the page before", "string", false},
        {0}};
const struct route_query put_query[] = {
        {"mtime", "Modification time in milliseconds since 1970; default now", "integer", false},
        {0}};
const struct route_query resolve_query[] = {
        {"download", "Ask browsers to store the file", "string", false},
        {"noContentDisposition", "Leave the file's name out of the headers", "string", false},
        {0}};

const struct route_query queue_query[] = {
        {"limit", "Jobs shown, 1 to 1000, default 100", "integer", false}, {0}};
const struct route_query deliveries_query[] = {
        {"limit", "Deliveries shown, 1 to 1000, default 100", "integer", false}, {0}};
