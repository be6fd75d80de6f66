// FilePond with chunked uploads.

import * as FilePond from "filepond";
import { chosen, outcome } from "./chosen.mjs";

let pond, item, processed;

/** Starts to upload the chosen file; `options` are FilePond's. */
export function start(options) {
  pond = FilePond.create(document.querySelector("#pond"), { instantUpload: false, allowMinimumUploadDuration: false, chunkUploads: true, chunkRetryDelays: [], ...options });
  processed = outcome();
  pond.addFile(chosen()[0]).then((added) => {
    item = added;
    process();
  });
}

function process() {
  const end = processed.resolve;
  pond.processFile(item).then(
    (done) => end({ id: done.serverId }),
    (failure) => end({ error: JSON.stringify(failure) }),
  );
}

/** What became of the upload: the id that the server gave it, or an error. */
export const result = () => processed.promise;

/** Tries again what failed. */
export function again() {
  processed = outcome();
  process();
}

/** Takes the upload back, as the button beside a file does; ends when the server has answered. */
export async function revert() {
  const reverted = outcome();
  pond.on("processfilerevert", () => reverted.resolve("reverted"));
  pond.on("error", (error) => reverted.resolve(JSON.stringify(error)));
  pond.removeFile(item, { revert: true });
  return reverted.promise;
}
