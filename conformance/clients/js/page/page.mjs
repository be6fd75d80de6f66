// The page that `browser.py` opens: real upload libraries, driven by calls of `drive`, and a record of what they sent.
//
// The record stands below the libraries, at fetch and XMLHttpRequest, so it holds what a library really asked for. There too a request can be held
// back, so that a test can act in the middle of an upload.

import * as dropzone from "./dropzone.mjs";
import * as events from "./events.mjs";
import * as filepond from "./filepond.mjs";
import * as resumable from "./resumable.mjs";
import * as tus from "./tus.mjs";
import * as uppy from "./uppy.mjs";

const requests = [];
let held = null;
let authorization = null;

/** The requests that count towards `hold` and that it holds back. */
function gate(method) {
  if (held === null || method !== held.method) return Promise.resolve();
  if (held.passes > 0) {
    held.passes -= 1;
    return Promise.resolve();
  }
  held.reached();
  return held.released;
}

function note(method, url) {
  const entry = { method, url: new URL(url, location.href).href, status: null, body: "" };
  requests.push(entry);
  return entry;
}

const nativeFetch = window.fetch.bind(window);
window.fetch = async (resource, options = {}) => {
  const entry = note(options.method ?? "GET", resource);
  // Uppy has no setting for headers of requests to Companion: pages that need one do this.
  const headers = new Headers(options.headers);
  if (authorization !== null && entry.url.startsWith(authorization.api)) headers.set("authorization", authorization.value);
  await gate(entry.method);
  const answer = await nativeFetch(resource, { ...options, headers });
  entry.status = answer.status;
  return answer;
};

const { open, send } = XMLHttpRequest.prototype;
const entries = new WeakMap();
XMLHttpRequest.prototype.open = function (method, url) {
  entries.set(this, [method, String(url)]);
  return open.apply(this, arguments);
};
XMLHttpRequest.prototype.send = function (body) {
  const entry = note(...entries.get(this));
  // Not at "load": by then a library may have aborted what is done, which takes the status away.
  this.addEventListener("readystatechange", () => {
    if (this.readyState !== XMLHttpRequest.DONE) return;
    entry.status = this.status;
    if (this.responseType === "" || this.responseType === "text") entry.body = this.responseText.slice(0, 4096);
  });
  gate(entry.method).then(() => send.call(this, body));
};

window.drive = {
  dropzone,
  events,
  filepond,
  resumable,
  tus,
  uppy,

  requests: () => requests,

  /** Every fetch to this address carries this header from now on. */
  authorize({ api, value }) {
    authorization = { api, value };
  },

  /** Lets so many requests of a method pass and holds back those after them. */
  hold({ method, passes }) {
    held = { method, passes };
    held.met = new Promise((resolve) => (held.reached = resolve));
    held.released = new Promise((resolve) => (held.release = resolve));
  },

  /** Ends when a request is held back. */
  async held() {
    await held.met;
  },

  /** Lets everything pass. */
  release() {
    held.release();
    held = null;
  },

  /** What a page of this origin gets from an address: a status, or the name of what was thrown. */
  async reach({ url, options }) {
    try {
      return (await nativeFetch(url, options)).status;
    } catch (error) {
      return error.name;
    }
  },
};
