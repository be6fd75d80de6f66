// Resumable.js, which asks for each chunk whether it is there before it sends it.

import Resumable from "resumablejs";
import { chosen, outcome } from "./chosen.mjs";

let done;

/** Starts to upload the chosen files; `options` are Resumable.js's. */
export function start(options) {
  const client = new Resumable(options);
  const results = [];
  done = outcome();
  client.on("fileSuccess", (file, message) => results.push([file.fileName, message]));
  client.on("fileError", (file, message) => results.push([file.fileName, `error: ${message}`]));
  client.on("fileRetry", (file) => results.push([file.fileName, "retry"]));
  client.on("complete", () => done.resolve(results));
  client.on("filesAdded", () => client.upload());
  client.addFiles(chosen());
}

export const result = () => done.promise;
