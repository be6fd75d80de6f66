"""`wharf presign` against botocore's presigner of signature version 4: the same text for the same request at the same time, for
hundreds of random requests and for the client's own operations; and the URLs used by a plain HTTP client, operation by operation."""

import datetime
import os
import random
import ssl
import subprocess
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from harness import MIB, body, etag_of_parts, main

ACCESS = "conformance-key"
SECRET = "conformance-secret/with+signs="
REQUESTS = 600
AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
BUCKET = "presigned"

OPERATIONS = {
    "get": "GET",
    "put": "PUT",
    "head": "HEAD",
    "delete": "DELETE",
    "part": "PUT",
    "create": "POST",
    "complete": "POST",
    "abort": "DELETE",
    "list-parts": "GET",
}
SEGMENTS = ["a b+c~d(1)é", "..", ".", "", "%41", "日本語", "a%2Fb", "!*'();:@", "#?[]{}|\\^`\"<>", "x&y=z", "plain.txt", "\u0001\u007f", "😀", "-_.~$,"]
NAMES = ["response-content-type", "response-content-disposition", "versionId", "x-id", "a b", "Ünï+ö", "~", "A", "a", "x-amz-checksum-mode", "prefix/&"]
VALUES = ["", "2", "p/ath", "a+b", "a b", "é=&", "%", "%20", "(x)", "..", "~", 'attachment; filename="x y.bin"', "日本"]
HEADERS = {
    "Content-Type": ["text/plain; charset=utf-8", "image/bmp", "a/b;  c=d"],
    "Content-MD5": ["XrY7u+Ae7tCTyyK7j1rNww=="],
    "Content-Length": ["0", "1048576"],
    "Cache-Control": ["no-cache, max-age=0"],
    "x-amz-acl": ["private", "public-read"],
    "X-Amz-Meta-Made-By": ["wharf", "two  inner   blanks", "a,b ;c", "é"],
    "x-amz-storage-class": ["STANDARD"],
    "x-amz-checksum-crc32": ["AAAAAA=="],
    "x-amz-content-sha256": ["UNSIGNED-PAYLOAD", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    "Range": ["bytes=0-9"],
}


def wharf(t, *words, environment=None):
    """Runs `wharf presign`; returns status, output and errors."""
    variables = {"WHARF_ACCESS_KEY": ACCESS, "WHARF_SECRET_KEY": SECRET, **(environment or {})}
    finished = subprocess.run([t.wharf, "presign", *words], capture_output=True, timeout=60, env={**os.environ, **variables})
    return finished.returncode, finished.stdout.decode(), finished.stderr.decode()


class Wanted:
    """One random request, and how both sides are asked for it."""

    def __init__(self, chance):
        self.operation = chance.choice(list(OPERATIONS))
        self.bucket = chance.choice(["bkt", "a.dotted.bucket", "b-1"])
        key = "/".join(chance.choice(SEGMENTS) for _ in range(chance.randint(1, 4)))
        self.key = key or "k"
        self.upload = chance.choice(["upload", "a/b+c=", "0~x"])
        self.part = chance.randint(1, 10_000)
        self.query = [(name, chance.choice(VALUES)) for name in chance.sample(NAMES, chance.randint(0, 4))]
        self.headers = [(name, chance.choice(HEADERS[name])) for name in chance.sample(list(HEADERS), chance.randint(0, 4))]
        self.token = chance.choice([None, None, "FwoGZXIvYXdzE/+token=="])
        self.base = chance.choice(["http://127.0.0.1:9000", "https://files.example.com", "http://[::1]:9000", "https://s3.example.com:8443", "HTTP://Localhost:80", "http://localhost:9000"])
        self.region = chance.choice(["us-east-1", "eu-central-1"])
        self.seconds = chance.randint(1, 604_800)
        self.time = AT + datetime.timedelta(seconds=chance.randint(0, 300_000_000))
        # An address has no names below it.
        self.virtual = chance.random() < 0.4 and not any(address in self.base for address in ["127", "::1"])

    def own_query(self):
        own = {
            "part": [("partNumber", str(self.part)), ("uploadId", self.upload)],
            "create": [("uploads", "")],
        }
        of_upload = self.operation in ["complete", "abort", "list-parts"]
        return own.get(self.operation, [("uploadId", self.upload)] if of_upload else [])

    def by_wharf(self, t):
        words = [self.operation, f"s3://{self.bucket}/{self.key}", "--public-url", self.base, "--region", self.region]
        words += ["--expires", f"{self.seconds}s", "--at", self.time.strftime("%Y%m%dT%H%M%SZ")]
        if self.operation in ["part", "complete", "abort", "list-parts"]:
            words += [f"--upload-id={self.upload}"]
        if self.operation == "part":
            words += ["--part", str(self.part)]
        for name, value in self.query:
            words += [f"--query={name}={value}"]
        for name, value in self.headers:
            words += ["--header", f"{name}: {value}"]
        if self.token:
            words += ["--session-token", self.token]
        if self.virtual:
            words += ["--virtual-host"]
        return wharf(t, *words)

    def by_botocore(self):
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
        from botocore.utils import percent_encode, percent_encode_sequence

        scheme, host = self.base.lower().split("://")
        # botocore's endpoints are written without the scheme's own port.
        host = host.removesuffix(":80" if scheme == "http" else ":443")
        key = percent_encode(self.key, safe="/~")
        url = f"{scheme}://{self.bucket}.{host}/{key}" if self.virtual else f"{scheme}://{host}/{self.bucket}/{key}"
        query = self.own_query() + self.query
        if query:
            url += "?" + percent_encode_sequence(query)
        request = AWSRequest(method=OPERATIONS[self.operation], url=url, headers=dict(self.headers))
        signer = signer_at(self.time)(Credentials(ACCESS, SECRET, self.token), "s3", self.region, self.seconds)
        signer.add_auth(request)
        return request.url


def signer_at(time):
    """botocore's presigner with a clock that stands still."""
    import botocore.auth

    class Still(botocore.auth.S3SigV4QueryAuth):
        def add_auth(self, request):
            with mock.patch("botocore.auth.get_current_datetime", return_value=time.replace(tzinfo=None)):
                super().add_auth(request)

    return Still


def random_requests(t):
    chance = random.Random(20260101)
    wanted = [Wanted(chance) for _ in range(REQUESTS)]
    with ThreadPoolExecutor(4) as pool:
        came = list(pool.map(lambda one: one.by_wharf(t), wanted))
    same = 0
    for one, (status, out, err) in zip(wanted, came):
        expected = one.by_botocore() + "\n"
        if (status, out, err) == (0, expected, ""):
            same += 1
        else:
            t.equal(f"{one.operation} of {one.key!r}", (status, out, err), (0, expected, ""))
    t.equal("random requests with the same URL from both", same, REQUESTS)


def client_operations(t):
    """The URLs that boto3's client makes of its operations, with its own order of parameters."""
    import boto3
    from botocore.config import Config

    endpoint = "https://files.example.com"
    key = "dir/a b+é.bin"
    upload = {"UploadId": "the/upload"}
    calls = [
        ("get", "get_object", {}, []),
        ("get", "get_object", {"ResponseContentType": "text/x", "VersionId": "null"}, ["--query", "response-content-type=text/x", "--query", "versionId=null"]),
        ("put", "put_object", {}, []),
        ("put", "put_object", {"ContentType": "image/bmp", "Metadata": {"a": "b c"}}, ["--header", "Content-Type: image/bmp", "--header", "x-amz-meta-a: b c"]),
        ("head", "head_object", {}, []),
        ("delete", "delete_object", {}, []),
        ("part", "upload_part", {"PartNumber": 3, **upload}, ["--upload-id", "the/upload", "--part", "3"]),
        ("create", "create_multipart_upload", {"ContentType": "image/bmp"}, ["--header", "content-type: image/bmp"]),
        ("complete", "complete_multipart_upload", upload, ["--upload-id", "the/upload"]),
        ("abort", "abort_multipart_upload", upload, ["--upload-id", "the/upload"]),
        ("list-parts", "list_parts", upload, ["--upload-id", "the/upload"]),
        ("list", "list_objects_v2", {"Prefix": "dir/"}, ["--query", "encoding-type=url"]),
    ]
    for style in ["path", "virtual"]:
        config = Config(signature_version="s3v4", s3={"addressing_style": style})
        s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=ACCESS, aws_secret_access_key=SECRET, region_name="us-east-1", config=config)
        for operation, method, params, words in calls:
            if operation != "list":
                params = {"Key": key, **params}
            with mock.patch("botocore.auth.get_current_datetime", return_value=AT.replace(tzinfo=None)):
                expected = s3.generate_presigned_url(method, Params={"Bucket": BUCKET, **params}, ExpiresIn=900)
            target = f"s3://{BUCKET}/" + ("dir/" if operation == "list" else key)
            words = [operation, target, "--public-url", endpoint, "--expires", "15m", "--at", "20260101T000000Z", *words]
            words += ["--virtual-host"] if style == "virtual" else []
            t.equal(f"{style} {method}", wharf(t, *words), (0, expected + "\n", ""))


