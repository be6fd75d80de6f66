"""Form chunks as the original's client sends them: `file, filename, chunk_number, total_chunks`, one request after the other; then eight at a time in
random order with duplicates, through a `kill -9`, to the end. The requests are written by urllib3."""

import base64
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import urllib3
from harness import MIB, body, main, wait_for

BUCKET = "uploads"
PATH = "/upload-chunk/"
CHUNK = 5 * MIB
THREADS = 8
SEED = 20_260_101
MEMORY_PEAK_BYTES_MAX = 160 * MIB
NAMES = {"message", "upload_id", "filename", "key", "chunk_number", "total_chunks", "received", "missing", "complete"}


def basic(access, secret):
    return "Basic " + base64.b64encode(f"{access}:{secret}".encode()).decode()


class File:
    """A file in chunks, numbered from 1."""

    def __init__(self, name, content, size=CHUNK):
        self.name = name
        self.content = content
        self.chunks = {number + 1: content[start : start + size] for number, start in enumerate(range(0, len(content), size))}
        self.total = len(self.chunks)


class Sender:
    """The original's client: one form for each chunk."""

    def __init__(self, t, keys=None):
        self.t = t
        self.pool = urllib3.PoolManager(ca_certs=t.ca, retries=False, timeout=120, maxsize=THREADS)
        self.authorization = basic(*(keys or t.keys()))

    def ask(self, method, query="", fields=None, **headers):
        headers = {"Authorization": self.authorization, **headers}
        what = {"fields": fields} if fields is not None else {}
        answer = self.pool.request(method, self.t.server.api + PATH + query, headers=headers, redirect=False, **what)
        return answer.status, json.loads(answer.data) if answer.data else None

    def send(self, file, number, content=None, language=None, **more):
        fields = {"filename": file.name, "chunk_number": str(number), "total_chunks": str(file.total), **more}
        fields["file"] = (file.name, file.chunks[number] if content is None else content)
        return self.ask("POST", fields=fields, **({"Accept-Language": language} if language else {}))


def same(t, what, file):
    """The object is the file."""
    t.equal(f"{what}: the object", t.boto3().get_object(Bucket=BUCKET, Key=file.name)["Body"].read(), file.content)


def one_after_the_other(t, sender):
    file = File("순서대로 (1).bin", body("sequential", 2 * CHUNK + 12_345))
    for number in range(1, 4):
        status, answer = sender.send(file, number, language="ko-KR,ko;q=0.9,en;q=0.8")
        last = number == 3
        t.equal(f"status of chunk {number}", status, 200)
        t.equal("names that its answer lacks", NAMES - set(answer), set())
        t.equal("file_url is there at the end only", "file_url" in answer, last)
        t.equal("its message", answer["message"], "파일 업로드 완료" if last else f"청크 {number}/3 업로드 성공")
        came = [answer[name] for name in ["filename", "key", "chunk_number", "total_chunks", "received", "missing", "complete"]]
        t.equal("what it says", came, [file.name, file.name, number, 3, number, list(range(number + 1, 4)), last])
    same(t, "one after the other", file)
    got = sender.pool.request("GET", answer["file_url"])
    t.equal("what file_url leads to", (got.status, got.data), (200, file.content))
    edited = again(t, sender, file, [1, 2, 3], "edited")
    # An answer that was lost: the chunk that completed the file comes once more, and is answered as it was.
    status, answer = sender.send(edited, 3, language="en")
    t.equal("the chunk that completed the file, once more", (status, answer["complete"], answer["key"]), (200, True, file.name))
    t.true("its message, in English", answer["message"].isascii(), answer["message"])
    # Where it stands now, other bytes may take its place: no 409 for a stray duplicate.
    again(t, sender, file, [3, 1, 2], "edited once more")


