// SPDX-License-Identifier: Apache-2.0
// Drives the schedules of @huggingface/hub: node hub_schedules.mjs HUB_URL TOKEN FOLDER. Prints one JSON object.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
const [, , hubUrl, accessToken, folder] = process.argv;
const require = createRequire(pathToFileURL(folder + "/"));
const hub = await import(pathToFileURL(require.resolve("@huggingface/hub")).href);
const common = { hubUrl, accessToken, namespace: "alice" };
const result = {};
result.made = await hub.createScheduledJob({
	...common,
	schedule: "@hourly",
	suspend: false,
	concurrency: false,
	jobSpec: { dockerImage: "busybox", command: ["sleep", "60"], flavor: "tiny" },
});
const one = { ...common, scheduledJobId: result.made.id, jobId: result.made.id };
result.listed = (await hub.listScheduledJobs(common)).some((schedule) => schedule.id === result.made.id);
await hub.suspendScheduledJob(one);
result.suspended = (await hub.getScheduledJob(one)).suspend;
await hub.resumeScheduledJob(one);
result.resumed = (await hub.getScheduledJob(one)).suspend;
result.job = await hub.runScheduledJob(one);
result.busy = await hub.runScheduledJob(one);
await hub.cancelJob({ ...common, jobId: result.job.id });
await hub.deleteScheduledJob(one);
try {
	await hub.getScheduledJob(one);
} catch (error) {
	result.gone = error.message;
}
console.log(JSON.stringify(result));
