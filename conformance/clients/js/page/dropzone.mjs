// Dropzone with chunking.

import Dropzone from "dropzone";
import { chosen, outcome } from "./chosen.mjs";

Dropzone.autoDiscover = false;

/** Uploads the chosen files; `options` are Dropzone's. */
export async function upload(options) {
  const done = outcome();
  const results = [];
  const zone = new Dropzone(document.querySelector("#drop"), { retryChunks: false, createImageThumbnails: false, maxFilesize: null, ...options });
  zone.on("success", (file) => results.push([file.name, "success"]));
  zone.on("error", (file, message) => results.push([file.name, message]));
  zone.on("queuecomplete", done.resolve);
  for (const file of chosen()) zone.addFile(file);
  await done.promise;
  zone.destroy();
  return results;
}
