"""Uppy and its AwsS3 plugin in Chromium, on a page of another origin, against the Companion routes: paused, reloaded and resumed, cancelled, in one
request, and with requests that the page signs or has signed."""

from email.header import decode_header, make_header

from browser import Browser, version_of
from harness import MIB, body, main, wait_for

BUCKET = "uploads"
PART = 5 * MIB
NAME = "큰 그림 (1).bmp"


class Page:
    """The browser's page with Uppy in it, and the files it may choose."""

    def __init__(self, t, browser):
        self.t = t
        self.browser = browser
        self.authorization = f"Bearer {t.token()}"

    def file(self, folder, size):
        path = self.t.work / folder / NAME
        path.parent.mkdir()
        path.write_bytes(body(folder, size))
        return path

    def open(self, how, reload=False, **more):
        """A fresh page with an Uppy that is told `how`."""
        browser, api = self.browser, self.t.server.api
        browser.reload() if reload else browser.open()
        browser.do("authorize", api=api, value=self.authorization)
        browser.do("uppy.open", how=how, **more)

    def upload(self, path, how, **more):
        self.open(how, **more)
        self.browser.choose(path)
        self.browser.do("uppy.start")

    def end(self, what, path):
        """Waits for the end and checks that the object is the file; returns its key."""
        t, browser = self.t, self.browser
        result = browser.do("uppy.result")
        t.equal(f"{what}: errors", (result["errors"], result["failed"]), ([], 0))
        refused = [request for request in browser.requests() if not request[2] or request[2] >= 400]
        t.equal(f"{what}: requests that were refused or not answered", refused, [])
        key, location = result["uploaded"][0]["key"], result["uploaded"][0]["location"]
        t.true(f"{what}: the key ends in the file's name", key.endswith(NAME), key)
        t.true(f"{what}: the location is the object's", location.startswith(f"{t.server.s3}/{BUCKET}/"), location)
        answer = t.boto3().get_object(Bucket=BUCKET, Key=key)
        t.equal(f"{what}: the object", answer["Body"].read(), path.read_bytes())
        t.equal(f"{what}: its type", answer["ContentType"], "image/bmp")
        return key, answer


def companion(t):
    return {"companionEndpoint": t.server.api}


def reloaded(t, page):
    """24 MiB in five parts: paused after two, brought back after a reload, and only the other three are sent."""
    browser, path = page.browser, page.file("reloaded", 4 * PART + 4 * MIB + 321)
    page.upload(path, {**companion(t), "shouldUseMultipart": True}, retriever=True, pauseAfter=2)
    parts = browser.do("uppy.isPaused")
    t.equal("parts before the reload", [part["PartNumber"] for part in parts], [1, 2])
    open_uploads = t.boto3().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    identities = [upload["UploadId"] for upload in open_uploads]
    t.equal("uploads that are open", len(identities), 1)
    saved = wait_for(lambda: (found := browser.do("uppy.saved")) == {"files": 1, "uploads": identities} and found, 30)
    t.equal("what the page has put by", saved, {"files": 1, "uploads": identities})
    page.open({**companion(t), "shouldUseMultipart": True}, reload=True, retriever=True)
    browser.do("uppy.restore")
    _, answer = page.end("reloaded", path)
    t.true("the object was uploaded in parts", answer["ETag"].endswith('-5"'), answer["ETag"])
    t.equal("metadata: the name", str(make_header(decode_header(answer["Metadata"].get("name", "")))), NAME)
    sent = browser.requests(t.server.s3)
    t.equal("parts that were sent after the reload", [method for method, _, _, _ in sent], ["PUT"] * 3)
    asked = [(method, rest.partition("?")[0].rpartition("/")[2]) for method, rest, _, _ in browser.requests(t.server.api)]
    expected = [("GET", identities[0]), ("GET", "3"), ("GET", "4"), ("GET", "5"), ("POST", "complete")]
    t.equal("what Companion was asked after the reload", asked, expected)


def paused(t, page):
    path = page.file("paused", 3 * PART)
    page.upload(path, {**companion(t), "shouldUseMultipart": True}, pauseAfter=1)
    page.browser.do("uppy.isPaused")
    page.browser.do("uppy.resume")
    page.end("paused and resumed", path)


def cancelled(t, page):
    path = page.file("cancelled", 3 * PART)
    page.upload(path, {**companion(t), "shouldUseMultipart": True}, pauseAfter=1)
    page.browser.do("uppy.isPaused")
    page.browser.do("uppy.cancel")
    ended = lambda: [request for request in page.browser.requests(t.server.api) if request[0] == "DELETE" and request[2]]
    t.equal("status of the DELETE", [status for _, _, status, _ in wait_for(ended, 30)], [200])
    t.equal("uploads left open", t.boto3().list_multipart_uploads(Bucket=BUCKET).get("Uploads", []), [])


def one_request(t, page):
    path = page.file("one request", MIB + 1)
    page.upload(path, {**companion(t), "shouldUseMultipart": False})
    page.end("one POST with a policy", path)
    sent = [method for method, _, _, _ in page.browser.requests(t.server.s3)]
    t.equal("what came to the bucket", sent, ["POST"])


def temporary_credentials(t, page):
    """The page signs for itself, with credentials that it asks for."""
    path = page.file("temporary", PART + 1)
    how = {"s3Endpoint": f"{t.server.s3}/{BUCKET}", "region": "us-east-1", "shouldUseMultipart": True}
    page.upload(path, how, sts=f"{t.server.api}/s3/sts")
    page.end("with temporary credentials", path)


def signer(t, page):
    """Every request of the page is signed for it: in parts, and in one."""
    for what, size, parts in [("signed, in parts", 2 * PART + 1, True), ("signed, in one", MIB, False)]:
        page.upload(page.file(what, size), {"shouldUseMultipart": parts}, presign=f"{t.server.api}/s3/presign")
        page.end(what, t.work / what / NAME)


def another_origin(t, page):
    """A page that no setting allows gets nowhere: its preflight is refused."""
    page.browser.open(f"http://localhost:{page.browser.port}")
    options = {"method": "POST", "headers": {"authorization": page.authorization, "content-type": "application/json"}, "body": "{}"}
    t.equal("a page of an origin that is not allowed", page.browser.do("reach", url=f"{t.server.api}/s3/multipart", options=options), "TypeError")


def run(t):
    with Browser(t) as browser:
        t.start("--cors-allow-origin", browser.origin)
        versions = [f"{name} {version_of(f'@uppy/{name}')}" for name in ["core", "aws-s3", "golden-retriever"]]
        t.note(f"Uppy: {', '.join(versions)}; {browser.product}")
        page = Page(t, browser)
        reloaded(t, page)
        paused(t, page)
        cancelled(t, page)
        one_request(t, page)
        temporary_credentials(t, page)
        signer(t, page)
        another_origin(t, page)


if __name__ == "__main__":
    main(run)
