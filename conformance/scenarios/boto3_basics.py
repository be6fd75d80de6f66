"""boto3's everyday calls: objects, ranges, metadata, listings, conditional writes, and the error codes programs branch on."""

import datetime
import hashlib
import random

from harness import MIB, body, main

BUCKET = "uploads"

KEYS = [
    "a",
    "a b+c~d(1)é//x&y=z",
    "a/b/c",
    "a/b/d",
    "a/b",
    "a//double",
    "a-b",
    "%2Fpercent",
    "..",
    "../up",
    "dots/../inside/./here",
    "z'quote\"<tag>&amp;",
    "한글/파일.bin",
    "\uff5e after the private area",
    "\U0001f6a2 ship",
    "control \x01\x1f end",
    "line\nbreak\ttab",
    "k" * 1024,
]


def objects(t, s3):
    for size in [0, 1, 4096, 4097, 100_000, 5 * MIB + 3]:
        content = body(size, size)
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        put = s3.put_object(Bucket=BUCKET, Key=f"size/{size}", Body=content)
        t.equal(f"{size} bytes: ETag of put", put["ETag"], etag)
        got = s3.get_object(Bucket=BUCKET, Key=f"size/{size}")
        t.equal(f"{size} bytes: get", got["Body"].read(), content)
        head = s3.head_object(Bucket=BUCKET, Key=f"size/{size}")
        t.equal(f"{size} bytes: length and ETag of head", (head["ContentLength"], head["ETag"]), (size, etag))
    age = abs((datetime.datetime.now(datetime.timezone.utc) - head["LastModified"]).total_seconds())
    t.true("Last-Modified within 60 s of now", age < 60, head["LastModified"].isoformat())

    s3.put_object(Bucket=BUCKET, Key="overwritten", Body=b"first")
    s3.put_object(Bucket=BUCKET, Key="overwritten", Body=b"second")
    t.equal("an overwritten object", s3.get_object(Bucket=BUCKET, Key="overwritten")["Body"].read(), b"second")
    wrong = "AAAAAAAAAAAAAAAAAAAAAA=="
    t.refused("a wrong Content-MD5", 400, "BadDigest", s3.put_object, Bucket=BUCKET, Key="overwritten", Body=b"third", ContentMD5=wrong)
    t.refused("a wrong CRC32", 400, "BadDigest", s3.put_object, Bucket=BUCKET, Key="overwritten", Body=b"third", ChecksumCRC32="AAAAAA==")
    t.equal("the object after refused writes", s3.get_object(Bucket=BUCKET, Key="overwritten")["Body"].read(), b"second")


def ranges(t, s3):
    content = body("range", 300_000)
    s3.put_object(Bucket=BUCKET, Key="range", Body=content)
    for asked, start, end in [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 300_000),
        ("bytes=65535-65536", 65_535, 65_537),
        ("bytes=100-200000", 100, 200_001),
        ("bytes=299999-400000", 299_999, 300_000),
        ("bytes=-5", 299_995, 300_000),
        ("bytes=-999999", 0, 300_000),
    ]:
        got = s3.get_object(Bucket=BUCKET, Key="range", Range=asked)
        came = (got["ResponseMetadata"]["HTTPStatusCode"], got["ContentRange"], got["Body"].read())
        t.equal(f"Range {asked}", came, (206, f"bytes {start}-{end - 1}/300000", content[start:end]))
    t.refused("a range past the end", 416, "InvalidRange", s3.get_object, Bucket=BUCKET, Key="range", Range="bytes=300000-")
    t.refused("a range of an empty object", 416, "InvalidRange", s3.get_object, Bucket=BUCKET, Key="size/0", Range="bytes=0-0")


