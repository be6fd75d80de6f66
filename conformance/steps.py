"""The steps that every client of `clients/` goes through, and what a client's file gives for them.

A client's file defines a class derived from `Client`: its version, and a method for each thing the client can do. A thing it
cannot do stands in `holes` with the reason; a hole without a reason is a failure. The file ends with `main(TheClass)`.

In every step the other side is boto3: what the client writes boto3 reads, and the other way round, and the bytes are
compared by SHA-256. wharf's access log then says whether the client really did what the step is about (parts, pages, a
copy on the server), and every answer of 400 or more that the client's file does not expect is a failure: so a wrong
answer shows even where a client cannot be told to try only once.
"""

import collections
import contextlib
import datetime
import json
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import harness
from harness import CLIENT_SECONDS, MIB, NotRun, body, sha256_of_file, wait_for

# A client's file bears the client's name: with its folder on the path, `import boto3` would find the file.
sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != harness.HERE / "clients"]

BUCKET = "uploads"
STEPS = ["put", "get", "range", "multipart", "list", "copy", "delete", "presign"]
KEYS = [
    "plain.bin",
    "with two spaces/a b c.bin",
    "plus+and=more.bin",
    "100%25 percent%.bin",
    "round (1).bin",
    "deep/er/한글 é.bin",
    "quote's & semi;colon, at@.bin",
]
PART = 5 * MIB
PAGE = 3
# More than one page of the 1,000 keys that a server gives at most.
MANY = 1003


class Failed(Exception):
    """The client reported an error."""


class Refused(collections.namedtuple("Refused", "operation status code reason")):
    """An answer of 400 or more that belongs to how a client works."""

    def matches(self, entry):
        return (self.operation, self.status) == (entry["operation"], entry["status"]) and self.code in (None, entry.get("error"))


class AccessLog:
    """wharf's access log, read as it grows."""

    def __init__(self, t):
        self.t = t
        self.offset = 0
        self.barriers = 0

    def read(self):
        """The entries that came since the last call, up to now: an unsigned request marks the place and is waited for."""
        self.barriers += 1
        path = f"/log-barrier-{self.barriers}"
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.t.server.s3 + path, context=tls(self.t), timeout=30).close()
        if not wait_for(lambda: f'"{path}"'.encode() in self.t.server.log.read_bytes()[self.offset :], 20):
            raise RuntimeError("the access log does not show a request that was answered")
        content = self.t.server.log.read_bytes()
        end = content.rfind(b"\n") + 1
        lines, self.offset = content[self.offset : end].splitlines(), end
        entries = [json.loads(line) for line in lines if line.startswith(b"{")]
        return [entry for entry in entries if entry.get("target") == "wharf::access" and not entry["path"].startswith("/log-barrier-")]


def tls(t):
    """What a plain HTTP client needs to trust the throw-away authority."""
    return ssl.create_default_context(cafile=t.ca) if t.ca else None


