"""curl signing for itself (`--aws-sigv4`): put, get, range, delete, with keys given on the command line."""

import re
import shutil
import subprocess

from harness import MIB, NotRun, body, main

ACCESS, SECRET = "conformance-access", "conformance/secret+key=0123456789"


class Curl:
    def __init__(self, t):
        self.t = t
        self.program = shutil.which("curl")
        if self.program is None:
            raise NotRun("curl is not installed")
        options = subprocess.run([self.program, "--help", "all"], capture_output=True, text=True).stdout
        if "--aws-sigv4" not in options:
            raise NotRun("this curl knows no --aws-sigv4 (7.75 and newer do)")

    def __call__(self, path, *flags, secret=SECRET):
        """Status, headers in lower case, body."""
        out, head = self.t.work / "body", self.t.work / "head"
        command = [self.program, "--silent", "--show-error", "--max-time", "120", "--output", str(out), "--dump-header", str(head)]
        command += ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{ACCESS}:{secret}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
        command += (["--cacert", self.t.ca] if self.t.ca else []) + [str(flag) for flag in flags] + [self.t.server.s3 + path]
        out.write_bytes(b"")
        finished = subprocess.run(command, capture_output=True, text=True)
        if finished.returncode != 0:
            return f"curl exit status {finished.returncode}: {finished.stderr.strip()}", {}, b""
        # A 100 Continue stands before the answer's own head.
        last = head.read_text().strip().replace("\r", "").split("\n\n")[-1].splitlines()
        headers = dict(re.split(r":\s*", line, maxsplit=1) for line in last[1:])
        return int(last[0].split()[1]), {name.lower(): value for name, value in headers.items()}, out.read_bytes()


def code(answer):
    status, _, document = answer
    found = re.search(rb"<Code>(\w+)</Code>", document)
    return status, found.group(1).decode() if found else document


def run(t):
    curl = Curl(t)
    t.start("--access-key", ACCESS, "--secret-key", SECRET)
    t.equal("a credentials file beside keys that were given", t.server.credentials.exists(), False)
    file = t.work / "file.bin"
    for size in [0, 1, 12 * MIB + 5]:
        content = body(size, size)
        file.write_bytes(content)
        t.equal(f"PUT of {size} bytes", curl("/uploads/curl.bin", "--upload-file", file)[0], 200)
        status, headers, came = curl("/uploads/curl.bin")
        t.equal(f"GET of {size} bytes", (status, headers.get("content-length"), came), (200, str(size), content))
    status, headers, came = curl("/uploads/curl.bin", "--range", "1000-1999")
    t.equal("GET of a range", (status, headers.get("content-range"), came), (206, f"bytes 1000-1999/{size}", content[1000:2000]))
    status, headers, came = curl("/uploads/curl.bin", "--head")
    t.equal("HEAD", (status, headers.get("content-length")), (200, str(size)))
    status, _, document = curl("/")
    t.equal("list of buckets", (status, re.findall(rb"<Name>(.*?)</Name>", document)), (200, [b"uploads"]))
    t.equal("GET with another secret", code(curl("/uploads/curl.bin", secret="wrong")), (403, "SignatureDoesNotMatch"))
    t.equal("PUT with another secret", code(curl("/uploads/other.bin", "--upload-file", file, secret="wrong")), (403, "SignatureDoesNotMatch"))
    t.equal("DELETE", curl("/uploads/curl.bin", "--request", "DELETE")[::2], (204, b""))
    t.equal("GET after DELETE", code(curl("/uploads/curl.bin")), (404, "NoSuchKey"))
    t.blobs_become("after DELETE", 0)


if __name__ == "__main__":
    main(run)
