// SPDX-License-Identifier: Apache-2.0
// Drives @huggingface/hub: node hub_client.mjs HUB_URL TOKEN. Prints one JSON object.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
const [, , hubUrl, accessToken, folder] = process.argv;
const require = createRequire(pathToFileURL(folder + "/"));
const hub = await import(pathToFileURL(require.resolve("@huggingface/hub")).href);
const common = { hubUrl, accessToken, namespace: "alice" };
const result = {};
result.hardware = (await hub.listJobHardware({ hubUrl, accessToken })).map((h) => h.name);
const job = await hub.runJob({ ...common, dockerImage: "busybox", command: ["sh", "-c", "echo one; echo two"], flavor: "tiny", attempts: 1 });
result.id = job.id;
result.lines = [];
for await (const line of hub.streamJobLogs({ ...common, jobId: job.id })) {
	result.lines.push(line.data ?? line.message ?? JSON.stringify(line));
}
result.job = await hub.getJob({ ...common, jobId: job.id });
result.listed = (await hub.listJobs(common)).some((j) => j.id === job.id);
const copy = await hub.duplicateJob({ ...common, jobId: job.id });
result.copy = copy.initiator;
result.events = [];
for await (const event of hub.streamJobEvents({ ...common, jobId: copy.id })) {
	result.events.push(event);
}
const sleeper = await hub.runJob({ ...common, dockerImage: "busybox", command: ["sleep", "300"], flavor: "tiny" });
result.canceled = (await hub.cancelJob({ ...common, jobId: sleeper.id })).status.stage;
try {
	await hub.runJob({ ...common, dockerImage: "busybox", command: ["true"], flavor: "no-such" });
} catch (error) {
	result.error = error.message;
}
console.log(JSON.stringify(result));