class Client:
    """One client. A method that a client has not is left as it is here, and `holes` says why it is left.

    Files are paths of this machine. Keys are keys of the bucket `BUCKET`.
    """

    #: The reasons why it cannot do a step, or a part of one: `range bounded`, `range from`, `range suffix`, `list level`,
    #: `delete bulk`, `presign put`.
    holes = {}
    #: Notes that stand below the table.
    notes = []
    #: `Refused`: the answers of 400 or more that belong to how the client works.
    refusals = []
    #: The size of the object that is sent in parts.
    big = 16 * MIB + 777
    #: Whether `list_all` and `list_level` can be told how many keys a page has.
    pages = True

    def __init__(self, t):
        self.t = t

    def version(self):
        """The version that is really running."""
        raise NotImplementedError

    def open(self):
        """Called once wharf runs."""

    def put(self, key, path):
        raise NotImplementedError

    def get(self, key, path):
        raise NotImplementedError

    def range(self, key, first, last, path):
        """Bytes `first` to `last`, both included."""
        raise NotImplementedError

    def range_from(self, key, first, path):
        raise NotImplementedError

    def range_suffix(self, key, length, path):
        raise NotImplementedError

    def multipart(self, key, path, part_size):
        raise NotImplementedError

    def list_all(self, prefix, page):
        """Keys and sizes of all that is under a prefix, as a dict."""
        raise NotImplementedError

    def list_level(self, prefix, page):
        """The keys right under a prefix, and the common prefixes up to the next `/`: two lists."""
        raise NotImplementedError

    def copy(self, source, target):
        raise NotImplementedError

    def delete(self, key):
        raise NotImplementedError

    def delete_many(self, prefix, keys):
        """Deletes these keys, which are all that is under the prefix, with as few requests as the client can."""
        raise NotImplementedError

    def presign_get(self, key):
        raise NotImplementedError

    def presign_put(self, key):
        raise NotImplementedError

    def run(self, *command, environment=None):
        """Runs a program to its end and returns what it printed; a bad end is a `Failed` with what it said."""
        finished = subprocess.run(list(map(str, command)), capture_output=True, timeout=CLIENT_SECONDS, env=environment, cwd=self.t.work)
        if finished.returncode != 0:
            said = (finished.stderr or finished.stdout).decode("utf-8", "replace").strip()
            raise Failed(f"{Path(str(command[0])).name} ended with status {finished.returncode}: {said[-600:]}")
        return finished.stdout.decode("utf-8", "replace")

    # -- the steps ---------------------------------------------------------------------------------------------------

    def step_put(self, s):
        for number, key in enumerate(KEYS):
            sent = s.file(f"put {key}", [100_003, 0, 1, 4096, 4097, 65_536, 1_000_001][number])
            with s.asked():
                self.put(f"put/{key}", sent)
            s.stored(f"put/{key}", sent)

    def step_get(self, s):
        for number, key in enumerate(KEYS):
            kept = s.object(f"get/{key}", [12 * MIB + 5, 0, 1, 4096, 4097, 65_536, 1_000_001][number])
            came = s.place()
            with s.asked():
                self.get(f"get/{key}", came)
            s.same(f"get {key!r}", came, kept)

    def step_range(self, s):
        size = MIB + 7
        content = s.object("range/some (1) key.bin", size).read_bytes()
        wanted = [("bounded", self.range, pair, content[pair[0] : pair[1] + 1]) for pair in [(0, 0), (1000, 1999), (65_530, 65_545), (size - 1, size - 1)]]
        wanted.append(("from", self.range_from, (size - 1000,), content[-1000:]))
        wanted.append(("suffix", self.range_suffix, (77,), content[-77:]))
        for part, call, numbers, expected in wanted:
            if s.lacks("range", part):
                continue
            came = s.place()
            with s.asked() as seen:
                call("range/some (1) key.bin", *numbers, came)
            s.t.equal(f"range {part} {numbers}", came.read_bytes(), expected)
            s.t.equal("statuses of the range's answers", {entry["status"] for entry in seen.of("GetObject")}, {206})

    def step_multipart(self, s):
        sent = s.file("multipart", self.big)
        key = "multipart/big (한글)+.bin"
        with s.asked() as seen:
            self.multipart(key, sent, PART)
        s.stored(key, sent)
        s.t.true("at least 3 parts", len(seen.of("UploadPart")) >= 3, len(seen.of("UploadPart")))
        s.t.equal("completes", len(seen.of("CompleteMultipartUpload")), 1)

    def step_list(self, s):
        sizes = {f"list/{key}": number for number, key in enumerate([*KEYS, "deep/er/more/x", "deep/other", "zz"])}
        for key, size in sizes.items():
            s.object(key, size)
        with s.asked() as seen:
            came = self.list_all("list/", PAGE)
        s.t.equal("keys and sizes", sorted(came.items()), sorted(sizes.items()))
        listings = ["ListObjectsV2", "ListObjects"]
        if self.pages:
            s.t.true("more than one page", len(seen.of(*listings)) > 1, len(seen.of(*listings)))
        else:
            many = s.many_objects("many/", MANY)
            with s.asked() as seen:
                came = self.list_all("many/", None)
            s.t.equal(f"{MANY} keys", sorted(came), many)
            s.t.true("more than one page", len(seen.of(*listings)) > 1, len(seen.of(*listings)))
        if not s.lacks("list", "level"):
            with s.asked() as seen:
                keys, prefixes = self.list_level("list/", PAGE)
            here = sorted(key for key in sizes if "/" not in key.removeprefix("list/"))
            s.t.equal("keys of one level", sorted(keys), here)
            s.t.equal("prefixes of one level", sorted(prefixes), ["list/deep/", "list/with two spaces/"])
            delimited = all("delimiter=%2F" in (entry.get("query") or "") or "delimiter=/" in (entry.get("query") or "") for entry in seen.of(*listings))
            s.t.true("every page asked for with a delimiter", delimited, [entry.get("query") for entry in seen.of(*listings)])

    def step_copy(self, s):
        for key, size in [("with two spaces/한글+ (1)%.bin", 100_003), ("big.bin", 12 * MIB + 5)]:
            kept = s.object(f"copy/from/{key}", size)
            with s.asked() as seen:
                self.copy(f"copy/from/{key}", f"copy/to/{key}")
            s.stored(f"copy/to/{key}", kept)
            s.t.true("copied by the server", bool(seen.of("CopyObject", "UploadPartCopy")) and not seen.of("GetObject"), seen.operations())

    def step_delete(self, s):
        for key in KEYS[:4]:
            s.object(f"delete/one/{key}", 10)
            with s.asked():
                self.delete(f"delete/one/{key}")
        gone = [f"delete/one/{key}" for key in KEYS[:4]]
        s.t.equal("what is left of the keys deleted one by one", [key for key in s.keys("delete/one/") if key in gone], [])
        if not s.lacks("delete", "bulk"):
            keys = [f"delete/many/{key}" for key in KEYS]
            for key in keys:
                s.object(key, 10)
            s.object("delete/other", 10)
            with s.asked() as seen:
                self.delete_many("delete/many/", keys)
            s.t.equal("what is left of the keys deleted at once", [key for key in s.keys("delete/many/") if key in keys], [])
            s.t.equal("the key beside them", s.keys("delete/other"), ["delete/other"])
            s.t.true("deleted by DeleteObjects alone", bool(seen.of("DeleteObjects")) and not seen.of("DeleteObject"), seen.operations())

    def step_presign(self, s):
        for number, key in enumerate(KEYS):
            kept = s.object(f"presign/get/{key}", 1000 + number)
            came = s.fetch("GET", self.presign_get(f"presign/get/{key}"))
            s.t.equal(f"GET of the URL for {key!r}", came, (200, kept.read_bytes()))
        if not s.lacks("presign", "put"):
            for number, key in enumerate(KEYS):
                sent = s.file(f"presign {key}", 2000 + number)
                came = s.fetch("PUT", self.presign_put(f"presign/put/{key}"), sent.read_bytes())
                s.t.equal(f"PUT with the URL for {key!r}", came, (200, b""))
                s.stored(f"presign/put/{key}", sent)


