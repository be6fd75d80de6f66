"""`aws s3api`, every multipart call: parts in odd order, paging, complete and complete again, abort, resume, refusals, checksums."""

import base64
import hashlib
import json
import signal
import subprocess
import sys
import zlib

from harness import CRT, MIB, body, crt_available, etag_of_parts, main, wait_for

BUCKET = ("--bucket", "uploads")
PARTS = [body(f"part {number}", size) for number, size in enumerate([5 * MIB, 5 * MIB + 1, 6 * MIB, 5 * MIB, 60_000], 1)]
ORDER = [3, 5, 1, 4, 2]
# Algorithm and type as create-multipart-upload names them; None leaves the type to the server.
CHECKSUMS = [("CRC32", None), ("CRC32", "FULL_OBJECT"), ("CRC32C", "COMPOSITE"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", None)]


class Upload:
    """One multipart upload driven through the CLI."""

    def __init__(self, t, key, *flags, crt=False):
        self.t = t
        self.crt = crt
        self.key = key
        self.created = t.aws_ok("s3api", "create-multipart-upload", *BUCKET, "--key", key, *flags, crt=crt).json
        self.names = (*BUCKET, "--key", key, "--upload-id", self.created["UploadId"])

    def part(self, number, content, *flags):
        file = self.t.work / "part.bin"
        file.write_bytes(content)
        words = ("s3api", "upload-part", *self.names, "--part-number", number, "--body", file, *flags)
        return self.t.aws_ok(*words, crt=self.crt).json

    def list(self, *flags):
        return self.t.aws_ok("s3api", "list-parts", *self.names, *flags).json

    def complete_words(self, parts, *flags):
        document = json.dumps({"Parts": parts})
        return ("s3api", "complete-multipart-upload", *self.names, "--multipart-upload", document, *flags)

    def complete(self, parts, *flags):
        return self.t.aws_ok(*self.complete_words(parts, *flags), crt=self.crt).json

    def complete_refused(self, code, parts, *flags):
        self.t.aws_refused(code, *self.complete_words(parts, *flags), crt=self.crt)


def named(numbers_and_etags):
    return [{"PartNumber": number, "ETag": etag} for number, etag in numbers_and_etags]


def stored(t, key):
    target = t.work / "got.bin"
    t.aws_ok("s3api", "get-object", *BUCKET, "--key", key, target)
    return target.read_bytes() if target.exists() else b""


def whole_life(t):
    """Create, upload out of order, list in pages, complete, complete again, read."""
    upload = Upload(t, "multi/life.bin", "--content-type", "image/bmp", "--metadata", "color=blue")
    etags = {}
    for number in ORDER:
        content = PARTS[number - 1]
        etags[number] = upload.part(number, content).get("ETag")
        t.equal(f"ETag of part {number}", etags[number], f'"{hashlib.md5(content).hexdigest()}"')

    expected = [(number, len(PARTS[number - 1]), etags[number]) for number in range(1, 6)]
    seen = lambda listing: [(part["PartNumber"], part["Size"], part["ETag"]) for part in listing.get("Parts", [])]
    t.equal("list-parts", seen(upload.list()), expected)
    t.equal("list-parts in pages of 2", seen(upload.list("--page-size", 2)), expected)
    first = upload.list("--max-items", 3)
    t.equal("list-parts --max-items 3", seen(first), expected[:3])
    t.equal("the rest from its token", seen(upload.list("--starting-token", first.get("NextToken"))), expected[3:])
    t.equal("list-parts after part 4", seen(upload.list("--part-number-marker", 4, "--no-paginate")), expected[4:])

    parts = named(sorted(etags.items()))
    done = upload.complete(parts)
    t.equal("ETag of complete", done.get("ETag"), etag_of_parts(PARTS))
    again = upload.complete(parts)
    t.equal("ETag of a repeated complete", again.get("ETag"), done.get("ETag"))
    t.equal("the object's bytes", stored(t, "multi/life.bin"), b"".join(PARTS))
    head = t.aws_ok("s3api", "head-object", *BUCKET, "--key", "multi/life.bin").json
    t.equal("content type given at create", head.get("ContentType"), "image/bmp")
    t.equal("metadata given at create", head.get("Metadata"), {"color": "blue"})
    t.aws_refused("NoSuchUpload", "s3api", "list-parts", *upload.names)


def abort(t):
    upload = Upload(t, "multi/abort.bin")
    etag = upload.part(1, PARTS[0])["ETag"]
    t.aws_ok("s3api", "abort-multipart-upload", *upload.names)
    t.aws_refused("NoSuchUpload", "s3api", "list-parts", *upload.names)
    t.aws_refused("NoSuchUpload", "s3api", "upload-part", *upload.names, "--part-number", 2, "--body", t.work / "part.bin")
    upload.complete_refused("NoSuchUpload", named([(1, etag)]))
    t.aws_refused("404", "s3api", "head-object", *BUCKET, "--key", "multi/abort.bin")


def list_uploads(t):
    keys = ["list/a/1", "list/a/2", "list/b/1", "list/c"]
    uploads = [Upload(t, key) for key in keys]
    command = ("s3api", "list-multipart-uploads", *BUCKET)
    seen = lambda listing: sorted((upload["Key"], upload["UploadId"]) for upload in listing.get("Uploads", []))
    expected = [(upload.key, upload.created["UploadId"]) for upload in uploads]
    t.equal("list-multipart-uploads", seen(t.aws_ok(*command).json), expected)
    t.equal("... in pages of 1", seen(t.aws_ok(*command, "--page-size", 1).json), expected)
    t.equal("... --prefix list/a/", seen(t.aws_ok(*command, "--prefix", "list/a/").json), expected[:2])
    folded = t.aws_ok(*command, "--prefix", "list/", "--delimiter", "/").json
    t.equal("... --prefix list/ --delimiter /: uploads", seen(folded), expected[3:])
    prefixes = [prefix["Prefix"] for prefix in folded.get("CommonPrefixes", [])]
    t.equal("... --prefix list/ --delimiter /: prefixes", prefixes, ["list/a/", "list/b/"])
    for upload in uploads:
        t.boto3().abort_multipart_upload(Bucket="uploads", Key=upload.key, UploadId=upload.created["UploadId"])
    t.equal("list-multipart-uploads after the aborts", seen(t.aws_ok(*command).json), [])


def refusals(t):
    upload = Upload(t, "multi/refused.bin")
    small = upload.part(1, b"too small to be first")["ETag"]
    last = upload.part(2, PARTS[1])["ETag"]
    upload.complete_refused("EntityTooSmall", named([(1, small), (2, last)]))
    upload.complete_refused("InvalidPartOrder", named([(2, last), (1, small)]))
    upload.complete_refused("InvalidPart", named([(2, last), (3, last)]))
    upload.complete_refused("InvalidPart", named([(2, small)]))
    upload.complete_refused("MalformedXML", [])
    t.aws_refused("InvalidArgument", "s3api", "upload-part", *upload.names, "--part-number", 10001, "--body", t.work / "part.bin")
    # A part that is sent again replaces the earlier one: only the new ETag completes.
    again = upload.part(2, PARTS[2])["ETag"]
    upload.complete_refused("InvalidPart", named([(2, last)]))
    t.equal("ETag of the one part that was named", upload.complete(named([(2, again)])).get("ETag"), etag_of_parts([PARTS[2]]))
    t.equal("an object of part 2 alone", stored(t, "multi/refused.bin"), PARTS[2])
    t.aws_refused("NoSuchUpload", "s3api", "list-parts", *BUCKET, "--key", "multi/never", "--upload-id", "no-such-upload")


def resume(t):
    """`aws s3 cp` is killed between parts; what it left is listed, the rest is sent, and the upload completes."""
    content = body("resume", 5 * 8 * MIB - 777)
    pieces = [content[start : start + 8 * MIB] for start in range(0, len(content), 8 * MIB)]
    source = t.work / "resume.bin"
    source.write_bytes(content)
    # One part at a time at a fixed rate, so that there is a middle in which to kill it.
    for name, value in {"max_concurrent_requests": "1", "max_bandwidth": "12MB/s"}.items():
        t.aws_ok("configure", "set", f"default.s3.{name}", value)
    s3 = t.boto3()
    with open(t.work / "killed-client.log", "wb") as log:
        client = subprocess.Popen(t.aws_command("s3", "cp", "--no-progress", source, "s3://uploads/multi/resumed.bin"), stdout=log, stderr=log)
    try:
        open_uploads = lambda: s3.list_multipart_uploads(Bucket="uploads", Prefix="multi/resumed.bin").get("Uploads")
        found = wait_for(lambda: client.poll() is not None or open_uploads(), 60)
        if not t.true("the client opens an upload", isinstance(found, list), found):
            return
        names = {"Bucket": "uploads", "Key": "multi/resumed.bin", "UploadId": found[0]["UploadId"]}
        wait_for(lambda: client.poll() is not None or len(s3.list_parts(**names).get("Parts", [])) >= 2, 60)
    finally:
        client.kill()
    t.equal("exit status of the killed client", client.wait(), -signal.SIGKILL)

    words = (*BUCKET, "--key", names["Key"], "--upload-id", names["UploadId"])
    listing = t.aws_ok("s3api", "list-parts", *words).json
    there = {part["PartNumber"]: part for part in listing.get("Parts", [])}
    t.true("two to four parts are there", 2 <= len(there) < 5, sorted(there))
    for number, part in sorted(there.items()):
        t.equal(f"ETag of part {number} after the kill", part["ETag"], f'"{hashlib.md5(pieces[number - 1]).hexdigest()}"')
    for number in sorted(set(range(1, 6)) - set(there)):
        file = t.work / "part.bin"
        file.write_bytes(pieces[number - 1])
        algorithm = ("--checksum-algorithm", listing["ChecksumAlgorithm"]) if "ChecksumAlgorithm" in listing else ()
        there[number] = t.aws_ok("s3api", "upload-part", *words, "--part-number", number, "--body", file, *algorithm).json
    keep = lambda part: {name: value for name, value in part.items() if name == "ETag" or name.startswith("Checksum")}
    parts = [{"PartNumber": number, **keep(part)} for number, part in sorted(there.items())]
    document = json.dumps({"Parts": parts})
    done = t.aws_ok("s3api", "complete-multipart-upload", *words, "--multipart-upload", document).json
    t.equal("ETag of the resumed object", done.get("ETag"), etag_of_parts(pieces))
    t.equal("bytes of the resumed object", stored(t, names["Key"]), content)


def crc_functions():
    """Name -> (checksum of bytes as an integer, its bytes, needs AWS's C runtime). Oracles: zlib and awscrt."""
    functions = {"CRC32": (zlib.crc32, 4)}
    if crt_available():
        sys.path.append(str(CRT))
        from awscrt import checksums

        functions["CRC32C"] = (checksums.crc32c, 4)
        functions["CRC64NVME"] = (checksums.crc64nvme, 8)
    return functions


def checksum(t, functions, algorithm, kind):
    """One upload with a checksum declared at create: per part, at complete, and read back."""
    if algorithm not in functions:
        t.not_run(f"multipart with {algorithm}: awscrt is not installed")
        return
    function, width = functions[algorithm]
    encode = lambda number: base64.b64encode(number.to_bytes(width, "big")).decode()
    field = f"Checksum{algorithm}"
    what = f"{algorithm} {kind or 'by default'}"
    flags = ("--checksum-algorithm", algorithm) + (("--checksum-type", kind) if kind else ())
    upload = Upload(t, f"multi/{algorithm}-{kind}.bin", *flags, crt=algorithm != "CRC32")
    kind = kind or ("FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE")
    t.equal(f"{what}: algorithm and type of create", (upload.created.get("ChecksumAlgorithm"), upload.created.get("ChecksumType")), (algorithm, kind))
    contents = [PARTS[1], PARTS[4]]
    parts = []
    for number, content in enumerate(contents, 1):
        part = upload.part(number, content, "--checksum-algorithm", algorithm)
        t.equal(f"{what}: checksum of part {number}", part.get(field), encode(function(content)))
        parts.append({"PartNumber": number, "ETag": part["ETag"], field: part.get(field)})
    listed = [part.get(field) for part in upload.list().get("Parts", [])]
    t.equal(f"{what}: checksums of list-parts", listed, [part[field] for part in parts])
    bare = named((part["PartNumber"], part["ETag"]) for part in parts)
    if kind == "COMPOSITE":
        expected = encode(function(b"".join(base64.b64decode(part[field]) for part in parts))) + "-2"
        upload.complete_refused("InvalidRequest", bare)
        done = upload.complete(parts)
    else:
        expected = encode(function(b"".join(contents)))
        flag = f"--checksum-{algorithm.lower().replace('crc64nvme', 'crc64-nvme').replace('crc32c', 'crc32-c')}"
        wrong = encode(function(b"something else"))
        upload.complete_refused("BadDigest", bare, "--checksum-type", kind, flag, wrong)
        done = upload.complete(bare, "--checksum-type", kind, flag, expected)
    t.equal(f"{what}: checksum and type of complete", (done.get(field), done.get("ChecksumType")), (expected, kind))
    head = t.aws_ok("s3api", "head-object", *BUCKET, "--key", upload.key, "--checksum-mode", "ENABLED").json
    t.equal(f"{what}: checksum and type of head-object", (head.get(field), head.get("ChecksumType")), (expected, kind))


def run(t):
    t.start()
    whole_life(t)
    abort(t)
    list_uploads(t)
    refusals(t)
    functions = crc_functions()
    for algorithm, kind in CHECKSUMS:
        checksum(t, functions, algorithm, kind)
    resume(t)
    # Parts of the objects that stand: 5 of life.bin, 1 of refused.bin, 5 of resumed.bin, 2 of each with a checksum.
    t.blobs_become("at the end", 5 + 1 + 5 + 2 * sum(algorithm in functions for algorithm, _ in CHECKSUMS))


if __name__ == "__main__":
    main(run)
