"""curl signing for itself (`--aws-sigv4`): S3 by hand, each request as the protocol has it."""

import hashlib
import re
import shutil
import subprocess
from base64 import b64encode
from urllib.parse import quote
from xml.sax.saxutils import escape, unescape

from harness import NotRun
from steps import BUCKET, Client, Failed, main


class Curl(Client):
    holes = {"presign": "curl signs headers only"}
    notes = ["curl before 8.13 does not order or encode the query that it signs: here it is in order, encoded, and every name has its ="]

    def __init__(self, t):
        super().__init__(t)
        self.program = shutil.which("curl")
        if self.program is None:
            raise NotRun("curl is not installed")
        if "--aws-sigv4" not in subprocess.run([self.program, "--help", "all"], capture_output=True, text=True).stdout:
            raise NotRun("this curl knows no --aws-sigv4 (7.75 and newer do)")

    def version(self):
        return self.run(self.program, "--version").split()[1]

    def open(self):
        self.access = ":".join(self.t.keys())

    def curl(self, key, *flags, query=None):
        """The answer's headers, in lower case, and its body."""
        out, head = self.t.work / "body", self.t.work / "head"
        out.write_bytes(b"")
        path = quote(f"/{BUCKET}/{key}" if key else f"/{BUCKET}", safe="/~")
        ordered = sorted((quote(name, safe="~"), quote(str(value), safe="~")) for name, value in (query or {}).items())
        url = self.t.server.s3 + path + ("?" + "&".join(f"{name}={value}" for name, value in ordered) if ordered else "")
        command = [self.program, "--silent", "--show-error", "--globoff", "--path-as-is", "--max-time", "120", "--output", out, "--dump-header", head]
        command += ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", self.access, "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
        self.run(*command, *(["--cacert", self.t.ca] if self.t.ca else []), *flags, url)
        # A 100 Continue stands before the answer's own head.
        last = head.read_text().strip().replace("\r", "").split("\n\n")[-1].splitlines()
        if not last[0].split()[1].startswith("2"):
            raise Failed(f"{url}: {last[0]}: {out.read_bytes()[:600]!r}")
        headers = dict(re.split(r":\s*", line, maxsplit=1) for line in last[1:])
        return {name.lower(): value for name, value in headers.items()}, out.read_bytes()

    def put(self, key, path):
        self.curl(key, "--upload-file", path)

    def get(self, key, path):
        path.write_bytes(self.curl(key)[1])

    def range(self, key, first, last, path):
        path.write_bytes(self.curl(key, "--range", f"{first}-{last}")[1])

    def range_from(self, key, first, path):
        path.write_bytes(self.curl(key, "--range", f"{first}-")[1])

    def range_suffix(self, key, length, path):
        path.write_bytes(self.curl(key, "--range", f"-{length}")[1])

    def multipart(self, key, path, part_size):
        started = self.curl(key, "--request", "POST", query={"uploads": ""})[1].decode()
        upload = re.search(r"<UploadId>(.+?)</UploadId>", started).group(1)
        content, part, document = path.read_bytes(), self.t.work / "part", ""
        for number, start in enumerate(range(0, len(content), part_size), 1):
            part.write_bytes(content[start : start + part_size])
            headers, _ = self.curl(key, "--upload-file", part, query={"partNumber": number, "uploadId": upload})
            document += f"<Part><PartNumber>{number}</PartNumber><ETag>{headers['etag']}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{document}</CompleteMultipartUpload>"
        self.curl(key, "--request", "POST", "--data-binary", document, "-H", "Content-Type: application/xml", query={"uploadId": upload})

    def list_all(self, prefix, page):
        return {key: size for key, size in self._list(prefix, page)[0]}

    def list_level(self, prefix, page):
        entries, prefixes = self._list(prefix, page, delimiter="/")
        return [key for key, _ in entries], prefixes

    def _list(self, prefix, page, **more):
        entries, prefixes, token = [], [], {}
        while True:
            query = {"list-type": 2, "prefix": prefix, "max-keys": page, **more, **token}
            answer = self.curl("", query=query)[1].decode()
            for found in re.findall(r"<Contents>(.*?)</Contents>", answer, re.DOTALL):
                key, size = (re.search(rf"<{name}>(.*?)</{name}>", found).group(1) for name in ("Key", "Size"))
                entries.append((unescape(key, {"&quot;": '"', "&apos;": "'", "&#39;": "'"}), int(size)))
            prefixes += [unescape(found) for found in re.findall(r"<CommonPrefixes><Prefix>(.*?)</Prefix>", answer)]
            following = re.search(r"<NextContinuationToken>(.*?)</NextContinuationToken>", answer)
            if following is None:
                return entries, prefixes
            token = {"continuation-token": unescape(following.group(1))}

    def copy(self, source, target):
        self.curl(target, "--request", "PUT", "-H", f"x-amz-copy-source: /{BUCKET}/{quote(source)}")

    def delete(self, key):
        self.curl(key, "--request", "DELETE")

    def delete_many(self, prefix, keys):
        document = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        document = f"<Delete><Quiet>true</Quiet>{document}</Delete>".encode()
        file = self.t.work / "delete.xml"
        file.write_bytes(document)
        digest = b64encode(hashlib.md5(document).digest()).decode()
        flags = ["--request", "POST", "--data-binary", f"@{file}", "-H", "Content-Type: application/xml", "-H", f"Content-MD5: {digest}"]
        answer = self.curl("", *flags, query={"delete": ""})[1]
        self.t.equal("errors of the answer", b"<Error>" in answer, False)


if __name__ == "__main__":
    main(Curl)
