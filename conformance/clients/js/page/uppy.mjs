// Uppy with its AwsS3 plugin, and GoldenRetriever, which brings an upload back after a reload.

import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";
import GoldenRetriever from "@uppy/golden-retriever";
import { chosen, outcome } from "./chosen.mjs";

const MIB = 1 << 20;
let uppy, complete, restored, paused;
const parts = [];
const errors = [];

/** What `/s3/sts` gives, which spells as Companion does, in the words of Uppy. */
async function credentials(address) {
  const { credentials, region } = await (await fetch(address)).json();
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken, Expiration: expiration } = credentials;
  return { credentials: { accessKeyId, secretAccessKey, sessionToken, expiration }, region };
}

async function signed(address, request) {
  const headers = { "content-type": "application/json" };
  return (await fetch(address, { method: "POST", headers, body: JSON.stringify(request) })).json();
}

/**
 * `how` is what AwsS3 is told, but for its functions: `sts` is the address where temporary credentials are to be had, `presign` that of a signer.
 * With `pauseAfter` all is paused when so many parts have been uploaded.
 */
export function open({ how, sts, presign, retriever, pauseAfter }) {
  uppy = new Uppy({ id: "conformance", autoProceed: false });
  complete = outcome();
  restored = outcome();
  paused = outcome();
  uppy.on("restored", restored.resolve);
  uppy.on("complete", complete.resolve);
  uppy.on("upload-error", (_, error) => errors.push(String(error)));
  uppy.on("s3-multipart:part-uploaded", (_, part) => {
    parts.push(part);
    if (parts.length !== pauseAfter) return;
    uppy.pauseAll();
    paused.resolve(parts);
  });
  if (retriever) uppy.use(GoldenRetriever, { indexedDB: { maxFileSize: 256 * MIB, maxTotalSize: 512 * MIB } });
  if (sts) how = { ...how, getCredentials: () => credentials(sts) };
  if (presign) how = { ...how, signRequest: (request) => signed(presign, request) };
  uppy.use(AwsS3, { getChunkSize: () => 5 * MIB, ...how });
}

export function start() {
  for (const file of chosen()) uppy.addFile({ source: "page", name: file.name, type: file.type, data: file });
  uppy.upload();
}

/** Ends when Uppy is paused; says which parts are there. */
export function isPaused() {
  return Promise.race([paused.promise, complete.promise.then(() => "complete")]);
}

export function resume() {
  uppy.resumeAll();
}

/** What GoldenRetriever has put by for the next page: ids of uploads, and how many of their files. */
export async function saved() {
  const answer = (request) => new Promise((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: reject }));
  const database = await answer(indexedDB.open("uppy-blobs"));
  const read = (name) => answer(database.transaction([name]).objectStore(name).getAll());
  const [files, snapshots] = [await read("files"), await read("metadata")];
  database.close();
  const known = snapshots.flatMap((snapshot) => Object.values(JSON.parse(snapshot.metadata).files));
  return { files: files.length, uploads: known.map((file) => file.s3Multipart?.uploadId).filter(Boolean) };
}

/** Takes up what the page before left, as a person does who is asked. */
export async function restore() {
  await restored.promise;
  uppy.emit("restore-confirmed");
}

export function cancel() {
  uppy.cancelAll();
}

export async function result() {
  const { successful, failed } = await complete.promise;
  return { uploaded: successful.map((file) => file.response.body), failed: failed.length, errors, parts };
}