def metadata(t, s3):
    given = {
        "ContentType": "image/bmp",
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="a b.bmp"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "ko, en",
        "Metadata": {"color": "blue", "with-dash": "a, b  c", "empty": ""},
    }
    s3.put_object(Bucket=BUCKET, Key="metadata", Body=b"x" * 5000, **given)
    head = s3.head_object(Bucket=BUCKET, Key="metadata")
    t.equal("headers and metadata of head", {name: head.get(name) for name in given}, given)
    got = s3.get_object(Bucket=BUCKET, Key="metadata")
    t.equal("headers and metadata of get", {name: got.get(name) for name in given}, given)
    s3.put_object(Bucket=BUCKET, Key="metadata", Body=b"y")
    head = s3.head_object(Bucket=BUCKET, Key="metadata")
    t.equal("metadata after an overwrite without any", head.get("Metadata"), {})
    too_long = {"long": "v" * 3000}
    t.refused("3000 bytes of metadata", 400, "MetadataTooLarge", s3.put_object, Bucket=BUCKET, Key="metadata", Body=b"", Metadata=too_long)


def listed(s3, **arguments):
    """Keys, prefixes, and each page's (KeyCount, length) of a whole listing."""
    keys, prefixes, pages = [], [], []
    for page in s3.get_paginator("list_objects_v2").paginate(**arguments):
        contents, folded = page.get("Contents", []), page.get("CommonPrefixes", [])
        keys += [item["Key"] for item in contents]
        prefixes += [item["Prefix"] for item in folded]
        pages.append((page["KeyCount"], len(contents) + len(folded)))
    return keys, prefixes, pages


def expected_listing(keys, prefix="", delimiter="", after=""):
    """What S3 lists, worked out plainly."""
    found, prefixes = [], []
    for key in sorted(keys, key=lambda key: key.encode()):
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            folded = prefix + rest[: rest.index(delimiter) + len(delimiter)]
            # A prefix that the marker lies in is done.
            if folded not in prefixes and folded.encode() > after.encode():
                prefixes.append(folded)
        else:
            found.append(key)
    return found, prefixes


def listings(t, s3):
    s3.create_bucket(Bucket="listings")
    for key in KEYS:
        s3.put_object(Bucket="listings", Key=key, Body=key.encode())
    for key in KEYS:
        t.equal(f"get of {key[:40]!r}", s3.get_object(Bucket="listings", Key=key)["Body"].read(), key.encode())
    t.refused("a key of 1025 bytes", 400, "KeyTooLongError", s3.put_object, Bucket="listings", Key="k" * 1025, Body=b"")

    for asked in [{}, {"Delimiter": "/"}, {"Prefix": "a"}, {"Prefix": "a/"}, {"Prefix": "a/", "Delimiter": "/"}, {"Prefix": "a/b", "Delimiter": "/"}]:
        asked |= {} if "Prefix" in asked else {"Prefix": ""}
        expected = expected_listing(KEYS, asked["Prefix"], asked.get("Delimiter", ""))
        for page in [1, 3, 1000]:
            keys, prefixes, pages = listed(s3, Bucket="listings", PaginationConfig={"PageSize": page}, **asked)
            t.equal(f"list {asked} in pages of {page}", (keys, prefixes), expected)
            t.true("every KeyCount is true and within the page size", all(a == b <= page for a, b in pages), pages)
    for after in ["a/b", "nothing like this", "한글"]:
        keys, _, _ = listed(s3, Bucket="listings", StartAfter=after)
        t.equal(f"list after {after!r}", keys, expected_listing(KEYS, after=after)[0])
    none = s3.list_objects_v2(Bucket="listings", MaxKeys=0)
    t.equal("list of no keys: KeyCount, IsTruncated", (none["KeyCount"], none["IsTruncated"]), (0, False))

    t.refused("deleting a bucket with keys", 409, "BucketNotEmpty", s3.delete_bucket, Bucket="listings")
    # XML 1.0 cannot carry these characters in either direction; only listings have an encoding for them.
    beyond_xml = [key for key in KEYS if "\x01" in key]
    for key in beyond_xml:
        s3.delete_object(Bucket="listings", Key=key)
    names = [{"Key": key} for key in KEYS if key not in beyond_xml] + [{"Key": "was never there"}]
    answer = s3.delete_objects(Bucket="listings", Delete={"Objects": names[:-3]})
    t.equal("delete_objects: deleted", [item["Key"] for item in answer.get("Deleted", [])], [item["Key"] for item in names[:-3]])
    t.equal("delete_objects: errors", answer.get("Errors", []), [])
    answer = s3.delete_objects(Bucket="listings", Delete={"Objects": names[-3:], "Quiet": True})
    t.equal("delete_objects, quiet", (answer.get("Deleted", []), answer.get("Errors", [])), ([], []))
    t.equal("the bucket's keys afterwards", listed(s3, Bucket="listings")[0], [])
    s3.delete_bucket(Bucket="listings")


