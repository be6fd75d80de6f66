"""Tags of objects and buckets, storage classes and redirects, and conditions on writes and deletes, by boto3 and the aws CLI."""

import concurrent.futures
import hashlib
import json

from harness import body, main

BUCKET = "uploads"
KEY = "tagged/a b.bmp"


def tag_set(**tags):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def object_tags(t, s3):
    content = body("tags", 100_000)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=content, Tagging="team=images&empty=&two%20words=a%3Db")
    tags = s3.get_object_tagging(Bucket=BUCKET, Key=KEY)
    came = {tag["Key"]: tag["Value"] for tag in tags["TagSet"]}
    t.equal("tags given with put_object", came, {"team": "images", "empty": "", "two words": "a=b"})
    before = s3.head_object(Bucket=BUCKET, Key=KEY)
    t.equal("TagCount of head", before.get("TagCount"), 3)
    s3.put_object_tagging(Bucket=BUCKET, Key=KEY, Tagging=tag_set(kind="큰 파일", a="1"))
    t.equal("tags after put_object_tagging", s3.get_object_tagging(Bucket=BUCKET, Key=KEY)["TagSet"], tag_set(a="1", kind="큰 파일")["TagSet"])
    got = s3.get_object(Bucket=BUCKET, Key=KEY)
    t.equal("TagCount of get", got.get("TagCount"), 2)
    t.equal("the object after new tags", got["Body"].read(), content)
    unchanged = ["ETag", "LastModified", "ContentType"]
    t.equal("what new tags leave alone", [got[name] for name in unchanged], [before[name] for name in unchanged])
    answer = s3.delete_object_tagging(Bucket=BUCKET, Key=KEY)
    t.equal("status of delete_object_tagging", answer["ResponseMetadata"]["HTTPStatusCode"], 204)
    t.equal("tags after delete_object_tagging", s3.get_object_tagging(Bucket=BUCKET, Key=KEY)["TagSet"], [])
    t.equal("TagCount without tags", s3.head_object(Bucket=BUCKET, Key=KEY).get("TagCount"), None)

    def put(**tags):
        return {"Bucket": BUCKET, "Key": KEY, "Tagging": tag_set(**tags)}

    t.refused("eleven tags", 400, "BadRequest", s3.put_object_tagging, **put(**{f"k{n}": "v" for n in range(11)}))
    t.refused("a key of 129 characters", 400, "InvalidTag", s3.put_object_tagging, **put(**{"k" * 129: "v"}))
    t.refused("a value of 257 characters", 400, "InvalidTag", s3.put_object_tagging, **put(k="v" * 257))
    t.refused("a reserved key", 400, "InvalidTag", s3.put_object_tagging, **put(**{"aws:k": "v"}))
    twice = {"TagSet": tag_set(k="1")["TagSet"] * 2}
    t.refused("a key given twice", 400, "InvalidTag", s3.put_object_tagging, Bucket=BUCKET, Key=KEY, Tagging=twice)
    t.refused("a key given twice in the header", 400, "InvalidArgument", s3.put_object, Bucket=BUCKET, Key=KEY, Tagging="k=1&k=2")
    t.refused("tags of a missing object", 404, "NoSuchKey", s3.get_object_tagging, Bucket=BUCKET, Key="missing")


