"""FilePond in Chromium, on a page of another origin, against `/files/`: in chunks, of a size that is a multiple of the chunk, through a `kill -9`, and
taken back."""

from browser import Browser, version_of
from harness import MIB, body, main, wait_for

BUCKET = "uploads"


class Pond:
    def __init__(self, t, browser):
        self.t = t
        self.browser = browser
        self.authorization = {"Authorization": f"Bearer {t.token()}"}
        self.seen = set()

    def start(self, name, size, **held):
        """Opens a page that uploads a file of this size; `held` says which request is held back."""
        t, browser = self.t, self.browser
        path = t.work / name
        path.write_bytes(body(name, size))
        browser.open()
        browser.choose(path)
        if held:
            browser.do("hold", **held)
        call = {"url": "/files/", "headers": self.authorization}
        server = {"url": t.server.api, "process": {**call, "method": "POST"}, "patch": call, "revert": call}
        browser.do("filepond.start", server=server, chunkSize=MIB, chunkForce=True)
        return path

    def sent(self):
        """Methods and statuses of what was answered."""
        return [(method, status) for method, _, status, _ in self.browser.requests(self.t.server.api) if status]

    def end(self, what, path, result):
        """The one object that is new is the file."""
        t = self.t
        t.equal(f"{what}: what FilePond says", sorted(result), ["id"])
        keys = {entry["Key"] for entry in t.boto3().list_objects_v2(Bucket=BUCKET).get("Contents", [])}
        new, self.seen = sorted(keys - self.seen), keys
        t.true(f"{what}: one object with the file's name", len(new) == 1 and new[0].endswith(path.name), new)
        if new:
            t.equal(f"{what}: the object", t.boto3().get_object(Bucket=BUCKET, Key=new[0])["Body"].read(), path.read_bytes())


def run(t):
    with Browser(t) as browser:
        allowed = ["--cors-allow-origin", browser.origin]
        t.start(*allowed)
        t.note(f"FilePond {version_of('filepond')}; {browser.product}")
        pond = Pond(t, browser)

        path = pond.start("연못 1.bin", 3 * MIB + 17)
        pond.end("in chunks", path, browser.do("filepond.result"))
        t.equal("its requests", [method for method, status in pond.sent() if status < 300], ["POST"] + ["PATCH"] * 4)

        # The last PATCH of such a file is empty.
        path = pond.start("multiple.bin", 2 * MIB)
        pond.end("a multiple of the chunk", path, browser.do("filepond.result"))
        t.equal("its requests", [method for method, status in pond.sent() if status < 300], ["POST"] + ["PATCH"] * 3)

        path = pond.start("killed.bin", 6 * MIB + 1, method="PATCH", passes=3)
        browser.do("held")
        t.kill_and_start(*allowed, between=lambda: (browser.do("release"), t.equal("FilePond notices", sorted(browser.do("filepond.result")), ["error"])))
        before = len(pond.sent())
        browser.do("filepond.again")
        pond.end("killed and resumed", path, browser.do("filepond.result"))
        t.equal("its requests", [method for method, status in pond.sent()[before:] if status < 300], ["HEAD"] + ["PATCH"] * 4)

        deleted = lambda: wait_for(lambda: [status for method, status in pond.sent() if method == "DELETE"], 30)
        pond.start("taken back.bin", 3 * MIB, method="PATCH", passes=1)
        browser.do("held")
        t.equal("taken back in the middle", (browser.do("filepond.revert"), deleted()), ("reverted", [204]))
        path = pond.start("kept.bin", MIB + 1)
        pond.end("complete", path, browser.do("filepond.result"))
        browser.do("filepond.revert")
        t.equal("taken back when it is an object", deleted(), [403])
        keys = [entry["Key"] for entry in t.boto3().list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        t.equal("objects of these two", [key.partition("-")[2] for key in keys if key.endswith(("taken back.bin", "kept.bin"))], ["kept.bin"])
        uploads = t.boto3().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        t.equal("uploads left open", [upload["Key"] for upload in uploads], [])


if __name__ == "__main__":
    main(run)
