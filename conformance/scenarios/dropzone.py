"""Dropzone in Chromium, on a page of another origin, against `/upload-chunk/`: chunks one by one, at once, and files that need none."""

import json

from browser import Browser, version_of
from harness import MIB, body, main

BUCKET = "uploads"


def upload(t, browser, token, paths, **options):
    """Uploads files; returns the answers that the server gave, in the order of the requests."""
    browser.open()
    browser.choose(*paths)
    target = {"url": f"{t.server.api}/upload-chunk/", "headers": {"Authorization": f"Bearer {token}"}}
    results = browser.do("dropzone.upload", chunking=True, chunkSize=MIB, **target, **options)
    t.equal("what Dropzone says", results, [[path.name, "success"] for path in paths])
    requests = browser.requests(t.server.api)
    t.equal("requests that were refused", [request for request in requests if request[2] != 200], [])
    for path in paths:
        t.equal(f"{path.name}: the object", t.boto3().get_object(Bucket=BUCKET, Key=path.name)["Body"].read(), path.read_bytes())
    return [json.loads(answer) for _, _, status, answer in requests if status == 200]


def completions(answers):
    """How many answers said that the file is complete, and under how many ids the chunks came."""
    return [answer["complete"] for answer in answers].count(True), len({answer["upload_id"] for answer in answers})


def run(t):
    with Browser(t) as browser:
        t.start("--cors-allow-origin", browser.origin)
        token = t.token()
        t.note(f"Dropzone {version_of('dropzone')}; {browser.product}")

        def file(name, size):
            path = t.work / name
            path.write_bytes(body(name, size))
            return path

        answers = upload(t, browser, token, [file("하나씩 1.bin", 6 * MIB + 99)])
        t.equal("chunks, one by one", [answer["chunk_number"] for answer in answers], list(range(1, 8)))
        t.equal("answers that say complete, and sessions", completions(answers), (1, 1))
        answers = upload(t, browser, token, [file("at once.bin", 9 * MIB)], parallelChunkUploads=True, parallelUploads=6)
        t.equal("chunks, at once", sorted(answer["chunk_number"] for answer in answers), list(range(1, 10)))
        t.equal("answers that say complete, and sessions", completions(answers), (1, 1))
        answers = upload(t, browser, token, [file("forced.bin", 10)], forceChunking=True)
        t.equal("one chunk of few bytes", [(answer["total_chunks"], answer["complete"]) for answer in answers], [(1, True)])
        answers = upload(t, browser, token, [file("without.bin", 1000)])
        t.equal("a small file, without fields of chunks", [(answer["total_chunks"], answer["complete"]) for answer in answers], [(1, True)])
        # Two files of one name at once: each has an id of its own (dzuuid), so their chunks do not meet.
        (t.work / "other").mkdir()
        twins = [file("twin.bin", 2 * MIB + 5), file("other/twin.bin", 2 * MIB + 5)]
        browser.open()
        browser.choose(*twins)
        target = {"url": f"{t.server.api}/upload-chunk/", "headers": {"Authorization": f"Bearer {token}"}}
        results = browser.do("dropzone.upload", chunking=True, chunkSize=MIB, parallelUploads=2, **target)
        t.equal("two files of one name", sorted(results), [["twin.bin", "success"]] * 2)
        came = t.boto3().get_object(Bucket=BUCKET, Key="twin.bin")["Body"].read()
        t.true("the object is one of them, whole", came in [path.read_bytes() for path in twins], came)


if __name__ == "__main__":
    main(run)
