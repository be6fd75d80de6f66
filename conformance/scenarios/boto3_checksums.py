"""boto3 with AWS's C runtime: its own SigV4 signer, and every checksum of bodies, parts and objects: sent, stored, read back and refused.

Over HTTP boto3 sends a checksum as a header, over HTTPS as a trailer. The values are computed here, by zlib, hashlib and awscrt.
"""

import base64
import hashlib
import zlib

import harness

harness.use_crt()

BUCKET = "uploads"
COMPOSITE = ["CRC32", "CRC32C", "SHA1", "SHA256"]
FULL_OBJECT = ["CRC32", "CRC32C", "CRC64NVME"]
PARTS_MAX = 3


def functions():
    """For each algorithm a function from bytes to the raw checksum."""
    from awscrt import checksums

    def number(function, width):
        return lambda content: function(content).to_bytes(width, "big")

    return {
        "CRC32": number(zlib.crc32, 4),
        "CRC32C": number(checksums.crc32c, 4),
        "CRC64NVME": number(checksums.crc64nvme, 8),
        "SHA1": lambda content: hashlib.sha1(content).digest(),
        "SHA256": lambda content: hashlib.sha256(content).digest(),
    }


def text(raw):
    return base64.b64encode(raw).decode()


def bodies(t, s3, algorithm, function):
    field = f"Checksum{algorithm}"
    for size in [0, 1, 4096, 300_000, 9 * harness.MIB + 1]:
        content = harness.body(algorithm, size)
        expected = text(function(content))
        key = f"checksum/{algorithm}/{size}"
        put = s3.put_object(Bucket=BUCKET, Key=key, Body=content, ChecksumAlgorithm=algorithm)
        t.equal(f"{algorithm} of {size} bytes: put answers", put.get(field), expected)
        # The client compares the checksum with the bytes it reads, and raises if they differ.
        got = s3.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        t.equal(f"{algorithm} of {size} bytes: get answers", (got.get(field), got.get("ChecksumType")), (expected, "FULL_OBJECT"))
        t.equal(f"{algorithm} of {size} bytes: content", got["Body"].read(), content)
    ranged = s3.get_object(Bucket=BUCKET, Key=key, Range="bytes=5-9", ChecksumMode="ENABLED")
    t.equal(f"{algorithm}: a range's bytes and no checksum of the whole", (ranged["Body"].read(), ranged.get(field)), (content[5:10], None))
    known = s3.get_object_attributes(Bucket=BUCKET, Key=key, ObjectAttributes=["Checksum", "ObjectParts", "ObjectSize"])
    t.equal(f"{algorithm}: attributes", (known["Checksum"], known.get("ObjectParts"), known["ObjectSize"]), ({field: expected, "ChecksumType": "FULL_OBJECT"}, None, size))
    wrong = {field: text(function(b"other"))}
    t.refused(f"a wrong {algorithm}", 400, "BadDigest", s3.put_object, Bucket=BUCKET, Key=f"wrong/{algorithm}", Body=b"content", **wrong)
    t.refused(f"the key after a wrong {algorithm}", 404, "NoSuchKey", s3.get_object, Bucket=BUCKET, Key=f"wrong/{algorithm}")


