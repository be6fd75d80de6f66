"""tus-js-client against `/files/`: whole and in pieces, killed and resumed, in parallel, ended, with checksums, of unknown length."""

import base64

from harness import MIB, body, main, wait_for
from node import NodeDriver

BUCKET = "uploads"
CHUNK = 5 * MIB
# A PATCH is sealed every so many bytes, so that a crash does not cost all of it.
SEAL = 64 * MIB
EXTENSIONS = ["checksum", "concatenation", "creation", "creation-defer-length", "creation-with-upload", "expiration", "termination"]


class Tus(NodeDriver):
    script = "tus.mjs"

    def settings(self):
        t = self.t
        return {"endpoint": t.server.api + "/files/", "token": t.token(), "urls": t.work / "urls"}

    def start(self, path, hold=None, resume=False, stream=False, checksums=None, **options):
        """Begins an upload under the name of its file. Ends with it, or when `hold` bytes have left the client."""
        options["metadata"] = {"filename": path.name, "filetype": "image/bmp", "key": path.name, **options.get("metadata", {})}
        return self.ask("start", path=path, hold=hold, resume=resume, stream=stream, checksums=checksums, options=options)


class Files:
    """The files of the scenario: each of its own content, and under a name that has to be encoded."""

    def __init__(self, t):
        self.t = t
        self.folder = t.work / "files"
        self.folder.mkdir()

    def make(self, name, size):
        path = self.folder / f"{name} 그림+1.bmp"
        path.write_bytes(body(name, size))
        return path


def tus_call(t, method, url, **headers):
    status, headers, _ = t.api_call(method, url, Tus_Resumable="1.0.0", Authorization=f"Bearer {t.root_token}", **headers)
    return status, headers


def offset_of(t, url):
    """What HEAD says of an upload's offset; 0 where it says nothing yet."""
    status, headers = tus_call(t, "HEAD", url)
    return int(headers.get("Upload-Offset", 0)) if status in (200, 204) else 0


def done(t, what, answer, path):
    """The upload ended well, and its object is the file."""
    t.equal(f"{what}: the end", (answer["outcome"], answer.get("message")), ("done", None))
    answer = t.boto3().get_object(Bucket=BUCKET, Key=path.name)
    t.equal(f"{what}: the object", answer["Body"].read(), path.read_bytes())
    t.equal(f"{what}: its type", answer["ContentType"], "image/bmp")


def announced(t):
    status, headers, _ = t.api_call("OPTIONS", "/files/")
    t.true("status of OPTIONS is 200 or 204", status in (200, 204), status)
    t.equal("extensions", sorted(headers.get("Tus-Extension", "").split(",")), EXTENSIONS)
    t.true("version 1.0.0", "1.0.0" in headers.get("Tus-Version", ""), headers.get("Tus-Version"))
    t.true("sha1 is known", "sha1" in headers.get("Tus-Checksum-Algorithm", ""), headers.get("Tus-Checksum-Algorithm"))


def whole(t, tus, files):
    path = files.make("whole", 12 * MIB + 5)
    answer = tus.start(path)
    done(t, "in one PATCH", answer, path)
    t.equal("its requests", [request[:2] for request in answer["requests"]], [["POST", 201], ["PATCH", 204]])
    t.equal("the offset that PATCH came to", answer["requests"][-1][2], 12 * MIB + 5)
    status, headers = tus_call(t, "HEAD", answer["url"])
    t.true("status of HEAD is 200 or 204", status in (200, 204), status)
    t.equal("offset and length", (headers.get("Upload-Offset"), headers.get("Upload-Length")), (str(12 * MIB + 5),) * 2)
    pairs = dict(pair.split(" ") for pair in headers.get("Upload-Metadata", "").split(","))
    t.equal("metadata, given back", base64.b64decode(pairs.get("filename", "")).decode(), path.name)
    t.equal("key, given back", base64.b64decode(pairs.get("key", "")).decode(), path.name)
    path = files.make("without a key", 1000)
    answer = tus.start(path, metadata={"key": ""})
    t.equal("without a key: the end", answer["outcome"], "done")
    keys = [entry["Key"] for entry in t.boto3().list_objects_v2(Bucket=BUCKET).get("Contents", []) if entry["Key"].endswith(path.name)]
    t.true("without a key: it is the file's name behind what keeps two of one name apart", len(keys) == 1 and keys[0] != path.name, keys)
    path = files.make("in the creation", 3 * MIB)
    answer = tus.start(path, uploadDataDuringCreation=True)
    done(t, "sent with the creation", answer, path)
    t.equal("its requests", answer["requests"], [["POST", 201, 3 * MIB]])
    path = files.make("empty", 0)
    done(t, "no bytes", tus.start(path), path)
    path = files.make("unknown length", 11 * MIB + 7)
    answer = tus.start(path, stream=True, uploadLengthDeferred=True, chunkSize=CHUNK)
    done(t, "a stream of unknown length", answer, path)


