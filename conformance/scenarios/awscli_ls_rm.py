"""`aws s3 mb, ls, rm, rb`: buckets and keys come, are listed, and go."""

import re

from harness import main


def listed(result):
    """The names of `aws s3 ls`, without dates and sizes."""
    names = []
    for line in result.out.splitlines():
        found = re.match(r"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +(?:\d+ )?| +PRE )(.*)$", line)
        if found:
            names.append(found.group(1))
    return names


def run(t):
    t.start()
    small = t.work / "small.txt"
    small.write_bytes(b"x" * 1000)

    t.equal("buckets at the first start", listed(t.aws_ok("s3", "ls")), ["uploads"])
    t.aws_ok("s3", "mb", "s3://second-bucket")
    t.equal("buckets after mb", listed(t.aws_ok("s3", "ls")), ["second-bucket", "uploads"])
    t.equal("ls of an empty bucket", t.aws_ok("s3", "ls", "s3://second-bucket").out, "")

    keys = ["one.txt", "dir/two.txt", "dir/three.txt", "dir/sub/four.txt", "other/five.txt"]
    for key in keys[:2]:
        t.aws_ok("s3", "cp", small, f"s3://second-bucket/{key}", "--only-show-errors")
    for key in keys[2:]:
        t.boto3().put_object(Bucket="second-bucket", Key=key, Body=b"x" * 1000)
    t.equal("ls of the root", listed(t.aws_ok("s3", "ls", "s3://second-bucket")), ["dir/", "other/", "one.txt"])
    t.equal("ls of a folder", listed(t.aws_ok("s3", "ls", "s3://second-bucket/dir/")), ["sub/", "three.txt", "two.txt"])
    recursive = t.aws_ok("s3", "ls", "s3://second-bucket", "--recursive", "--summarize")
    t.equal("ls --recursive", listed(recursive), sorted(keys))
    summary = re.findall(r"Total (Objects|Size): (\d+)", recursive.out)
    t.equal("ls --summarize", summary, [("Objects", "5"), ("Size", "5000")])
    t.equal("exit status of ls of a key that is not there", t.aws("s3", "ls", "s3://second-bucket/nothing").status, 1)

    t.aws_ok("s3", "rm", "s3://second-bucket/one.txt")
    t.equal("keys after rm", listed(t.aws_ok("s3", "ls", "s3://second-bucket", "--recursive")), sorted(keys[1:]))
    t.aws_ok("s3", "rm", "s3://second-bucket/dir/", "--recursive")
    t.equal("keys after rm --recursive", listed(t.aws_ok("s3", "ls", "s3://second-bucket", "--recursive")), ["other/five.txt"])

    refused = t.aws("s3", "rb", "s3://second-bucket")
    t.equal("rb of a bucket with keys: status, names BucketNotEmpty", (refused.status, "BucketNotEmpty" in refused.err), (1, True))
    t.aws_ok("s3", "rb", "s3://second-bucket", "--force")
    t.equal("buckets after rb --force", listed(t.aws_ok("s3", "ls")), ["uploads"])
    t.aws_refused("NoSuchBucket", "s3api", "list-objects-v2", "--bucket", "second-bucket")
    t.aws_ok("s3", "mb", "s3://third-bucket")
    t.aws_ok("s3", "rb", "s3://third-bucket")
    t.blobs_become("after everything was removed", 0)


if __name__ == "__main__":
    main(run)
