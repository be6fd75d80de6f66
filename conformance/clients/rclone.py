"""rclone, with its generic S3 provider, as it is packaged by the system."""

import json
import os
import re
import shutil

from harness import NotRun
from steps import BUCKET, Client, Refused, at_least, main


class Rclone(Client):
    refusals = [Refused("HeadObject", 404, None, "rclone asks whether an object is there before it writes it")]
    holes = {
        "delete bulk": "rclone deletes key by key",
        "presign put": "rclone link makes URLs for GET only",
    }

    def __init__(self, t):
        super().__init__(t)
        self.program = shutil.which("rclone")
        if self.program is None:
            raise NotRun("rclone is not installed")
        said = self.run(self.program, "--config", "", "version")
        self.found = at_least("rclone", re.search(r"rclone v?(\S+)", said).group(1), "1.60")

    def open(self):
        access, secret = self.t.keys()
        config = self.t.work / "rclone.conf"
        lines = ["[wharf]", "type = s3", "provider = Other", f"access_key_id = {access}", f"secret_access_key = {secret}"]
        # The buckets are there: rclone would ask for leave to make them otherwise.
        lines += [f"endpoint = {self.t.server.s3}", "region = us-east-1", "no_check_bucket = true"]
        config.write_text("\n".join(lines) + "\n")
        self.flags = ["--config", config, "--retries", 1, "--low-level-retries", 1] + (["--ca-cert", self.t.ca] if self.t.ca else [])
        # With this variable beside --ca-cert, the AWS SDK in rclone gives up: it would have to change rclone's own transport.
        self.environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}

    def version(self):
        return self.found

    def rclone(self, *words):
        return self.run(self.program, *self.flags, *words, environment=self.environment)

    def at(self, key):
        return f"wharf:{BUCKET}/{key}"

    def put(self, key, path):
        self.rclone("copyto", path, self.at(key))

    def get(self, key, path):
        self.rclone("copyto", self.at(key), path)

    def range(self, key, first, last, path):
        self._cat(key, path, "--offset", first, "--count", last - first + 1)

    def range_from(self, key, first, path):
        self._cat(key, path, "--offset", first)

    def range_suffix(self, key, length, path):
        self._cat(key, path, "--tail", length)

    def _cat(self, key, path, *flags):
        # The bytes are no text: a shell's redirection takes them.
        self.run("sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", path, self.program, *self.flags, "cat", *flags, self.at(key), environment=self.environment)

    def multipart(self, key, path, part_size):
        self.rclone("copyto", "--s3-chunk-size", f"{part_size}B", "--s3-upload-cutoff", f"{part_size}B", path, self.at(key))

    def list_all(self, prefix, page):
        entries = json.loads(self.rclone("lsjson", "--recursive", "--fast-list", "--files-only", "--s3-list-chunk", page, self.at(prefix)))
        return {prefix + entry["Path"]: entry["Size"] for entry in entries}

    def list_level(self, prefix, page):
        entries = json.loads(self.rclone("lsjson", "--s3-list-chunk", page, self.at(prefix)))
        keys = [prefix + entry["Path"] for entry in entries if not entry["IsDir"]]
        return keys, [f"{prefix}{entry['Path']}/" for entry in entries if entry["IsDir"]]

    def copy(self, source, target):
        self.rclone("copyto", "--s3-copy-cutoff", "8Mi", self.at(source), self.at(target))

    def delete(self, key):
        self.rclone("deletefile", self.at(key))

    def presign_get(self, key):
        return self.rclone("link", "--expire", "10m", self.at(key)).strip()


if __name__ == "__main__":
    main(Rclone)