def killed_and_resumed(t, tus, path, hold, at_least, **options):
    """Holds an upload, kills the gateway, and goes on from what HEAD says."""
    held = tus.start(path, hold=hold, **options)
    t.equal("the upload is held", held["outcome"], "held")
    if at_least >= SEAL:
        wait_for(lambda: offset_of(t, held["url"]) >= SEAL, 30)
    t.kill_and_start()
    lost = tus.ask("finish")
    t.equal("the client's connection was lost", (lost["outcome"], lost.get("status")), ("error", None))
    answer = tus.start(path, resume=True, **options)
    heads = [offset for method, _, offset in answer["requests"] if method == "HEAD"]
    t.true(f"resumed at {at_least} or later, and before the end", at_least <= sum(heads) <= hold, heads)
    return answer


def resumed(t, tus, files):
    path = files.make("in chunks", 24 * MIB + 1)
    answer = killed_and_resumed(t, tus, path, 17 * MIB, 15 * MIB, chunkSize=CHUNK)
    done(t, "killed in the fourth chunk", answer, path)
    path = files.make("long", 112 * MIB + 3)
    answer = killed_and_resumed(t, tus, path, 100 * MIB, SEAL)
    done(t, "killed in a long PATCH", answer, path)
    path = files.make("left", 16 * MIB)
    held = tus.start(path, hold=9 * MIB)
    tus.ask("abort", terminate=False)
    wait_for(lambda: offset_of(t, held["url"]) == 9 * MIB, 30)
    answer = tus.start(path, resume=True)
    done(t, "left by the client", answer, path)
    t.equal("all that had come was kept", answer["requests"], [["HEAD", 200, 9 * MIB], ["PATCH", 204, 16 * MIB]])


def parallel(t, tus, files):
    path = files.make("in parallel", 14 * MIB + 3)
    answer = tus.start(path, parallelUploads=2)
    done(t, "two uploads made one", answer, path)
    status, headers = tus_call(t, "HEAD", answer["url"])
    t.true("HEAD of the whole says what it is made of", headers.get("Upload-Concat", "").startswith("final;"), (status, headers.get("Upload-Concat")))
    path = files.make("in parallel, killed", 28 * MIB)
    answer = killed_and_resumed(t, tus, path, 19 * MIB, 10 * MIB, parallelUploads=2, chunkSize=CHUNK)
    done(t, "two uploads killed and resumed", answer, path)


def ended(t, tus, files):
    path = files.make("ended", 24 * MIB)
    held = tus.start(path, hold=12 * MIB, chunkSize=CHUNK)
    tus.ask("abort", terminate=True)
    status, _ = tus_call(t, "HEAD", held["url"])
    t.true("an upload that was ended is gone", status in (404, 410), status)
    present = [entry["Key"] for entry in t.boto3().list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    t.equal("no object came of it", path.name in present, False)


def checksums(t, tus, files):
    path = files.make("checksums", 16 * MIB)
    wrong = tus.start(path, chunkSize=CHUNK, checksums={"wrong_from": 2 * CHUNK})
    t.equal("a wrong checksum", (wrong["outcome"], wrong.get("status")), ("error", 460))
    t.equal("leaves the offset", offset_of(t, wrong["url"]), 2 * CHUNK)
    answer = tus.start(path, resume=True, chunkSize=CHUNK, checksums={"wrong_from": path.stat().st_size})
    done(t, "with checksums", answer, path)
    t.equal("resumed after the right chunks", answer["requests"][0], ["HEAD", 200, 2 * CHUNK])


def run(t):
    tus = Tus(t)
    t.start()
    t.root_token = t.token()
    tus.open()
    t.note(f"tus-js-client {tus.version()}")
    files = Files(t)
    announced(t)
    whole(t, tus, files)
    resumed(t, tus, files)
    parallel(t, tus, files)
    ended(t, tus, files)
    checksums(t, tus, files)
    uploads = t.boto3().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    t.equal("uploads left open", [upload["Key"] for upload in uploads], [])


if __name__ == "__main__":
    main(run)
