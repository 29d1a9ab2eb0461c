// SPDX-License-Identifier: Apache-2.0
// Buckets by @huggingface/hub: node buckets_client.mjs HUB_URL TOKEN NODE_FOLDER FILE. Prints one JSON object.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { openAsBlob } from "node:fs";
import { pathToFileURL } from "node:url";
const [, , hubUrl, accessToken, folder, file] = process.argv;
const require = createRequire(pathToFileURL(folder + "/"));
const hub = await import(pathToFileURL(require.resolve("@huggingface/hub")).href);
const repo = { type: "bucket", name: "alice/js-bucket" };
const common = { hubUrl, accessToken, repo };
const result = {};
const digest = async (blob) => createHash("sha256").update(Buffer.from(await blob.arrayBuffer())).digest("hex");
const names = async () => {
	const out = [];
	for await (const entry of hub.listFiles({ ...common, recursive: true })) out.push(entry.path);
	return out.sort();
};
await hub.createRepo({ hubUrl, accessToken, repo, private: true });
await hub.uploadFiles({ ...common, files: [
	{ path: "dir/hello.txt", content: new Blob(["hello"]) },
	{ path: "dir/empty.txt", content: new Blob([]) },
	{ path: "million.bin", content: await openAsBlob(file) },
] });
result.listed = await names();
result.info = await hub.fileDownloadInfo({ ...common, path: "dir/hello.txt" });
result.hello = await (await hub.downloadFile({ ...common, path: "dir/hello.txt" })).text();
result.xet = await digest(await hub.downloadFile({ ...common, path: "million.bin", xet: true }));
result.plain = await digest(await hub.downloadFile({ ...common, path: "million.bin", xet: false }));
await hub.deleteFiles({ ...common, paths: ["dir/hello.txt", "dir/empty.txt"] });
result.after = await names();
result.exists = [await hub.fileExists({ ...common, path: "million.bin" }), await hub.fileExists({ ...common, path: "dir/hello.txt" })];
await hub.deleteRepo({ hubUrl, accessToken, repo });
console.log(JSON.stringify(result));