# How each listing names its marker, and the elements that hold its keys.
LISTINGS = [
    ("list_objects", "Marker", "Contents"),
    ("list_objects_v2", "StartAfter", "Contents"),
    ("list_object_versions", "KeyMarker", "Versions"),
]


def random_listing(chance, keys):
    """Prefix, delimiter and marker that mean something for these keys, most of the time."""
    some = lambda: chance.choice(keys)[: chance.randrange(1, 9)]
    delimiter = chance.choice(["", "/", "/", "//", "b/", "é", " "])
    return chance.choice(["", "", some()]), delimiter, chance.choice(["", some(), chance.choice(keys), some() + "/"])


def paged(s3, operation, marker, element, page, prefix, delimiter, after):
    """Keys and prefixes of a listing as botocore's own paginator walks it; every page but the last must be full."""
    arguments = {"Bucket": "model", "Prefix": prefix, "Delimiter": delimiter}
    arguments |= {marker: after} if after else {}
    keys, prefixes, full = [], [], True
    for answer in s3.get_paginator(operation).paginate(PaginationConfig={"PageSize": page}, **arguments):
        items, folded = answer.get(element, []), answer.get("CommonPrefixes", [])
        keys += [item["Key"] for item in items]
        prefixes += [item["Prefix"] for item in folded]
        full = full and (not answer["IsTruncated"] or len(items) + len(folded) == page)
    return keys, prefixes, full


def listing_model(t, s3):
    chance = random.Random(4)
    pieces = ["a", "b", "/", "/", "//", " ", "+", "é", "%2F", "\x01", "\U0001f6a2"]
    keys = sorted({"".join(chance.choices(pieces, k=chance.randrange(1, 7))) for _ in range(80)})
    s3.create_bucket(Bucket="model")
    for key in keys:
        s3.put_object(Bucket="model", Key=key, Body=b"")
    for operation, marker, element in LISTINGS:
        asked = [(random_listing(chance, keys), chance.choice([1, 2, 3, 7, 1000])) for _ in range(60)]
        came = [(asks, paged(s3, operation, marker, element, page, *asks)) for asks, page in asked]
        t.equal(f"{len(asked)} random walks by {operation}", came, [(asks, (*expected_listing(keys, *asks), True)) for asks, _ in asked])

    first = s3.list_objects(Bucket="model", MaxKeys=1)
    t.equal("list_objects tells no next marker without a delimiter", (first["IsTruncated"], first.get("NextMarker")), (True, None))
    told = {(version["VersionId"], version["IsLatest"], version["ETag"]) for version in s3.list_object_versions(Bucket="model")["Versions"]}
    t.equal("versions without versioning", told, {("null", True, f'"{hashlib.md5().hexdigest()}"')})
    owners = {item["Owner"]["ID"] for item in s3.list_objects(Bucket="model")["Contents"]}
    t.equal("owners of list_objects", owners, {s3.list_buckets()["Owner"]["ID"]})
    t.equal("versioning of a bucket", s3.get_bucket_versioning(Bucket="model").get("Status"), None)
    for key in keys:
        s3.delete_object(Bucket="model", Key=key, VersionId="null")
    s3.delete_bucket(Bucket="model")

    names = [f"paged-{number}" for number in range(5)]
    for name in names:
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 2})
    t.equal("buckets in pages of 2", [[bucket["Name"] for bucket in page["Buckets"]] for page in pages], [names[:2], names[2:4], names[4:]])
    for name in names:
        s3.delete_bucket(Bucket=name)


