"""Resumable.js in Chromium, on a page of another origin, against `/upload-chunk/`: three chunks at once, asked for before they are sent; the page and
the gateway are gone in the middle, and only what is missing is sent."""

import json

from browser import Browser, version_of
from harness import MIB, body, main

BUCKET = "uploads"
CHUNKS = 12


def start(t, browser, token, path):
    browser.open()
    browser.choose(path)
    return {
        "target": f"{t.server.api}/upload-chunk/",
        "headers": {"Authorization": f"Bearer {token}"},
        "chunkSize": MIB,
        "simultaneousUploads": 3,
        "maxChunkRetries": 0,
        "chunkRetryInterval": 100,
    }


def chunk_statuses(t, browser, method):
    return sorted(status for asked, _, status, _ in browser.requests(t.server.api) if asked == method and status)


def run(t):
    with Browser(t) as browser:
        allowed = ["--cors-allow-origin", browser.origin]
        t.start(*allowed)
        token = t.token()
        t.note(f"Resumable.js {version_of('resumablejs')}; {browser.product}")
        path = t.work / "이어서 올리기 1.bin"
        # Resumable.js gives what is left over to the last chunk, which is larger.
        path.write_bytes(body("resumable", CHUNKS * MIB + 4321))
        options = start(t, browser, token, path)
        browser.do("hold", method="POST", passes=5)
        browser.do("resumable.start", **options)
        browser.do("held")
        t.equal("chunks were asked for first", set(chunk_statuses(t, browser, "GET")), {204})
        t.kill()
        t.start(*allowed)

        options = start(t, browser, token, path)
        browser.do("resumable.start", **options)
        results = browser.do("resumable.result")
        t.equal("what Resumable.js says", [name for name, _ in results], [path.name])
        asked, sent = chunk_statuses(t, browser, "GET"), chunk_statuses(t, browser, "POST")
        t.true("at least two chunks were there before", asked.count(200) >= 2, asked)
        t.equal("each chunk was asked for, and what was missing was sent", (len(asked), len(sent)), (CHUNKS, CHUNKS - asked.count(200)))
        t.equal("answers", (set(asked), set(sent)), ({200, 204}, {200}))
        answers = [json.loads(answer) for method, _, _, answer in browser.requests(t.server.api) if method == "POST"]
        t.equal("answers that say complete", [answer["complete"] for answer in answers].count(True), 1)
        t.equal("the object", t.boto3().get_object(Bucket=BUCKET, Key=path.name)["Body"].read(), path.read_bytes())


if __name__ == "__main__":
    main(run)
