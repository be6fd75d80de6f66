"""`kill -9` while parts are being uploaded in parallel: after the restart what was acknowledged is there, and nothing else stays.

The kill comes at a chosen acknowledgement, not after a time, so every round is in the middle of its uploads.
"""

import hashlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor

from harness import MIB, body, etag_of_parts, main

BUCKET = "uploads"
THREADS = 16
PARTS = 32
PART = 5 * MIB + 321
SEED = 20_260_101
# One block serves all parts: each is the block with its own name in front.
BLOCK = body("restart", PART)


def part_body(name):
    head = name.encode().ljust(64)
    return head + BLOCK[len(head) :]


class Round:
    """Two uploads of 32 parts each and 32 objects, written by 16 threads until the server is killed."""

    def __init__(self, t, number, chance):
        self.t = t
        self.number = number
        self.kill_at = chance.randrange(20, 70)
        self.lock = threading.Lock()
        self.acknowledged = 0
        self.parts = {}
        self.objects = {}
        self.unacknowledged = 0
        s3 = t.boto3()
        self.keys = [f"restart/{number}/kept.bin", f"restart/{number}/aborted.bin"]
        self.uploads = [s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"] for key in self.keys]

    def work(self):
        """Every write of the round as (kind, name, number); shuffled by the seed, so each run mixes them alike."""
        jobs = [("part", which, number) for which in (0, 1) for number in range(1, PARTS + 1)]
        jobs += [("object", f"restart/{self.number}/object-{number:02}", number) for number in range(32)]
        random.Random(self.number).shuffle(jobs)
        return jobs

    def one(self, s3, server, job):
        kind, which, number = job
        try:
            if kind == "part":
                content = part_body(f"{self.number}/{which}/{number}")
                names = {"Bucket": BUCKET, "Key": self.keys[which], "UploadId": self.uploads[which], "PartNumber": number}
                etag = s3.upload_part(Body=content, **names)["ETag"]
            else:
                # Every other object is small enough to live in the catalog.
                content = part_body(which)[: 3000 if number % 2 else 200_000]
                etag = s3.put_object(Bucket=BUCKET, Key=which, Body=content)["ETag"]
        except Exception:
            # The server is gone, or was never reached: this write is not acknowledged.
            with self.lock:
                self.unacknowledged += 1
            return
        with self.lock:
            if kind == "part":
                self.parts[which, number] = etag
            else:
                self.objects[which] = content
            self.acknowledged += 1
            if self.acknowledged == self.kill_at:
                server.kill()

    def write_and_kill(self):
        server, s3 = self.t.server, self.t.boto3()
        with ThreadPoolExecutor(THREADS) as pool:
            for job in self.work():
                pool.submit(self.one, s3, server, job)
        self.t.kill()
        self.t.true("the kill met writes that were not acknowledged", self.unacknowledged >= THREADS // 2, self.unacknowledged)

    def check_parts(self, s3):
        """What ListParts says of the first upload: all that was acknowledged, and of the rest at most what was sent."""
        listed = {}
        for page in s3.get_paginator("list_parts").paginate(Bucket=BUCKET, Key=self.keys[0], UploadId=self.uploads[0]):
            listed |= {part["PartNumber"]: (part["ETag"], part["Size"]) for part in page.get("Parts", [])}
        kept = sorted(number for which, number in self.parts if which == 0)
        lost = [number for number in kept if listed.get(number) != (self.parts[0, number], PART)]
        self.t.equal(f"acknowledged parts ({len(kept)}) that ListParts lacks or changed", lost, [])
        digest = lambda number: f'"{hashlib.md5(part_body(f"{self.number}/0/{number}")).hexdigest()}"'
        strange = [number for number, seen in listed.items() if seen != (digest(number), PART)]
        self.t.equal("listed parts that are not what was sent", strange, [])
        return kept

    def after(self):
        """Completes one upload from its acknowledged parts, aborts the other, compares everything. Returns blobs that stay."""
        t, s3 = self.t, self.t.boto3()
        kept = self.check_parts(s3)
        s3.abort_multipart_upload(Bucket=BUCKET, Key=self.keys[1], UploadId=self.uploads[1])
        if kept:
            contents = [part_body(f"{self.number}/0/{number}") for number in kept]
            document = {"Parts": [{"PartNumber": number, "ETag": self.parts[0, number]} for number in kept]}
            done = s3.complete_multipart_upload(Bucket=BUCKET, Key=self.keys[0], UploadId=self.uploads[0], MultipartUpload=document)
            t.equal("ETag of the completed object", done["ETag"], etag_of_parts(contents))
            self.objects[self.keys[0]] = b"".join(contents)
        else:
            s3.abort_multipart_upload(Bucket=BUCKET, Key=self.keys[0], UploadId=self.uploads[0])
        compare(t, "acknowledged objects that are missing or differ", self.objects)
        # An object put but not acknowledged may be there, whole; it is removed, so that the blobs can be counted.
        present = set()
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"restart/{self.number}/"):
            present |= {item["Key"] for item in page.get("Contents", [])}
        for key in present - set(self.objects):
            s3.delete_object(Bucket=BUCKET, Key=key)
        return len(kept) + sum(len(content) == 200_000 for content in self.objects.values())


def compare(t, what, objects):
    s3 = t.boto3()
    differ = []
    for key, content in objects.items():
        try:
            if s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() != content:
                differ.append(key)
        except Exception as error:
            differ.append(f"{key}: {error}")
    t.equal(f"{what} (of {len(objects)})", differ, [])


def run(t):
    rounds = 2 if t.quick else 10
    chance = random.Random(SEED)
    earlier = None
    ready = []
    t.start()
    for number in range(rounds):
        now = Round(t, number, chance)
        now.write_and_kill()
        ready.append(t.start().ready_seconds)
        blobs = now.after()
        if earlier:
            compare(t, "objects of the round before that are missing or differ", earlier.objects)
            for key in earlier.objects:
                t.boto3().delete_object(Bucket=BUCKET, Key=key)
        t.blobs_become(f"after round {number + 1}, killed at acknowledgement {now.kill_at}", blobs)
        t.equal("uploads left open", t.boto3().list_multipart_uploads(Bucket=BUCKET).get("Uploads", []), [])
        earlier = now
    t.note(f"{rounds} kills; ready {min(ready):.3f} to {max(ready):.3f} s after the restart")


if __name__ == "__main__":
    main(run)
