"""Copies: boto3's calls and managed copy, and the aws CLI's `cp` and `mv` between buckets, small and in parts."""

import hashlib

from harness import MIB, body, etag_of_parts, main

SOURCE, TARGET = "uploads", "copies"


def content(s3, bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def small(t, s3):
    for size in [0, 1, 4096, 4097, 300_000]:
        whole = body(f"copy {size}", size)
        s3.put_object(Bucket=SOURCE, Key="small", Body=whole, ContentType="text/x", Metadata={"of": "source"})
        copied = s3.copy_object(Bucket=TARGET, Key="small", CopySource={"Bucket": SOURCE, "Key": "small"})["CopyObjectResult"]
        t.equal(f"{size} bytes: ETag of the copy", copied["ETag"], f'"{hashlib.md5(whole).hexdigest()}"')
        s3.delete_object(Bucket=SOURCE, Key="small")
        got = s3.get_object(Bucket=TARGET, Key="small")
        t.equal(f"{size} bytes: the copy outlives its source", got["Body"].read(), whole)
        t.equal(f"{size} bytes: type and metadata", (got["ContentType"], got["Metadata"]), ("text/x", {"of": "source"}))
    awkward = "a b+c~d(1)é//x&y=z?versionId=1/../한글%25"
    s3.put_object(Bucket=SOURCE, Key=awkward, Body=b"awkward")
    s3.copy_object(Bucket=TARGET, Key=awkward, CopySource={"Bucket": SOURCE, "Key": awkward})
    t.equal("a source whose key must be escaped", content(s3, TARGET, awkward), b"awkward")


def attributes(t, s3):
    name = {"Bucket": SOURCE, "Key": "attributes"}
    s3.put_object(**name, Body=b"x" * 5000, ContentType="text/x", Metadata={"of": "source"})
    replaced = {"MetadataDirective": "REPLACE", "ContentType": "text/y", "Metadata": {"of": "copy"}}
    s3.copy_object(**name, CopySource=name, **replaced)
    got = s3.get_object(**name)
    came = (got["ContentType"], got["Metadata"], got["Body"].read())
    t.equal("an object copied onto itself with other metadata", came, ("text/y", {"of": "copy"}, b"x" * 5000))
    t.refused("onto itself, nothing changed", 400, "InvalidRequest", s3.copy_object, **name, CopySource=name)
    with_sum = s3.copy_object(**name, CopySource=name, ChecksumAlgorithm="SHA256")["CopyObjectResult"]
    t.true("a checksum computed by a copy", "ChecksumSHA256" in with_sum, with_sum)
    head = s3.head_object(**name, ChecksumMode="ENABLED")
    t.equal("... is the object's from then on", head.get("ChecksumSHA256"), with_sum.get("ChecksumSHA256"))


def conditions(t, s3):
    source = {"Bucket": SOURCE, "Key": "condition"}
    etag = s3.put_object(**source, Body=b"v")["ETag"]
    copy = {"Bucket": TARGET, "Key": "condition", "CopySource": source}
    other = '"00000000000000000000000000000000"'
    t.refused("CopySourceIfMatch of another", 412, "PreconditionFailed", s3.copy_object, **copy, CopySourceIfMatch=other)
    t.refused("CopySourceIfNoneMatch of its own", 412, "PreconditionFailed", s3.copy_object, **copy, CopySourceIfNoneMatch=etag)
    s3.copy_object(**copy, CopySourceIfMatch=etag)
    missing = {"Bucket": SOURCE, "Key": "not there"}
    t.refused("a source that is not there", 404, "NoSuchKey", s3.copy_object, **{**copy, "CopySource": missing})
    nowhere = {"Bucket": "not-there", "Key": "k"}
    t.refused("a source bucket that is not there", 404, "NoSuchBucket", s3.copy_object, **{**copy, "CopySource": nowhere})


def parts(t, s3):
    """Parts of ranges of another object, and boto3's own copy in parts."""
    from boto3.s3.transfer import TransferConfig

    whole = body("copied in parts", 17 * MIB)
    source = {"Bucket": SOURCE, "Key": "whole"}
    s3.put_object(**source, Body=whole)
    name = {"Bucket": TARGET, "Key": "parts"}
    upload = {**name, "UploadId": s3.create_multipart_upload(**name)["UploadId"]}
    pieces, listed = [], []
    for number, (start, end) in enumerate([(0, 5 * MIB), (17 * MIB - 1, 17 * MIB), (3, 6 * MIB)], 1):
        if number == 2:
            continue
        asked = f"bytes={start}-{end - 1}"
        made = s3.upload_part_copy(**upload, PartNumber=number, CopySource=source, CopySourceRange=asked)["CopyPartResult"]
        pieces.append(whole[start:end])
        listed.append({"PartNumber": number, "ETag": made["ETag"]})
        t.equal(f"ETag of {asked}", made["ETag"], f'"{hashlib.md5(whole[start:end]).hexdigest()}"')
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
    t.equal("ETag of an object of ranges", done["ETag"], etag_of_parts(pieces))
    t.equal("content of an object of ranges", content(s3, TARGET, "parts"), b"".join(pieces))
    config = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=6 * MIB)
    s3.copy(source, TARGET, "managed", Config=config)
    t.equal("boto3's copy in parts of 6 MiB", content(s3, TARGET, "managed"), whole)
    tag = etag_of_parts([whole[start : start + 6 * MIB] for start in range(0, 17 * MIB, 6 * MIB)])
    t.equal("... has the ETag of its parts", s3.head_object(Bucket=TARGET, Key="managed")["ETag"], tag)
    # An object of parts is copied in one request, and then both go.
    s3.copy_object(Bucket=SOURCE, Key="managed again", CopySource={"Bucket": TARGET, "Key": "managed"})
    s3.delete_object(Bucket=TARGET, Key="managed")
    t.equal("the copy of an object of parts", content(s3, SOURCE, "managed again"), whole)


def cli(t, s3):
    big, tiny = body("cli", 20 * MIB + 5), b"tiny"
    s3.put_object(Bucket=SOURCE, Key="cli/big", Body=big)
    s3.put_object(Bucket=SOURCE, Key="cli/tiny", Body=tiny)
    for key, expected in [("cli/big", big), ("cli/tiny", tiny)]:
        t.aws_ok("s3", "cp", f"s3://{SOURCE}/{key}", f"s3://{TARGET}/{key}", "--only-show-errors")
        t.equal(f"aws s3 cp of {key}", content(s3, TARGET, key), expected)
    t.aws_ok("s3", "mv", f"s3://{TARGET}/cli/", f"s3://{TARGET}/moved/", "--recursive", "--only-show-errors")
    listed = s3.list_objects_v2(Bucket=TARGET, Prefix="cli/")["KeyCount"]
    t.equal("keys that aws s3 mv left behind", listed, 0)
    for key, expected in [("moved/big", big), ("moved/tiny", tiny)]:
        t.equal(f"aws s3 mv to {key}", content(s3, TARGET, key), expected)


def empty(t, s3):
    for bucket in [SOURCE, TARGET]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=item["Key"])
    t.blobs_become("after every copy and every source was removed", 0)


def run(t):
    t.start()
    s3 = t.boto3()
    s3.create_bucket(Bucket=TARGET)
    for part in [small, attributes, conditions, parts, cli, empty]:
        part(t, s3)


if __name__ == "__main__":
    main(run)