def upload_tags(t, s3):
    created = s3.create_multipart_upload(Bucket=BUCKET, Key="parts", Tagging="a=1", StorageClass="STANDARD_IA", WebsiteRedirectLocation="/other")
    upload = {"Bucket": BUCKET, "Key": "parts", "UploadId": created["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"part")
    t.equal("StorageClass of list_parts", s3.list_parts(**upload)["StorageClass"], "STANDARD_IA")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    head = s3.head_object(Bucket=BUCKET, Key="parts")
    came = (head.get("TagCount"), head.get("StorageClass"), head.get("WebsiteRedirectLocation"))
    t.equal("tags, class and redirect of the completed object", came, (1, "STANDARD_IA", "/other"))
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="parts")["Contents"][0]
    t.equal("StorageClass in the listing", listed["StorageClass"], "STANDARD_IA")
    s3.put_object(Bucket=BUCKET, Key="parts", Body=b"", StorageClass="STANDARD")
    t.equal("the default class is not said", s3.head_object(Bucket=BUCKET, Key="parts").get("StorageClass"), None)
    t.refused("an archive", 501, "NotImplemented", s3.put_object, Bucket=BUCKET, Key="parts", StorageClass="GLACIER")
    t.refused("a class nobody knows", 400, "InvalidStorageClass", s3.put_object, Bucket=BUCKET, Key="parts", StorageClass="BEST")
    t.refused(
        "a redirect to nowhere", 400, "InvalidRedirectLocation", s3.put_object, Bucket=BUCKET, Key="parts", WebsiteRedirectLocation="x"
    )


def bucket_tags(t, s3):
    t.refused("a bucket without tags", 404, "NoSuchTagSet", s3.get_bucket_tagging, Bucket=BUCKET)
    answer = s3.put_bucket_tagging(Bucket=BUCKET, Tagging=tag_set(a="1", b=""))
    t.equal("status of put_bucket_tagging", answer["ResponseMetadata"]["HTTPStatusCode"], 204)
    t.equal("tags of the bucket", s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"], tag_set(a="1", b="")["TagSet"])
    t.refused("fifty-one tags", 400, "BadRequest", s3.put_bucket_tagging, Bucket=BUCKET, Tagging=tag_set(**{f"k{n}": "" for n in range(51)}))
    answer = s3.delete_bucket_tagging(Bucket=BUCKET)
    t.equal("status of delete_bucket_tagging", answer["ResponseMetadata"]["HTTPStatusCode"], 204)
    t.refused("a bucket whose tags are gone", 404, "NoSuchTagSet", s3.get_bucket_tagging, Bucket=BUCKET)


def command_line(t):
    where = ["--bucket", BUCKET, "--key", KEY]
    t.aws_ok("s3api", "put-object-tagging", *where, "--tagging", json.dumps(tag_set(cli="yes")))
    t.equal("tags by the aws CLI", t.aws_ok("s3api", "get-object-tagging", *where).json["TagSet"], tag_set(cli="yes")["TagSet"])
    t.aws_ok("s3api", "put-bucket-tagging", "--bucket", BUCKET, "--tagging", json.dumps(tag_set(cli="yes")))
    t.equal("tags of the bucket by the aws CLI", t.aws_ok("s3api", "get-bucket-tagging", "--bucket", BUCKET).json["TagSet"], tag_set(cli="yes")["TagSet"])
    t.aws_ok("s3api", "delete-bucket-tagging", "--bucket", BUCKET)
    t.aws_refused("NoSuchTagSet", "s3api", "get-bucket-tagging", "--bucket", BUCKET)
    t.aws_ok("s3api", "delete-object-tagging", *where)
    t.aws_refused("PreconditionFailed", "s3api", "put-object", *where, "--if-none-match", "*")
    t.aws_refused("PreconditionFailed", "s3api", "delete-object", *where, "--if-match", "0123456789abcdef0123456789abcdef")
    t.aws_refused("NotImplemented", "s3api", "delete-object", *where, "--if-match-size", "1")
    t.aws_ok("s3api", "delete-object", *where, "--if-match", "*")
    t.aws_refused("NoSuchKey", "s3api", "delete-object", *where, "--if-match", "*")


def conditions(t, s3):
    first = s3.put_object(Bucket=BUCKET, Key="c", Body=b"first", IfNoneMatch="*")["ETag"]
    t.refused("a second create", 412, "PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="c", Body=b"x", IfNoneMatch="*")
    second = s3.put_object(Bucket=BUCKET, Key="c", Body=b"second", IfMatch=first)["ETag"]
    t.refused("a swap of what is gone", 412, "PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="c", Body=b"x", IfMatch=first)
    t.refused("a swap of what never was", 404, "NoSuchKey", s3.put_object, Bucket=BUCKET, Key="never", Body=b"x", IfMatch=first)
    t.refused("If-Match: *", 501, "NotImplemented", s3.put_object, Bucket=BUCKET, Key="c", Body=b"x", IfMatch="*")
    t.refused("If-None-Match with a tag", 501, "NotImplemented", s3.put_object, Bucket=BUCKET, Key="c", Body=b"x", IfNoneMatch=first)
    t.refused("a delete of what is gone", 412, "PreconditionFailed", s3.delete_object, Bucket=BUCKET, Key="c", IfMatch=first)
    t.equal("the object after refused changes", s3.get_object(Bucket=BUCKET, Key="c")["Body"].read(), b"second")
    s3.delete_object(Bucket=BUCKET, Key="c", IfMatch=second)
    t.refused("a delete of nothing", 404, "NoSuchKey", s3.delete_object, Bucket=BUCKET, Key="c", IfMatch=second)

    tags = {key: s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())["ETag"] for key in ["x", "y"]}
    wanted = [{"Key": "x", "ETag": tags["x"]}, {"Key": "y", "ETag": tags["x"]}, {"Key": "z", "ETag": tags["x"]}, {"Key": "w"}]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": wanted})
    t.equal("deleted", [entry["Key"] for entry in answer["Deleted"]], ["x", "w"])
    t.equal("not deleted", [(entry["Key"], entry["Code"]) for entry in answer["Errors"]], [("y", "PreconditionFailed"), ("z", "NoSuchKey")])


def race(t, s3):
    """Sixteen writers, one key: each round exactly one replaces what the last one left."""
    etag = s3.put_object(Bucket=BUCKET, Key="race", Body=b"")["ETag"]

    def write(content):
        try:
            return s3.put_object(Bucket=BUCKET, Key="race", Body=content, IfMatch=etag)["ETag"]
        except s3.exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    counts = []
    rounds = 5 if t.quick else 50
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for number in range(rounds):
            answers = list(pool.map(write, [f"{number} {writer}".encode() for writer in range(16)]))
            winners = [answer for answer in answers if answer.startswith('"')]
            counts.append(len(winners))
            etag = winners[0] if winners else etag
    t.equal(f"winners of {rounds} rounds", counts, [1] * rounds)
    stands = hashlib.md5(s3.get_object(Bucket=BUCKET, Key="race")["Body"].read()).hexdigest()
    t.equal("what the last winner left", f'"{stands}"', etag)


def run(t):
    t.start()
    s3 = t.boto3()
    object_tags(t, s3)
    upload_tags(t, s3)
    bucket_tags(t, s3)
    command_line(t)
    conditions(t, s3)
    race(t, s3)


if __name__ == "__main__":
    main(run)
