// AWS SDK for JavaScript v3: client-s3, lib-storage's Upload, s3-request-presigner.

import { createReadStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { serve, settings, versionOf } from "./driver.mjs";

const Bucket = settings.bucket;
const s3 = new S3Client({
  endpoint: settings.endpoint,
  region: "us-east-1",
  forcePathStyle: true,
  maxAttempts: 1,
  credentials: { accessKeyId: settings.access, secretAccessKey: settings.secret },
});

async function read(Key, path, Range) {
  const answer = await s3.send(new GetObjectCommand({ Bucket, Key, Range }));
  await writeFile(path, answer.Body);
}

async function pages(prefix, page, more) {
  const found = { keys: [], prefixes: [] };
  for await (const answer of paginateListObjectsV2({ client: s3, pageSize: page }, { Bucket, Prefix: prefix, ...more })) {
    found.keys.push(...(answer.Contents ?? []).map((entry) => [entry.Key, entry.Size]));
    found.prefixes.push(...(answer.CommonPrefixes ?? []).map((entry) => entry.Prefix));
  }
  return found;
}

await serve(versionOf("@aws-sdk/client-s3"), {
  put: async ({ key, path }) => void (await s3.send(new PutObjectCommand({ Bucket, Key: key, Body: await readFile(path) }))),
  get: ({ key, path }) => read(key, path),
  range: ({ key, path, first, last }) => read(key, path, `bytes=${first}-${last}`),
  range_from: ({ key, path, first }) => read(key, path, `bytes=${first}-`),
  range_suffix: ({ key, path, length }) => read(key, path, `bytes=-${length}`),
  multipart: async ({ key, path, part_size }) => {
    const params = { Bucket, Key: key, Body: createReadStream(path) };
    await new Upload({ client: s3, params, partSize: part_size, queueSize: 4 }).done();
  },
  list_all: async ({ prefix, page }) => (await pages(prefix, page)).keys,
  list_level: async ({ prefix, page }) => {
    const found = await pages(prefix, page, { Delimiter: "/" });
    return [found.keys.map(([key]) => key), found.prefixes];
  },
  copy: async ({ source, target }) => {
    // The SDK sends the source as it is given: its encoding is the caller's affair.
    const CopySource = `${Bucket}/${source.split("/").map(encodeURIComponent).join("/")}`;
    await s3.send(new CopyObjectCommand({ Bucket, Key: target, CopySource }));
  },
  delete: async ({ key }) => void (await s3.send(new DeleteObjectCommand({ Bucket, Key: key }))),
  delete_many: async ({ keys }) => {
    const answer = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
    if (answer.Errors?.length) throw new Error(JSON.stringify(answer.Errors));
  },
  presign_get: ({ key }) => getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: key }), { expiresIn: 600 }),
  presign_put: ({ key }) => getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: key }), { expiresIn: 600 }),
});
