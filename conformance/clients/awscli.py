"""The aws CLI, version 1: `aws s3` where it has the command, `aws s3api` where it has not."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from steps import BUCKET, Client, main


class AwsCli(Client):
    holes = {"presign put": "aws s3 presign makes URLs for GET only"}
    notes = ["multipart is aws s3 cp with multipart_chunksize = 5MB; list and ranges are aws s3api, the rest is aws s3"]

    def open(self):
        config = Path(self.t.work / "home" / "config")
        config.write_text("[default]\ns3 =\n  multipart_threshold = 8MB\n  multipart_chunksize = 5MB\n")

    def version(self):
        return version("awscli")

    def aws(self, *words):
        return self.run(Path(sys.prefix) / "bin" / "aws", "--endpoint-url", self.t.server.s3, *words)

    def put(self, key, path):
        self.aws("s3", "cp", "--only-show-errors", path, f"s3://{BUCKET}/{key}")

    def get(self, key, path):
        self.aws("s3", "cp", "--only-show-errors", f"s3://{BUCKET}/{key}", path)

    def range(self, key, first, last, path):
        self._range(key, f"bytes={first}-{last}", path)

    def range_from(self, key, first, path):
        self._range(key, f"bytes={first}-", path)

    def range_suffix(self, key, length, path):
        self._range(key, f"bytes=-{length}", path)

    def _range(self, key, value, path):
        self.aws("s3api", "get-object", "--bucket", BUCKET, "--key", key, "--range", value, path)

    def multipart(self, key, path, part_size):
        self.put(key, path)

    def list_all(self, prefix, page):
        entries = json.loads(self._list(prefix, page))["Contents"]
        return {entry["Key"]: entry["Size"] for entry in entries}

    def list_level(self, prefix, page):
        answer = json.loads(self._list(prefix, page, "--delimiter", "/"))
        return [entry["Key"] for entry in answer["Contents"]], [entry["Prefix"] for entry in answer["CommonPrefixes"]]

    def _list(self, prefix, page, *more):
        return self.aws("s3api", "list-objects-v2", "--bucket", BUCKET, "--prefix", prefix, "--page-size", page, *more)

    def copy(self, source, target):
        self.aws("s3", "cp", "--only-show-errors", f"s3://{BUCKET}/{source}", f"s3://{BUCKET}/{target}")

    def delete(self, key):
        self.aws("s3", "rm", "--only-show-errors", f"s3://{BUCKET}/{key}")

    def delete_many(self, prefix, keys):
        document = json.dumps({"Objects": [{"Key": key} for key in keys]})
        self.aws("s3api", "delete-objects", "--bucket", BUCKET, "--delete", document)

    def presign_get(self, key):
        return self.aws("s3", "presign", f"s3://{BUCKET}/{key}", "--expires-in", 600).strip()


if __name__ == "__main__":
    main(AwsCli)
