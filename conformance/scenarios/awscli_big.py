"""The headline: one big file through `aws s3 cp`, up and down, and what the server needed for it."""

import hashlib
import os
import shutil

from harness import MIB, main, sha256_of_file

PART = 8 * MIB
MEMORY_MAX = 128 * MIB


def make_file(path, size):
    """Random bytes; returns their SHA-256 and the ETag S3 gives them in parts of 8 MiB."""
    whole = hashlib.sha256()
    parts = []
    with open(path, "wb") as file:
        for start in range(0, size, PART):
            piece = os.urandom(min(PART, size - start))
            whole.update(piece)
            parts.append(hashlib.md5(piece).digest())
            file.write(piece)
    return whole.hexdigest(), f'"{hashlib.md5(b"".join(parts)).hexdigest()}-{len(parts)}"'


def run(t):
    size = 64 * MIB if t.quick else 2048 * MIB
    free = shutil.disk_usage(t.work).free
    needed = 3 * size + 1024 * MIB
    if not t.true(f"at least {needed // MIB} MiB free for the file, the store and the download", free >= needed, free // MIB):
        return
    source, target = t.work / "source.bin", t.work / "target.bin"
    digest, etag = make_file(source, size)

    t.start()
    t.aws_ok("s3", "cp", source, "s3://uploads/big/file.bin", "--only-show-errors")
    cpu_up = t.server.cpu_seconds()
    memory_up = t.server.memory_peak_bytes()
    head = t.aws_ok("s3api", "head-object", "--bucket", "uploads", "--key", "big/file.bin").json
    t.equal("length", head.get("ContentLength"), size)
    t.equal("ETag, MD5 of the parts' MD5s", head.get("ETag"), etag)

    t.aws_ok("s3", "cp", "s3://uploads/big/file.bin", target, "--only-show-errors")
    t.equal("SHA-256 of what came back", sha256_of_file(target), digest)
    target.unlink()

    memory, cpu = t.server.memory_peak_bytes(), t.server.cpu_seconds()
    if memory is None or cpu is None:
        t.not_run("peak memory and processor time: this system has no /proc")
    else:
        gib = size / (1024 * MIB)
        t.true("peak memory under 128 MiB", memory < MEMORY_MAX, f"{memory / MIB:.1f} MiB")
        t.note(
            f"{size // MIB} MiB: peak memory {memory_up / MIB:.1f} MiB after the upload, {memory / MIB:.1f} MiB after the download; "
            f"server CPU {cpu_up / gib:.2f} s per GiB up, {(cpu - cpu_up) / gib:.2f} s per GiB down"
        )
    t.aws_ok("s3", "rm", "s3://uploads/big/file.bin")
    t.blobs_become("after the object was removed", 0)


if __name__ == "__main__":
    main(run)
