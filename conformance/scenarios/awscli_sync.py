"""`aws s3 sync`: a tree with awkward names goes up, comes down equal, is found unchanged, and `--delete` removes."""

import os
import shutil
import time

from harness import MIB, body, main

NAMES = [
    "plain.txt",
    "empty",
    "with space/a b c.txt",
    "plus+plus+.txt",
    "percent%20literal%.txt",
    "amp&ersand=equals?.txt",
    "한글/이미지 파일.bmp",
    "ünïcödé/naïve-🚢.bin",
    "hash#tag;semi:colon,comma.txt",
    "quote'double\"less<more>.txt",
    "brackets[1]{2}(3)!$*@~^`|.txt",
    "deep/" + "/".join(f"level-{number:02}" for number in range(40)) + "/leaf",
    "long-" + "n" * 200,
    "a.b/.hidden/..dots..",
]


def make_tree(root):
    for number, name in enumerate(NAMES):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty" else body(number, 100 + 5000 * number))
    # Above the CLI's threshold: this one goes up in parts and comes down in ranges.
    (root / "multipart.bin").write_bytes(body("multipart", 20 * MIB + 3))


def tree(root):
    """Relative path -> bytes of every file."""
    files = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                files[os.path.relpath(path, root)] = file.read()
    return files


def equal_trees(t, what, came, expected):
    t.equal(f"{what}: names", sorted(came), sorted(expected))
    differing = [name for name in expected if name in came and came[name] != expected[name]]
    t.equal(f"{what}: files that differ", differing, [])


def run(t):
    up, down = t.work / "up", t.work / "down"
    make_tree(up)
    t.start()

    # This CLI misreads the answer after a final one that came in place of `100 Continue` on a connection that stays open. It then
    # waits out its read timeout of 60 s, ends well, and only the clock shows it. The empty file is what provokes it.
    started = time.monotonic()
    t.aws_ok("s3", "sync", up, "s3://uploads/tree", "--only-show-errors")
    seconds = time.monotonic() - started
    t.true("no request of the sync up waits for its timeout of 60 s", seconds < 55, f"{seconds:.1f} s")
    t.aws_ok("s3", "sync", "s3://uploads/tree", down, "--only-show-errors")
    equal_trees(t, "the tree that came back", tree(down), tree(up))

    t.equal("a second sync up transfers", t.aws_ok("s3", "sync", up, "s3://uploads/tree").out, "")
    t.equal("a second sync down transfers", t.aws_ok("s3", "sync", "s3://uploads/tree", down).out, "")

    (up / "plain.txt").unlink()
    shutil.rmtree(up / "한글")
    (up / "empty").write_bytes(b"no longer")
    (up / "new file").write_bytes(b"new")
    lines = t.aws_ok("s3", "sync", up, "s3://uploads/tree", "--delete", "--no-progress").out.splitlines()
    t.equal("sync --delete uploads", sum(line.startswith("upload:") for line in lines), 2)
    t.equal("sync --delete deletes", sum(line.startswith("delete:") for line in lines), 2)
    t.aws_ok("s3", "sync", "s3://uploads/tree", down, "--delete", "--only-show-errors")
    equal_trees(t, "the tree after --delete", tree(down), tree(up))


if __name__ == "__main__":
    main(run)
