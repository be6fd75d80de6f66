// tus-js-client in node, driven by JSON lines: see `driver.mjs`.
//
// An upload can be held after a number of bytes: then they have left this process, the rest has not, and the test can act in between.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { PassThrough, Transform } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import * as tus from "tus-js-client";
import { serve, settings, versionOf } from "./driver.mjs";

const stores = new tus.FileUrlStorage(settings.urls);
let upload, ended, requests;

/** tus-js-client's own way to send, whose bodies stop after `limit` bytes in all. */
class HeldStack extends tus.DefaultHttpStack {
  constructor(limit, reached) {
    super({});
    this.left = limit;
    this.reached = reached;
  }

  createRequest(method, url) {
    const request = super.createRequest(method, url);
    const send = request.send.bind(request);
    request.send = (body) => send(body && method === "PATCH" ? this.gate(body, request) : body);
    return request;
  }

  gate(body, request) {
    const stack = this;
    const gate = new Transform({
      transform(chunk, _encoding, pass) {
        if (chunk.length < stack.left) {
          stack.left -= chunk.length;
          return pass(null, chunk);
        }
        this.push(chunk.subarray(0, stack.left));
        stack.left = 0;
        stack.drained(request).then(stack.reached);
      },
    });
    if (body.pipe) body.pipe(gate);
    else gate.end(body);
    gate.size = body.size ?? body.length;
    return gate;
  }

  /** Ends when all that was written is in the kernel's hands. */
  async drained(request) {
    for (;;) {
      await pause(20);
      const { socket, writableLength } = request.getUnderlyingObject();
      if (socket && !socket.connecting && socket.writableLength === 0 && writableLength === 0) return;
    }
  }
}

/** The digest of what a PATCH from `offset` is going to send. */
async function checksum(path, offset, chunk, wrong) {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(chunk), 0, chunk, offset);
    const sent = buffer.subarray(0, bytesRead);
    return `sha1 ${createHash("sha1").update(wrong ? "other bytes" : sent).digest("base64")}`;
  } finally {
    await file.close();
  }
}

async function start({ path, options, hold, resume, stream, checksums }) {
  requests = [];
  const held = new Promise((resolve) => {
    if (hold) options.httpStack = new HeldStack(hold, resolve);
  });
  ended = new Promise((resolve) => {
    options.onSuccess = () => resolve({ outcome: "done", url: upload.url, requests });
    options.onError = (error) =>
      resolve({ outcome: "error", url: upload.url, requests, status: error.originalResponse?.getStatus() ?? null, message: String(error.message ?? error) });
  });
  const source = createReadStream(path);
  upload = new tus.Upload(stream ? source.pipe(new PassThrough()) : source, {
    endpoint: settings.endpoint,
    headers: { Authorization: `Bearer ${settings.token}` },
    retryDelays: null,
    urlStorage: stores,
    fingerprint: async () => `${path} ${(await stat(path)).size}`,
    removeFingerprintOnSuccess: true,
    ...options,
    onBeforeRequest: async (request) => {
      if (!checksums || request.getMethod() !== "PATCH") return;
      const offset = Number(request.getHeader("Upload-Offset"));
      request.setHeader("Upload-Checksum", await checksum(path, offset, options.chunkSize, offset >= checksums.wrong_from));
    },
    onAfterResponse: (request, response) => {
      const offset = response.getHeader("Upload-Offset");
      requests.push([request.getMethod(), response.getStatus(), offset === undefined ? null : Number(offset)]);
    },
  });
  if (resume) {
    const earlier = await upload.findPreviousUploads();
    if (earlier.length !== 1) throw new Error(`${earlier.length} earlier uploads are known`);
    upload.resumeFromPreviousUpload(earlier[0]);
  }
  upload.start();
  return Promise.race([held.then(() => ({ outcome: "held", url: upload.url, requests })), ended]);
}

await serve(versionOf("tus-js-client"), {
  /** Uploads until it ends or is held. */
  start,
  /** Waits for the end of what was held. */
  finish: () => ended,
  /** Gives up; with `terminate` the server is told. */
  abort: async ({ terminate }) => void (await upload.abort(terminate)),
});
