"""tus-js-client in Chromium, on a page of another origin, against `/files/`: a fresh page goes on where the one before was left, from two sides at once
too."""

from browser import Browser, version_of
from harness import MIB, body, main

BUCKET = "uploads"


def run(t):
    with Browser(t) as browser:
        t.start("--cors-allow-origin", browser.origin)
        options = {"endpoint": f"{t.server.api}/files/", "headers": {"Authorization": f"Bearer {t.token()}"}, "chunkSize": MIB}
        t.note(f"tus-js-client {version_of('tus-js-client')}; {browser.product}")

        def upload(path, hold=None, **more):
            browser.open()
            browser.choose(path)
            if hold:
                browser.do("hold", method="PATCH", passes=hold)
            metadata = {"key": path.name, "filename": path.name, "filetype": "image/bmp"}
            return browser.do("tus.start", **options, metadata=metadata, **more)

        def end(what, path):
            result = browser.do("tus.result")
            t.equal(f"{what}: the end", sorted(result), ["url"])
            refused = [request for request in browser.requests(t.server.api) if not request[2] or request[2] >= 400]
            t.equal(f"{what}: requests that were refused", refused, [])
            t.equal(f"{what}: the object", t.boto3().get_object(Bucket=BUCKET, Key=path.name)["Body"].read(), path.read_bytes())

        path = t.work / "페이지에서 1.bmp"
        path.write_bytes(body("tus page", 6 * MIB + 1))
        t.equal("uploads known before", upload(path, hold=3), 0)
        browser.do("held")
        t.equal("uploads known to the next page", upload(path), 1)
        end("resumed by a fresh page", path)
        methods = [method for method, _, _, _ in browser.requests(t.server.api)]
        t.equal("its requests", methods, ["HEAD"] + ["PATCH"] * 4)

        path = t.work / "from two sides.bmp"
        path.write_bytes(body("two sides", 5 * MIB))
        upload(path, parallelUploads=2)
        end("two uploads made one", path)


if __name__ == "__main__":
    main(run)