def upload(t, s3, name, key, algorithm, kind, function, contents):
    """Uploads the parts and completes; returns the object's checksum as text."""
    field = f"Checksum{algorithm}"
    created = s3.create_multipart_upload(Bucket=BUCKET, Key=key, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    t.equal(f"{name}: create answers", (created.get("ChecksumAlgorithm"), created.get("ChecksumType")), (algorithm, kind))
    target = {"Bucket": BUCKET, "Key": key, "UploadId": created["UploadId"]}
    digests = [function(content) for content in contents]
    parts = []
    for number, content in enumerate(contents, 1):
        part = s3.upload_part(**target, PartNumber=number, Body=content, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": part["ETag"], field: part.get(field)})
    t.equal(f"{name}: parts answer", [part[field] for part in parts], [text(digest) for digest in digests])
    listed = s3.list_parts(**target)
    came = (listed.get("ChecksumAlgorithm"), listed.get("ChecksumType"), [part.get(field) for part in listed["Parts"]])
    t.equal(f"{name}: ListParts", came, (algorithm, kind, [text(digest) for digest in digests]))
    if kind == "COMPOSITE":
        whole = f"{text(function(b''.join(digests)))}-{len(contents)}"
    else:
        whole = text(function(b"".join(contents)))
    target["MultipartUpload"] = {"Parts": parts}
    wrong = {field: text(function(b"other")), "ChecksumType": kind}
    t.refused(f"{name}: complete with a wrong checksum", 400, "BadDigest", s3.complete_multipart_upload, **target, **wrong)
    size = sum(map(len, contents))
    t.refused(f"{name}: complete with a wrong size", 400, "InvalidRequest", s3.complete_multipart_upload, **target, MpuObjectSize=size + 1)
    right = {field: whole, "ChecksumType": kind, "MpuObjectSize": size}
    done = s3.complete_multipart_upload(**target, **right)
    t.equal(f"{name}: complete answers", (done.get(field), done.get("ChecksumType")), (whole, kind))
    again = s3.complete_multipart_upload(**target, **right)
    t.equal(f"{name}: complete again", (again["ETag"], again.get(field)), (done["ETag"], whole))
    return whole


def multipart(t, s3, algorithm, kind, function, contents):
    field = f"Checksum{algorithm}"
    name = f"{algorithm} {kind} of {len(contents)}"
    key = f"multipart/{algorithm}/{kind}/{len(contents)}"
    whole = upload(t, s3, name, key, algorithm, kind, function, contents)
    target = {"Bucket": BUCKET, "Key": key}
    head = s3.head_object(**target, ChecksumMode="ENABLED")
    t.equal(f"{name}: head answers", (head.get(field), head.get("ChecksumType")), (whole, kind))
    got = s3.get_object(**target, ChecksumMode="ENABLED")
    t.equal(f"{name}: get answers", (got.get(field), got.get("ChecksumType")), (whole, kind))
    t.equal(f"{name}: content", got["Body"].read(), b"".join(contents))
    start, size = 0, sum(map(len, contents))
    for number, content in enumerate(contents, 1):
        expected = (206, len(contents), f"bytes {start}-{start + len(content) - 1}/{size}", text(function(content)), kind)
        for method in [s3.head_object, s3.get_object]:
            part = method(**target, PartNumber=number, ChecksumMode="ENABLED")
            status = part["ResponseMetadata"]["HTTPStatusCode"]
            came = (status, part.get("PartsCount"), part.get("ContentRange"), part.get(field), part.get("ChecksumType"))
            t.equal(f"{name}: part {number} answers", came, expected)
        t.equal(f"{name}: part {number}", part["Body"].read(), content)
        start += len(content)
    t.refused(f"{name}: the part after the last", 416, "InvalidPartNumber", s3.get_object, **target, PartNumber=len(contents) + 1)
    found, marker = [], 0
    while True:
        known = s3.get_object_attributes(**target, ObjectAttributes=["Checksum", "ObjectParts"], MaxParts=1, PartNumberMarker=marker)
        found += [(part["PartNumber"], part["Size"], part.get(field)) for part in known["ObjectParts"]["Parts"]]
        if not known["ObjectParts"]["IsTruncated"]:
            break
        marker = known["ObjectParts"]["NextPartNumberMarker"]
    expected = [(number, len(content), text(function(content))) for number, content in enumerate(contents, 1)]
    t.equal(f"{name}: parts in pages of one", (known["ObjectParts"]["TotalPartsCount"], found), (len(contents), expected))
    # Amazon's servers leave out the number of parts here.
    t.equal(f"{name}: attributes", known["Checksum"], {field: whole.split("-")[0], "ChecksumType": kind})


def run(t):
    if not harness.crt_available():
        raise harness.NotRun("awscrt is not installed, the only source of CRC32C and CRC64NVME in Python")
    t.start()
    s3 = t.boto3()
    contents = [harness.body(f"part {number}", 5 * harness.MIB + number) for number in range(1, PARTS_MAX)]
    for algorithm, function in functions().items():
        bodies(t, s3, algorithm, function)
        kinds = [kind for kind, names in [("COMPOSITE", COMPOSITE), ("FULL_OBJECT", FULL_OBJECT)] if algorithm in names]
        for kind in kinds:
            for count in range(1, PARTS_MAX + 1):
                multipart(t, s3, algorithm, kind, function, [*contents[: count - 1], harness.body(f"last {count}", 1000)])
    odd = "a b+c~d(1)é//x&y=z/../한글"
    s3.put_object(Bucket=BUCKET, Key=odd, Body=b"signed by other code")
    t.equal("a key that must be escaped", s3.get_object(Bucket=BUCKET, Key=odd)["Body"].read(), b"signed by other code")


if __name__ == "__main__":
    harness.main(run)
