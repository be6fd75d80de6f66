"""Generated images in Chromium, on a page of another origin: EventSource follows each to its end, and the browser's own decoder reads it."""

import json

from browser import Browser
from harness import MIB, main

BUCKET = "uploads"
WIDTH, HEIGHT = 1500, 1400
PART = 5 * MIB
CORNERS = [[0, 0], [WIDTH - 1, 0], [0, HEIGHT - 1], [WIDTH - 1, HEIGHT - 1]]
RED, BLUE = "#ff2010", "#1020ff"
IMAGES = {
    "one colour": ({"kind": "solid", "color": RED}, [RED] * 4),
    "left to right": ({"kind": "gradient", "from": RED, "to": BLUE, "direction": "horizontal"}, [RED, BLUE, RED, BLUE]),
    "top to bottom": ({"kind": "gradient", "from": RED, "to": BLUE, "direction": "vertical"}, [RED, RED, BLUE, BLUE]),
}


def length_of(bits):
    """A BMP's: a header of 54 bytes, and rows of whole 32 bits."""
    return 54 + HEIGHT * ((WIDTH * bits + 31) // 32 * 4)


def asked(t, token, pattern, bits, top_down):
    """What `POST /bmp` answers, and the answer's status."""
    wanted = {"width": WIDTH, "height": HEIGHT, "bitsPerPixel": bits, "topDown": top_down, "partSize": PART, "pattern": pattern}
    headers = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}
    status, _, document = t.api_call("POST", "/bmp", json.dumps(wanted).encode(), **headers)
    return status, json.loads(document)


def generated(t, browser, token, what, bits, top_down):
    pattern, colours = IMAGES[what]
    what = f"{what}, {bits} bits, {'top down' if top_down else 'bottom up'}"
    status, generation = asked(t, token, pattern, bits, top_down)
    t.equal(f"{what}: status of POST /bmp", status, 202)
    count = -(-length_of(bits) // PART)
    t.equal(f"{what}: what is promised", [generation.get(name) for name in ["bmpVolume", "partCount", "status"]], [length_of(bits), count, "PENDING"])
    events = browser.do("events.follow", url=generation["eventsUrl"])
    t.equal(f"{what}: the last event", events["last"], "completed")
    parts = [data["partNumber"] for kind, _, data in events["seen"] if kind == "part"]
    t.equal(f"{what}: parts", sorted(parts), list(range(1, count + 1)))
    identities = [identity for _, identity, _ in events["seen"]]
    t.equal(f"{what}: ids of events that are none or came twice", len(identities) - len(set(filter(None, identities))), 0)
    _, _, document = t.api_call("GET", f"/bmp/{generation['uuid']}", Authorization=f"Bearer {token}")
    row = json.loads(document)
    t.equal(f"{what}: its row", [row[name] for name in ["status", "partsDone", "bytesDone", "error"]], ["COMPLETED", count, length_of(bits), None])
    answer = t.boto3().get_object(Bucket=BUCKET, Key=row["objectName"])
    t.equal(f"{what}: length of the object", answer["ContentLength"], length_of(bits))
    t.equal(f"{what}: its ETag", answer["ETag"].strip('"'), row["eTag"].strip('"'))
    seen = browser.do("events.pixels", url=row["imageUrl"], points=CORNERS)
    t.equal(f"{what}: the image as the browser reads it", (seen["size"], seen["colours"]), ([WIDTH, HEIGHT], colours))
    return generation, events


def replayed(t, browser, generation, events):
    """Whoever comes late sees the same end."""
    again = browser.do("events.follow", url=generation["eventsUrl"])
    t.equal("events for one who comes late: the last", again["last"], "completed")
    known = {(kind, identity) for kind, identity, _ in events["seen"]}
    t.equal("events that nobody saw before", [event[:2] for event in again["seen"] if tuple(event[:2]) not in known], [])


def run(t):
    with Browser(t) as browser:
        t.start("--cors-allow-origin", browser.origin)
        token = t.token()
        t.note(browser.product)
        for what, bits, top_down in [("one colour", 24, False), ("left to right", 32, True), ("top to bottom", 24, True), ("top to bottom", 32, False)]:
            generation, events = generated(t, browser, token, what, bits, top_down)
        replayed(t, browser, generation, events)


if __name__ == "__main__":
    main(run)