def conditional(t, s3):
    s3.put_object(Bucket=BUCKET, Key="once", Body=b"first", IfNoneMatch="*")
    again = {"Bucket": BUCKET, "Key": "once", "Body": b"second", "IfNoneMatch": "*"}
    t.refused("a second put with If-None-Match: *", 412, "PreconditionFailed", s3.put_object, **again)
    got = s3.get_object(Bucket=BUCKET, Key="once")
    t.equal("the object after the refusal", got["Body"].read(), b"first")
    t.refused("get with If-None-Match of its ETag", 304, "304", s3.get_object, Bucket=BUCKET, Key="once", IfNoneMatch=got["ETag"])
    other = '"00000000000000000000000000000000"'
    t.refused("get with If-Match of another ETag", 412, "PreconditionFailed", s3.get_object, Bucket=BUCKET, Key="once", IfMatch=other)
    t.refused("put with If-Match of another ETag", 412, "PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="once", Body=b"", IfMatch=other)


def errors(t, s3):
    t.refused("get of a key that is not there", 404, "NoSuchKey", s3.get_object, Bucket=BUCKET, Key="not there")
    t.refused("head of a key that is not there", 404, "404", s3.head_object, Bucket=BUCKET, Key="not there")
    t.refused("head of a bucket that is not there", 404, "404", s3.head_bucket, Bucket="not-there")
    t.refused("get in a bucket that is not there", 404, "NoSuchBucket", s3.get_object, Bucket="not-there", Key="k")
    t.refused("put in a bucket that is not there", 404, "NoSuchBucket", s3.put_object, Bucket="not-there", Key="k", Body=b"")
    t.refused("list of a bucket that is not there", 404, "NoSuchBucket", s3.list_objects_v2, Bucket="not-there")
    t.refused("delete of a bucket that is not there", 404, "NoSuchBucket", s3.delete_bucket, Bucket="not-there")
    deleted = s3.delete_object(Bucket=BUCKET, Key="not there")
    t.equal("delete of a key that is not there", deleted["ResponseMetadata"]["HTTPStatusCode"], 204)
    # In us-east-1 S3 answers 200 to an owner who creates a bucket again.
    again = s3.create_bucket(Bucket=BUCKET)
    t.equal("create_bucket of one's own bucket", again["ResponseMetadata"]["HTTPStatusCode"], 200)
    t.equal("its objects afterwards", s3.get_object(Bucket=BUCKET, Key="once")["Body"].read(), b"first")
    t.equal("head of a bucket", s3.head_bucket(Bucket=BUCKET)["ResponseMetadata"]["HTTPStatusCode"], 200)
    t.equal("location of a bucket in us-east-1", s3.get_bucket_location(Bucket=BUCKET).get("LocationConstraint"), None)
    request = deleted["ResponseMetadata"]["HTTPHeaders"]
    t.true("every answer has x-amz-request-id and date", {"x-amz-request-id", "date"} <= set(request), sorted(request))
    t.refused("an operation that is not built", 501, "NotImplemented", s3.get_bucket_replication, Bucket=BUCKET)


def run(t):
    t.start()
    s3 = t.boto3()
    objects(t, s3)
    ranges(t, s3)
    metadata(t, s3)
    listings(t, s3)
    listing_model(t, s3)
    conditional(t, s3)
    errors(t, s3)


if __name__ == "__main__":
    main(run)
