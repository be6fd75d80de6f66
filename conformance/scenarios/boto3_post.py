"""POST forms whose fields boto3's `generate_presigned_post` makes, with signature versions 4 and 2, written as multipart/form-data by urllib3."""

import base64
import hashlib
import http.client
import json
import re
import ssl
from urllib.parse import parse_qs, urlsplit

from urllib3.filepost import encode_multipart_formdata

from harness import MIB, body, main, wait_for

# The certificate names this bucket's host.
BUCKET = "conformance"


def post(t, form, content, filename="file.bin", **more):
    """Sends a form, through loopback whatever its host's name resolves to. Returns status, headers, body."""
    fields = [*form["fields"].items(), *more.items(), ("file", (filename, content, "image/bmp"))]
    data, kind = encode_multipart_formdata(fields)
    parts = urlsplit(form["url"])
    if parts.scheme == "https":
        # The names of certificates are boto3_presigned's business.
        context = ssl.create_default_context(cafile=t.ca)
        context.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", parts.port, timeout=60, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=60)
    try:
        connection.request("POST", parts.path or "/", data, {"Host": parts.netloc, "Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def refused(t, what, status, code, form, content=b"content", **more):
    came, _, document = post(t, form, content, **more)
    found = re.search(rb"<Code>(\w+)</Code>", document)
    t.equal(what, (came, found.group(1).decode() if found else document), (status, code))


def uploads(t, s3, mark):
    sign = lambda key, fields=None, conditions=None, seconds=600: s3.generate_presigned_post(BUCKET, key, fields, conditions, seconds)
    for size in [0, 1000, 10 * MIB + 1]:
        content = body(f"{mark} {size}", size)
        status, headers, document = post(t, sign(f"{mark}/{size}"), content)
        came = (status, headers.get("ETag"), document)
        t.equal(f"{mark}: POST of {size} bytes", came, (204, f'"{hashlib.md5(content).hexdigest()}"', b""))
        t.true(f"{mark}: its bytes", s3.get_object(Bucket=BUCKET, Key=f"{mark}/{size}")["Body"].read() == content, size)

    key = f"{mark}/큰 파일/${{filename}}"
    fields = {"Content-Type": "image/bmp", "x-amz-meta-made-by": "boto3", "success_action_status": "201", "acl": "private"}
    fields["tagging"] = "<Tagging><TagSet><Tag><Key>kind</Key><Value>form</Value></Tag></TagSet></Tagging>"
    conditions = [{name: value} for name, value in fields.items() if name != "Content-Type"]
    conditions += [["starts-with", "$Content-Type", "image/"], ["content-length-range", 1, 100]]
    form = sign(key, fields, conditions)
    status, headers, document = post(t, form, b"content", "그림 1.bmp")
    stored = f"{mark}/큰 파일/그림 1.bmp"
    t.equal(f"{mark}: 201", (status, f"<Key>{stored}</Key>" in document.decode()), (201, True))
    head = s3.head_object(Bucket=BUCKET, Key=stored)
    came = (head["ContentType"], head["Metadata"], head.get("TagCount"))
    t.equal(f"{mark}: type, metadata and tags", came, ("image/bmp", {"made-by": "boto3"}, 1))
    refused(t, f"{mark}: a file too large", 400, "EntityTooLarge", form, b"x" * 101)
    refused(t, f"{mark}: a file too small", 400, "EntityTooSmall", form, b"")
    typed = {"url": form["url"], "fields": {**form["fields"], "Content-Type": "text/html"}}
    refused(t, f"{mark}: another type", 403, "AccessDenied", typed)

    address = "http://client.example/done?id=1"
    form = sign(f"{mark}/a b", {"success_action_redirect": address}, [["eq", "$success_action_redirect", address]])
    status, headers, _ = post(t, form, b"content")
    query = parse_qs(urlsplit(headers.get("Location", "")).query)
    etag = f'"{hashlib.md5(b"content").hexdigest()}"'
    t.equal(f"{mark}: the redirect", (status, query), (303, {"id": ["1"], "bucket": [BUCKET], "key": [f"{mark}/a b"], "etag": [etag]}))


def refusals(t, s3, mark):
    sign = lambda key, *rest: s3.generate_presigned_post(BUCKET, key, *rest)
    form = sign(f"{mark}/refused")
    altered = lambda **fields: {"url": form["url"], "fields": {**form["fields"], **fields}}
    signature = "x-amz-signature" if "x-amz-signature" in form["fields"] else "signature"
    refused(t, f"{mark}: another key", 403, "AccessDenied", altered(key=f"{mark}/other"))
    refused(t, f"{mark}: a field more", 403, "AccessDenied", form, **{"x-amz-meta-a": "1"})
    refused(t, f"{mark}: another signature", 403, "SignatureDoesNotMatch", altered(**{signature: "0" * 64}))
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    policy["expiration"] = "2099-01-01T00:00:00Z"
    forged = base64.b64encode(json.dumps(policy).encode()).decode()
    refused(t, f"{mark}: another policy", 403, "SignatureDoesNotMatch", altered(policy=forged))
    unsigned = {"url": form["url"], "fields": {"key": f"{mark}/refused"}}
    refused(t, f"{mark}: no policy", 403, "AccessDenied", unsigned)
    missing = {"url": form["url"], "fields": {name: value for name, value in form["fields"].items() if name != signature}}
    refused(t, f"{mark}: no signature", 400, "InvalidArgument", missing)
    short = sign(f"{mark}/short", None, None, 1)
    wait_for(lambda: post(t, short, b"content")[0] != 204, 10, 0.2)
    refused(t, f"{mark}: a form after its life of 1 s", 403, "AccessDenied", short)
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{mark}/refused")
    t.equal(f"{mark}: nothing was stored", listed["KeyCount"], 0)
    t.equal(f"{mark}: the untouched form", post(t, form, b"content")[0], 204)


def run(t):
    server = t.start()
    t.boto3().create_bucket(Bucket=BUCKET)
    plain = t.boto3("path")
    uploads(t, plain, "v4")
    refusals(t, plain, "v4")
    version_2 = t.boto3("path", signature_version=None)
    fields = version_2.generate_presigned_post(BUCKET, "k")["fields"]
    t.true("version 2 made the form", "AWSAccessKeyId" in fields and "signature" in fields, fields)
    uploads(t, version_2, "v2")
    refusals(t, version_2, "v2")
    port = urlsplit(server.s3).port
    virtual = t.boto3("virtual", f"{t.scheme}://localhost:{port}")
    form = virtual.generate_presigned_post(BUCKET, "virtual")
    t.true("the form is of virtual style", urlsplit(form["url"]).hostname.startswith(f"{BUCKET}."), form["url"])
    t.equal("POST to the bucket's host", post(t, form, b"content")[0], 204)
    t.equal("what it stored", plain.get_object(Bucket=BUCKET, Key="virtual")["Body"].read(), b"content")


if __name__ == "__main__":
    main(run)