def used(t):
    """Every operation through a URL of `wharf presign`, which knows of the gateway only its data directory and its address."""
    server = t.start()
    t.boto3().create_bucket(Bucket=BUCKET)
    context = ssl.create_default_context(cafile=t.ca) if t.ca else None
    key = "dir/a b+c%d é&x=y/한글.bin"

    def url(operation, *words, target=key):
        words = [operation, f"s3://{BUCKET}/{target}", "--data-dir", str(server.data_dir), "--public-url", server.s3, *words]
        status, out, err = wharf(t, *words, environment={"WHARF_ACCESS_KEY": "", "WHARF_SECRET_KEY": ""})
        t.equal(f"wharf presign {operation}", (status, err, out.count("\n")), (0, "", 1))
        return out.strip()

    def ask(method, address, content=None, headers=None):
        request = urllib.request.Request(address, content, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, context=context, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, refused.read()

    content = body("presign", 100_000)
    typed = {"Content-Type": "image/bmp"}
    t.equal("PUT", ask("PUT", url("put", "--header", "content-type: image/bmp"), content, typed)[0], 200)
    status, headers, came = ask("GET", url("get"))
    t.equal("GET", (status, headers.get("Content-Type"), came), (200, "image/bmp", content))
    named = url("get", "--query", 'response-content-disposition=attachment; filename="a b.bin"')
    t.equal("GET with an override", ask("GET", named)[1].get("Content-Disposition"), 'attachment; filename="a b.bin"')
    t.equal("HEAD", ask("HEAD", url("head"))[1].get("Content-Length"), "100000")
    t.equal("list", ask("GET", url("list", target="dir/"))[2].count(b"<Key>"), 1)
    t.equal("GET with a URL for PUT", ask("GET", url("put"))[0], 403)

    def between(document, name):
        return document.decode().split(f"<{name}>")[1].split(f"</{name}>")[0]

    upload = between(ask("POST", url("create"), b"")[2], "UploadId")
    parts = [body("part 1", 5 * MIB), body("part 2", 99)]
    etags = []
    for number, part in enumerate(parts, 1):
        address = url("part", "--upload-id", upload, "--part", str(number))
        # urllib would add a content type of its own, which nobody signed and nobody minds.
        status, headers, _ = ask("PUT", address, part)
        etags.append(headers.get("ETag"))
        t.equal(f"PUT of part {number}", status, 200)
    t.equal("parts listed", ask("GET", url("list-parts", "--upload-id", upload))[2].count(b"<PartNumber>"), 2)
    pieces = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1))
    document = f"<CompleteMultipartUpload>{pieces}</CompleteMultipartUpload>".encode()
    status, _, answer = ask("POST", url("complete", "--upload-id", upload), document)
    t.equal("complete", (status, between(answer, "ETag").replace("&quot;", '"')), (200, etag_of_parts(parts)))
    t.equal("GET of the parts", ask("GET", url("get"))[2], b"".join(parts))
    upload = between(ask("POST", url("create"), b"")[2], "UploadId")
    t.equal("abort", ask("DELETE", url("abort", "--upload-id", upload))[0], 204)
    t.equal("DELETE", ask("DELETE", url("delete"))[0], 204)
    t.equal("GET after it", ask("GET", url("get"))[0], 404)


def run(t):
    random_requests(t)
    client_operations(t)
    used(t)


if __name__ == "__main__":
    main(run)
