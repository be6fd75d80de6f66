// tus-js-client in a page: what it knows of an upload outlives the page in its localStorage.

import * as tus from "tus-js-client";
import { chosen, outcome } from "./chosen.mjs";

let upload, done;

/** Starts or resumes the upload of the chosen file; `options` are tus-js-client's. Says how many earlier uploads of it were known. */
export async function start(options) {
  done = outcome();
  upload = new tus.Upload(chosen()[0], {
    retryDelays: null,
    removeFingerprintOnSuccess: true,
    ...options,
    onSuccess: () => done.resolve({ url: upload.url }),
    onError: (error) => done.resolve({ error: String(error) }),
  });
  const earlier = await upload.findPreviousUploads();
  if (earlier.length > 0) upload.resumeFromPreviousUpload(earlier[0]);
  upload.start();
  return earlier.length;
}

/** What became of it. */
export const result = () => done.promise;
