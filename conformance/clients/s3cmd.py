"""s3cmd: ListObjects version 1, signed payloads, and SigV2 in the URLs that it signs."""

import re
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from steps import BUCKET, Client, Refused, main


class S3cmd(Client):
    pages = False
    refusals = [Refused("GetObjectAcl", 501, "NotImplemented", "s3cmd cp asks for the ACL of what it copies, and goes on without it")]
    holes = {
        "range bounded": "s3cmd get --continue asks for what is missing at the end of a file, and for nothing else",
        "range suffix": "as bounded",
        "presign put": "s3cmd signurl makes URLs for GET only",
    }

    def open(self):
        access, secret = self.t.keys()
        host = urlsplit(self.t.server.s3).netloc
        https = str(self.t.scheme == "https")
        settings = {
            "access_key": access,
            "secret_key": secret,
            "host_base": host,
            # Without the bucket in it, requests are path style.
            "host_bucket": host,
            "bucket_location": "us-east-1",
            "use_https": https,
            "signurl_use_https": https,
            "multipart_chunk_size_mb": 5,
            "max_retries": 0,
            "guess_mime_type": "False",
            "ca_certs_file": self.t.ca or "",
        }
        self.config = self.t.work / "s3cfg"
        self.config.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))

    def version(self):
        return version("s3cmd")

    def s3cmd(self, *words):
        return self.run(sys.executable, Path(sys.prefix) / "bin" / "s3cmd", "--config", self.config, "--no-progress", *words)

    def at(self, key):
        return f"s3://{BUCKET}/{key}"

    def put(self, key, path):
        self.s3cmd("put", path, self.at(key))

    def get(self, key, path):
        self.s3cmd("get", "--force", self.at(key), path)

    def range_from(self, key, first, path):
        path.write_bytes(bytes(first))
        self.s3cmd("get", "--continue", self.at(key), path)
        path.write_bytes(path.read_bytes()[first:])

    def multipart(self, key, path, part_size):
        self.put(key, path)

    def list_all(self, prefix, page):
        found = re.findall(rf"^\S+ \S+\s+(\d+)\s+s3://{BUCKET}/(.*)$", self.s3cmd("ls", "--recursive", self.at(prefix)), re.MULTILINE)
        return {key: int(size) for size, key in found}

    def list_level(self, prefix, page):
        said = self.s3cmd("ls", self.at(prefix))
        keys = re.findall(rf"^\S+ \S+\s+\d+\s+s3://{BUCKET}/(.*)$", said, re.MULTILINE)
        return keys, re.findall(rf"^\s+DIR\s+s3://{BUCKET}/(.*)$", said, re.MULTILINE)

    def copy(self, source, target):
        self.s3cmd("cp", self.at(source), self.at(target))

    def delete(self, key):
        self.s3cmd("del", self.at(key))

    def delete_many(self, prefix, keys):
        self.s3cmd("del", "--recursive", "--force", self.at(prefix))

    def presign_get(self, key):
        return self.s3cmd("signurl", self.at(key), "+600").strip()


if __name__ == "__main__":
    main(S3cmd)
