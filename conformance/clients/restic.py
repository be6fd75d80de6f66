"""restic: a backup repository in a bucket. Its steps are its own: it reads and writes packs, whose names it chooses."""

import json
import os
import shutil

from harness import NotRun, body, sha256_of_file
from steps import BUCKET, Client, Refused, at_least, main

FILES = {"plain.bin": 3_000_001, "empty": 0, "a b/한글 é (1).bin": 100_003, "a b/100% + more/x": 1}


class Restic(Client):
    holes = {
        "multipart": "restic sends each pack in one PUT",
        "copy": "restic never copies an object",
        "presign": "restic makes no URLs",
        "range suffix": "restic knows each pack's length and asks from an offset",
        "list level": "restic lists whole prefixes",
        "delete bulk": "restic deletes key by key",
    }
    notes = ["put is init and two backups, get is restore, range is check --read-data, list is snapshots and ls, delete is forget --prune with a check after it"]
    refusals = [
        Refused("HeadObject", 404, None, "restic asks whether a repository is there before it makes one, and whether a file is there"),
    ]

    def __init__(self, t):
        super().__init__(t)
        self.program = shutil.which("restic")
        if self.program is None:
            raise NotRun("restic is not installed")
        self.found = at_least("restic", self.run(self.program, "version").split()[1], "0.14")

    def open(self):
        access, secret = self.t.keys()
        self.environment = dict(os.environ, AWS_ACCESS_KEY_ID=access, AWS_SECRET_ACCESS_KEY=secret, RESTIC_PASSWORD="conformance")
        self.environment["RESTIC_REPOSITORY"] = f"s3:{self.t.server.s3}/{BUCKET}/a repository"
        self.tree = self.t.work / "tree"

    def version(self):
        return self.found

    def restic(self, *words):
        flags = ["--no-cache"] + (["--cacert", self.t.ca] if self.t.ca else [])
        return self.run(self.program, *flags, *words, environment=self.environment)

    def grow(self, seed):
        for name, size in FILES.items():
            path = self.tree / seed / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body(f"{seed} {name}", size))

    @staticmethod
    def digests(root):
        return {str(path.relative_to(root)): sha256_of_file(path) for path in sorted(root.rglob("*")) if path.is_file()}

    def snapshots(self):
        return json.loads(self.restic("snapshots", "--json")) or []

    def step_put(self, s):
        with s.asked() as seen:
            self.restic("init")
            for seed in ["first", "second"]:
                self.grow(seed)
                self.restic("backup", "--quiet", self.tree)
        s.t.true("objects put", len(seen.of("PutObject")) > 5, seen.operations())
        s.t.true("objects of the repository", len(s.keys("a repository/data/")) >= 2, s.keys("a repository/"))

    def step_get(self, s):
        target = s.place()
        with s.asked():
            self.restic("restore", "latest", "--target", target)
        s.t.equal("restored files", self.digests(target / self.tree.relative_to("/")), self.digests(self.tree))

    def step_range(self, s):
        s.lacks("range", "suffix")
        with s.asked() as seen:
            self.restic("check", "--read-data")
        s.t.true("answers 206", 206 in {entry["status"] for entry in seen.of("GetObject")}, seen.operations())

    def step_list(self, s):
        s.lacks("list", "level")
        with s.asked() as seen:
            s.t.equal("snapshots", len(self.snapshots()), 2)
            listed = [json.loads(line) for line in self.restic("ls", "--json", "latest").splitlines()]
        files = [entry["path"] for entry in listed if entry.get("type") == "file"]
        s.t.equal("files of the snapshot", sorted(files), sorted(str(self.tree / name) for name in self.digests(self.tree)))
        s.t.true("listings", len(seen.of("ListObjects", "ListObjectsV2")) > 0, seen.operations())

    def step_delete(self, s):
        s.lacks("delete", "bulk")
        shutil.rmtree(self.tree / "first")
        with s.asked() as seen:
            self.restic("backup", "--quiet", self.tree)
            self.restic("forget", "--keep-last", 1, "--prune", "--max-unused", 0)
            self.restic("check", "--read-data")
        s.t.equal("snapshots left", len(self.snapshots()), 1)
        s.t.true("objects deleted", len(seen.of("DeleteObject")) > 3, seen.operations())
        target = s.place()
        self.restic("restore", "latest", "--target", target)
        s.t.equal("restored files after the prune", self.digests(target / self.tree.relative_to("/")), self.digests(self.tree))


if __name__ == "__main__":
    main(Restic)