class Seen:
    """The requests that wharf answered to a client."""

    def __init__(self):
        self.entries = []

    def of(self, *operations):
        return [entry for entry in self.entries if entry["operation"] in operations]

    def operations(self):
        return dict(collections.Counter(entry["operation"] for entry in self.entries))


class Side:
    """The other side of a step: files, objects written and read by boto3, the access log, and the client's holes."""

    def __init__(self, t, client):
        self.t = t
        self.client = client
        self.log = AccessLog(t)
        self.lacking = []
        self.expected = set()
        self._files = 0

    def place(self):
        """A new path in the scenario's folder."""
        self._files += 1
        return self.t.work / f"file-{self._files}"

    def file(self, seed, size):
        path = self.place()
        path.write_bytes(body(seed, size))
        return path

    def object(self, key, size):
        """Puts an object and returns the file with its bytes."""
        path = self.file(key, size)
        self.t.boto3().put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
        return path

    def many_objects(self, prefix, count):
        """Empty objects, and their keys in order."""
        keys = [f"{prefix}{number:05}" for number in range(count)]
        for key in keys:
            self.t.boto3().put_object(Bucket=BUCKET, Key=key)
        return keys

    def keys(self, prefix):
        return [entry["Key"] for entry in self.t.boto3().list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    def stored(self, key, sent):
        """Checks that the object holds the file's bytes."""
        came = self.place()
        came.write_bytes(self.t.boto3().get_object(Bucket=BUCKET, Key=key)["Body"].read())
        self.same(f"bytes stored under {key!r}", came, sent)

    def same(self, what, came, expected):
        digests = [(path.stat().st_size, sha256_of_file(path)) if path.exists() else "no file" for path in (came, expected)]
        self.t.equal(what, *digests)

    @contextlib.contextmanager
    def asked(self):
        """Around what the client does: the requests it sends, and a failure for each refusal that is not expected."""
        self.log.read()
        seen = Seen()
        try:
            yield seen
        finally:
            seen.entries = self.log.read()
            self.judge(seen.entries)

    def judge(self, entries):
        for entry in entries:
            known = [refusal for refusal in self.client.refusals if refusal.matches(entry)]
            self.expected.update(known)
            if entry["status"] >= 400 and not known:
                request = f"{entry['method']} {entry['path']}?{entry.get('query', '')}"
                self.t.equal(f"{request} ({entry['operation']})", f"{entry['status']} {entry.get('error')}", "no refusal")

    def lacks(self, step, part):
        """Whether the client has a hole here; the suite prints its reason."""
        name = f"{step} {part}".strip()
        if name in self.client.holes:
            self.lacking.append(name)
            return True
        return False

    def fetch(self, method, url, content=None):
        """Status and body of a request by a plain HTTP client, or Python's word for why there is none."""
        request = urllib.request.Request(url, data=content, method=method)
        if content is not None:
            # urllib would add a content type of its own, which nobody signed.
            request.add_header("Content-Type", "application/octet-stream")
        try:
            with urllib.request.urlopen(request, context=tls(self.t), timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()


class Driver(Client):
    """A client in another process that answers JSON lines: {"do": method, ...} is answered by {"ok": result} or {"error": text}.

    The first line that it prints is {"ok": version}.
    """

    #: The command line, without the settings, which are its last argument, as JSON.
    command = []

    def settings(self):
        """What the client needs to know of the server."""
        access, secret = self.t.keys()
        return {"endpoint": self.t.server.s3, "bucket": BUCKET, "access": access, "secret": secret, "ca": self.t.ca, "part_size": PART}

    def open(self):
        with open(self.t.work / "driver.log", "wb") as log:
            command = [*map(str, self.command), json.dumps(self.settings(), default=str)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=self.t.work, env=self.environment())
        self._version = self._answer()

    def environment(self):
        return None

    def version(self):
        return self._version

    def ask(self, do, **arguments):
        self.process.stdin.write(json.dumps({"do": do, **arguments}, default=str).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the driver ended with status {self.process.wait()}; see driver.log")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["ok"]

    def put(self, key, path):
        self.ask("put", key=key, path=path)

    def get(self, key, path):
        self.ask("get", key=key, path=path)

    def range(self, key, first, last, path):
        self.ask("range", key=key, first=first, last=last, path=path)

    def range_from(self, key, first, path):
        self.ask("range_from", key=key, first=first, path=path)

    def range_suffix(self, key, length, path):
        self.ask("range_suffix", key=key, length=length, path=path)

    def multipart(self, key, path, part_size):
        self.ask("multipart", key=key, path=path, part_size=part_size)

    def list_all(self, prefix, page):
        return dict(self.ask("list_all", prefix=prefix, page=page))

    def list_level(self, prefix, page):
        return self.ask("list_level", prefix=prefix, page=page)

    def copy(self, source, target):
        self.ask("copy", source=source, target=target)

    def delete(self, key):
        self.ask("delete", key=key)

    def delete_many(self, prefix, keys):
        self.ask("delete_many", prefix=prefix, keys=keys)

    def presign_get(self, key):
        return self.ask("presign_get", key=key)

    def presign_put(self, key):
        return self.ask("presign_put", key=key)


def take(t, client, side, step):
    """One step, and the word for it: `ok`, `part` (with a hole in it), `-` (a hole altogether) or `FAILED`."""
    side.lacking = []
    if side.lacks(step, ""):
        return "-"
    print(f"        {step}", flush=True)
    failures = t.failures
    try:
        getattr(client, f"step_{step}")(side)
    except Exception as error:
        t.failures += 1
        print(f"FAILED  {step} ended early: {type(error).__name__}: {error}", flush=True)
    if t.failures > failures:
        return "FAILED"
    return "part" if side.lacking else "ok"


def steps_of(make):
    def run(t):
        client = make(t)
        t.start("--durability", "relaxed")
        client.open()
        print(f"version {client.version()}", flush=True)
        for note in client.notes:
            t.note(note)
        side = Side(t, client)
        for step in STEPS:
            word = take(t, client, side, step)
            print(f"step    {step} {word}", flush=True)
            for name in side.lacking:
                print(f"hole    {name}: {client.holes[name]}", flush=True)
        for refusal in sorted(side.expected):
            t.note(f"{refusal.operation} is answered {refusal.status}: {refusal.reason}")

    return run


def main(make):
    """The body of every client's file."""
    harness.main(steps_of(make))


def at_least(program, version, minimum):
    """`version`, or `NotRun` where it is older than the oldest that these steps are written for."""
    numbers = lambda text: [int(number) for number in re.findall(r"\d+", text)[:3]]
    if numbers(version) < numbers(minimum):
        raise NotRun(f"{program} {version} is too old: {minimum} or newer is needed")
    return version


def in_an_hour():
    return datetime.timedelta(hours=1)