def again(t, sender, file, order, what):
    """Sends a file of the same name and length: it becomes the new version, with the chunk that comes last."""
    edited = File(file.name, body(what, len(file.content)))
    answers = [sender.send(edited, number) for number in order]
    t.equal(f"{what}: status and complete", [(status, answer.get("complete")) for status, answer in answers], [(200, False)] * 2 + [(200, True)])
    same(t, what, edited)
    return edited


def small(t, sender):
    """Chunks of any size, in any order, and what is refused."""
    file = File("small.bin", b"")
    file.content, file.chunks, file.total = b"abbccc", {1: b"a", 2: b"bb", 3: b"ccc"}, 3
    status, answer = sender.send(file, 3, content_type="text/plain")
    identity = answer["upload_id"]
    t.equal("chunk 3 first", (status, answer["received"], answer["missing"], answer["complete"]), (200, 1, [1, 2], False))
    status, answer = sender.send(file, 3, content_type="text/plain")
    t.equal("the same again", (status, answer["received"], answer["upload_id"]), (200, 1, identity))
    status, answer = sender.send(file, 3, content=b"ddd")
    t.equal("other bytes under its number", (status, identity in json.dumps(answer)), (409, True))
    sender.send(file, 1, upload_id=identity, content_type="text/plain")
    status, answer = sender.send(file, 2, upload_id=identity, content_type="text/plain")
    t.equal("the last of them", (status, answer["complete"]), (200, True))
    same(t, "chunks of 1, 2 and 3 bytes", file)
    t.equal("its type", t.boto3().head_object(Bucket=BUCKET, Key=file.name)["ContentType"], "text/plain")
    given = File("any.bin", b"x" * 10, 10)
    status, answer = sender.send(given, 1, key="a folder/given key.bin")
    t.equal("a key of its own", (status, answer["key"], answer["complete"]), (200, "a folder/given key.bin", True))
    for what, fields in [("number 0", {"chunk_number": "0"}), ("a number above the total", {"chunk_number": "4"}), ("no number", {"chunk_number": "one"})]:
        fields = {"filename": "wrong.bin", "chunk_number": "1", "total_chunks": "3", **fields, "file": ("wrong.bin", b"x")}
        status, answer = sender.ask("POST", fields=fields)
        t.equal(what, (status, {"code", "message"} <= set(answer["error"])), (400, True))
    stranger = Sender(t, (t.keys()[0], "not the secret key"))
    status, answer = stranger.send(file, 1)
    t.true("a wrong secret is refused", status in (401, 403), (status, answer))


def aborted(t, sender, blobs):
    """A session that is ended leaves nothing; `blobs` are those of the objects."""
    file = File("aborted.bin", body("aborted", 2 * MIB), MIB)
    _, answer = sender.send(file, 2)
    query = f"?upload_id={answer['upload_id']}"
    status, answer = sender.ask("GET", query)
    t.equal("GET of a session", (status, answer["received"], answer["missing"]), (200, 1, [1]))
    status, by_name = sender.ask("GET", "?filename=aborted.bin&total_chunks=2")
    t.equal("the same by name", (status, by_name.get("upload_id")), (200, answer["upload_id"]))
    status, _ = sender.ask("DELETE", query)
    t.true("status of DELETE is 200 or 204", status in (200, 204), status)
    t.equal("GET after it", sender.ask("GET", query)[0], 404)
    t.blobs_become("after the session was ended", blobs)


def two_senders(t, sender):
    """Two identities with one name do not meet until they complete; the later one is the object."""
    made = json.loads(t.administer("key", "create", "--policy", "readwrite", "--json"))
    other = Sender(t, (made["accessKey"], made["secretKey"]))
    files = [File("shared name.bin", body(seed, MIB + 1), MIB) for seed in ("mine", "theirs")]
    answers = [who.send(file, 1)[1] for who, file in zip((sender, other), files)]
    t.true("two sessions", answers[0]["upload_id"] != answers[1]["upload_id"], [answer["upload_id"] for answer in answers])
    for who, file in [(other, files[1]), (sender, files[0])]:
        status, answer = who.send(file, 2)
        t.equal("completes by itself", (status, answer["complete"]), (200, True))
        same(t, "the later of two", file)


