// minio-js, MinIO's JavaScript SDK.

import { createReadStream } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { Client, CopyConditions } from "minio";
import { serve, settings, versionOf } from "./driver.mjs";

const bucket = settings.bucket;
const address = new URL(settings.endpoint);
const s3 = new Client({
  endPoint: address.hostname,
  port: Number(address.port),
  useSSL: address.protocol === "https:",
  accessKey: settings.access,
  secretKey: settings.secret,
  region: "us-east-1",
  partSize: settings.part_size,
  retryOptions: { disableRetry: true },
});

async function keep(stream, path) {
  await writeFile(path, stream);
}

async function list(prefix, recursive) {
  return s3.listObjectsV2(bucket, prefix, recursive).toArray();
}

await serve(versionOf("minio"), {
  put: async ({ key, path }) => void (await s3.putObject(bucket, key, await readFile(path))),
  get: async ({ key, path }) => keep(await s3.getObject(bucket, key), path),
  range: async ({ key, path, first, last }) => keep(await s3.getPartialObject(bucket, key, first, last - first + 1), path),
  range_from: async ({ key, path, first }) => keep(await s3.getPartialObject(bucket, key, first), path),
  multipart: async ({ key, path }) => {
    await s3.putObject(bucket, key, createReadStream(path), (await stat(path)).size);
  },
  list_all: async ({ prefix }) => (await list(prefix, true)).map((entry) => [entry.name, entry.size]),
  list_level: async ({ prefix }) => {
    const entries = await list(prefix, false);
    const keys = entries.filter((entry) => entry.name !== undefined).map((entry) => entry.name);
    return [keys, entries.filter((entry) => entry.prefix !== undefined).map((entry) => entry.prefix)];
  },
  copy: async ({ source, target }) => {
    // minio-js encodes the source itself.
    await s3.copyObject(bucket, target, `/${bucket}/${source}`, new CopyConditions());
  },
  delete: async ({ key }) => void (await s3.removeObject(bucket, key)),
  delete_many: async ({ keys }) => {
    const errors = (await s3.removeObjects(bucket, keys)).filter((entry) => entry?.Error);
    if (errors.length) throw new Error(JSON.stringify(errors));
  },
  presign_get: ({ key }) => s3.presignedGetObject(bucket, key, 600),
  presign_put: ({ key }) => s3.presignedPutObject(bucket, key, 600),
});