class Round:
    """One file by eight threads: killed after so many acknowledgements, then resumed."""

    def __init__(self, t, total):
        self.t = t
        self.file = File("여덟 개씩.bin", body("parallel", total * CHUNK - 777))
        self.chance = random.Random(SEED)
        self.kill_at = total // 2
        self.lock = threading.Lock()
        self.acknowledged = {}
        self.lost = 0
        self.identities = set()
        self.complete = []
        self.refused = []

    def work(self, numbers, duplicates):
        """The numbers in random order, and some of them twice."""
        numbers = list(numbers)
        jobs = numbers + self.chance.sample(numbers, min(duplicates, len(numbers)))
        self.chance.shuffle(jobs)
        return jobs

    def one(self, sender, server, number):
        try:
            status, answer = sender.send(self.file, number)
        except urllib3.exceptions.HTTPError:
            # Killed in the middle, or never reached: not acknowledged.
            with self.lock:
                self.lost += 1
            return
        with self.lock:
            if status != 200:
                self.refused.append((number, status, answer))
                return
            self.acknowledged[number] = True
            self.identities.add(answer["upload_id"])
            if answer["complete"]:
                self.complete.append(number)
            if server and len(self.acknowledged) == self.kill_at:
                server.kill()

    def send_all(self, jobs, server=None):
        sender = Sender(self.t)
        with ThreadPoolExecutor(THREADS) as pool:
            for number in jobs:
                pool.submit(self.one, sender, server, number)


def killed_and_resumed(t):
    total = 16 if t.quick else 40
    now = Round(t, total)
    now.send_all(now.work(now.file.chunks, total // 3), t.server)
    t.kill()
    t.true("the kill met chunks that were not acknowledged", now.lost > 0, now.lost)
    t.equal("chunks that were refused", now.refused, [])
    t.equal("sessions for one file", len(now.identities), 1)
    t.start()
    identity = now.identities.copy().pop()
    status, answer = Sender(t).ask("GET", f"?upload_id={identity}")
    t.equal("the session after the restart", (status, answer["upload_id"], answer["complete"]), (200, identity, False))
    missing = set(answer["missing"])
    t.equal("acknowledged chunks that are missing", sorted(missing & set(now.acknowledged)), [])
    t.equal("received and missing", answer["received"] + len(missing), total)
    kept = sorted(set(now.file.chunks) - missing)
    t.note(f"killed at acknowledgement {now.kill_at} of {total}; {len(kept)} were kept")
    # The last eight go out together: each may be the one that completes the file.
    last = now.chance.sample(sorted(missing), min(THREADS, len(missing)))
    now.send_all(now.work(missing - set(last), 4) + now.work(kept, 0)[:4])
    t.equal("complete before the last chunks", now.complete, [])
    now.send_all(last)
    t.equal("chunks that were refused after the restart", now.refused, [])
    t.equal("answers that say complete", len(now.complete), 1)
    t.equal("sessions for one file, still", now.identities, {identity})
    same(t, "by eight threads", now.file)
    wait_for(lambda: not open_uploads(t), 10)
    t.equal("uploads left open", open_uploads(t), [])
    peak = t.server.memory_peak_bytes()
    if peak is not None:
        t.true(f"peak memory under {MEMORY_PEAK_BYTES_MAX // MIB} MiB", peak < MEMORY_PEAK_BYTES_MAX, f"{peak / MIB:.1f} MiB")
    return total


def open_uploads(t):
    return [upload["Key"] for upload in t.boto3().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


def run(t):
    t.start()
    total = killed_and_resumed(t)
    sender = Sender(t)
    one_after_the_other(t, sender)
    small(t, sender)
    # What is small stands in the catalog; what was there before a newer version is collected.
    aborted(t, sender, total + 3)
    two_senders(t, sender)


if __name__ == "__main__":
    main(run)
