"""URLs presigned by boto3 and by `aws s3 presign`, with signature versions 4 and 2, and used by plain HTTP clients: GET, PUT and part PUT, path and
virtual-host style, and what is refused."""

import hashlib
import http.client
import re
import shutil
import ssl
import subprocess
from urllib.parse import quote, urlsplit

from harness import MIB, body, etag_of_parts, main, wait_for

# The certificate names this bucket's host.
BUCKET = "conformance"


def send(t, method, url, content=None, headers=None):
    """Sends one request to where `url` says, through loopback whatever its name resolves to. Returns status, headers, body."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=t.ca)
        connection = http.client.HTTPSConnection("127.0.0.1", parts.port, timeout=60, context=context)
        # The certificate is checked for the URL's own name, which need not resolve here.
        connection._create_connection = lambda address, *rest, **more: _connect(parts.port, rest)
        connection.host = parts.hostname
    else:
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=60)
    try:
        target = parts.path + ("?" + parts.query if parts.query else "")
        connection.request(method, target, content, {"Host": parts.netloc, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def _connect(port, rest):
    import socket

    return socket.create_connection(("127.0.0.1", port), *rest)


def refused(t, what, status, code, method, url, content=None, headers=None):
    came, _, document = send(t, method, url, content, headers)
    found = re.search(rb"<Code>(\w+)</Code>", document)
    t.equal(what, (came, found.group(1).decode() if found else document), (status, code))


def round_trip(t, s3, style):
    """PUT, GET, HEAD and three parts by URL."""
    sign = lambda name, seconds=600, **params: s3.generate_presigned_url(name, Params={"Bucket": BUCKET, **params}, ExpiresIn=seconds)
    for key in [f"{style}/plain.bin", f"{style}/a b+c%d é&x=y/한글.bin"]:
        content = body(key, 100_000)
        url = sign("put_object", Key=key)
        expected_host = f"{BUCKET}." if style == "virtual" else ""
        t.true(f"the URL is of {style} style", urlsplit(url).hostname.startswith(expected_host or "127."), url)
        status, headers, document = send(t, "PUT", url, content)
        t.equal(f"{style} PUT of {key!r}", (status, headers.get("ETag"), document), (200, f'"{hashlib.md5(content).hexdigest()}"', b""))
        url = sign("get_object", Key=key)
        status, _, came = send(t, "GET", url)
        t.equal(f"{style} GET of {key!r}", (status, came), (200, content))
        status, headers, came = send(t, "GET", url, headers={"Range": "bytes=10-19"})
        t.equal(f"{style} GET of ten bytes", (status, headers.get("Content-Range"), came), (206, "bytes 10-19/100000", content[10:20]))
        status, headers, came = send(t, "HEAD", sign("head_object", Key=key))
        t.equal(f"{style} HEAD", (status, headers.get("Content-Length"), came), (200, "100000", b""))

    key = f"{style}/parts.bin"
    contents = [body(f"{style} {number}", size) for number, size in enumerate([5 * MIB, 5 * MIB + 7, 99], 1)]
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    urls = {number: sign("upload_part", Key=key, UploadId=upload, PartNumber=number) for number in [1, 2, 3]}
    etags = {}
    for number in [2, 3, 1]:
        status, headers, _ = send(t, "PUT", urls[number], contents[number - 1])
        etags[number] = headers.get("ETag")
        t.equal(f"{style} PUT of part {number}", (status, etags[number]), (200, f'"{hashlib.md5(contents[number - 1]).hexdigest()}"'))
    document = {"Parts": [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]}
    done = s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload=document)
    t.equal(f"{style} ETag of complete", done["ETag"], etag_of_parts(contents))
    status, _, came = send(t, "GET", sign("get_object", Key=key))
    t.equal(f"{style} GET of the parts", (status, came), (200, b"".join(contents)))


def refusals(t, s3):
    sign = lambda name, seconds=600, **params: s3.generate_presigned_url(name, Params={"Bucket": BUCKET, **params}, ExpiresIn=seconds)
    s3.put_object(Bucket=BUCKET, Key="secret", Body=b"content")
    s3.put_object(Bucket=BUCKET, Key="secret2", Body=b"other content")
    url = sign("get_object", Key="secret")
    t.equal("the untouched URL", send(t, "GET", url)[::2], (200, b"content"))

    refused(t, "another key", 403, "SignatureDoesNotMatch", "GET", url.replace("/secret?", "/secret2?"))
    last = "0" if url[-1] != "0" else "1"
    t.true("the URL ends in its signature", re.search(r"&X-Amz-Signature=[0-9a-f]{64}$", url) is not None, url[-90:])
    refused(t, "another signature", 403, "SignatureDoesNotMatch", "GET", url[:-1] + last)
    refused(t, "a longer life", 403, "SignatureDoesNotMatch", "GET", url.replace("X-Amz-Expires=600", "X-Amz-Expires=601"))
    refused(t, "a parameter more", 403, "SignatureDoesNotMatch", "GET", url + "&response-content-type=text%2Fhtml")
    refused(t, "PUT with a URL for GET", 403, "SignatureDoesNotMatch", "PUT", url, b"overwritten")
    refused(t, "DELETE with a URL for GET", 403, "SignatureDoesNotMatch", "DELETE", url)
    refused(t, "GET with a URL for PUT", 403, "SignatureDoesNotMatch", "GET", sign("put_object", Key="secret"))
    access = quote(t.keys()[0], safe="")
    refused(t, "another access key", 403, "InvalidAccessKeyId", "GET", url.replace(access, "A" * 20))
    refused(t, "no signature", 403, "AccessDenied", "GET", url.split("?")[0])
    refused(t, "a signature without a date", 400, "AuthorizationQueryParametersError", "GET", re.sub(r"&X-Amz-Date=[^&]*", "", url))
    refused(t, "a life of more than 7 days", 400, "AuthorizationQueryParametersError", "GET", sign("get_object", 604_801, Key="secret"))

    typed = sign("put_object", Key="typed", ContentType="image/bmp")
    refused(t, "PUT without the signed content type", 403, "SignatureDoesNotMatch", "PUT", typed, b"x", {"Content-Type": "text/html"})
    t.equal("PUT with the signed content type", send(t, "PUT", typed, b"x", {"Content-Type": "image/bmp"})[0], 200)
    t.equal("the content type that was stored", s3.head_object(Bucket=BUCKET, Key="typed")["ContentType"], "image/bmp")

    short = sign("get_object", 1, Key="secret")
    wait_for(lambda: send(t, "GET", short)[0] != 200, 10, 0.2)
    refused(t, "a URL after its life of 1 s", 403, "AccessDenied", "GET", short)
    t.equal("the object after all this", s3.get_object(Bucket=BUCKET, Key="secret")["Body"].read(), b"content")


def version_2(t, s3, style):
    """boto3's presigner as it is without `signature_version='s3v4'`."""
    sign = lambda name, seconds=600, **params: s3.generate_presigned_url(name, Params={"Bucket": BUCKET, **params}, ExpiresIn=seconds)
    for key in [f"v2 {style}/plain.bin", f"v2 {style}/a b+c%d é&x=y(1)/한글.bin"]:
        content = body(key, 100_000)
        url = sign("put_object", Key=key)
        t.true(f"{style}: version 2 made the URL", "AWSAccessKeyId=" in url and "X-Amz-" not in url, url)
        status, headers, document = send(t, "PUT", url, content)
        t.equal(f"{style} PUT of {key!r}, version 2", (status, headers.get("ETag"), document), (200, f'"{hashlib.md5(content).hexdigest()}"', b""))
        url = sign("get_object", Key=key)
        t.equal(f"{style} GET of {key!r}, version 2", send(t, "GET", url)[::2], (200, content))
        t.equal(f"{style} HEAD, version 2", send(t, "HEAD", sign("head_object", Key=key))[0], 200)
        named = sign("get_object", Key=key, ResponseContentType="text/x", ResponseContentDisposition='attachment; filename="a&b c.txt"')
        status, headers, _ = send(t, "GET", named)
        came = (status, headers.get("Content-Type"), headers.get("Content-Disposition"))
        t.equal(f"{style} GET with overrides, version 2", came, (200, "text/x", 'attachment; filename="a&b c.txt"'))
        refused(t, "GET with a URL for PUT, version 2", 403, "SignatureDoesNotMatch", "GET", sign("put_object", Key=key))
        refused(t, "another override, version 2", 403, "SignatureDoesNotMatch", "GET", named.replace("text%2Fx", "text%2Fhtml"))
        refused(t, "another key, version 2", 403, "SignatureDoesNotMatch", "GET", url.replace(".bin?", ".bit?"))

    typed = sign("put_object", Key="v2 typed", ContentType="image/bmp", Metadata={"made-by": "boto3"})
    refused(t, "PUT with another content type, version 2", 403, "SignatureDoesNotMatch", "PUT", typed, b"x", {"Content-Type": "text/html"})
    t.equal("PUT with the signed content type, version 2", send(t, "PUT", typed, b"x", {"Content-Type": "image/bmp"})[0], 200)
    status, headers, _ = send(t, "HEAD", sign("head_object", Key="v2 typed"))
    t.equal("type and metadata that were stored", (headers.get("Content-Type"), headers.get("x-amz-meta-made-by")), ("image/bmp", "boto3"))
    refused(t, "DELETE, version 2", 501, "NotImplemented", "DELETE", sign("delete_object", Key="v2 typed"))
    listed = send(t, "GET", sign("list_objects_v2", Prefix="v2 typed"))
    t.equal("listing, version 2", (listed[0], b"<KeyCount>1</KeyCount>" in listed[2]), (200, True))
    t.equal("a life of ten years, version 2", send(t, "GET", sign("get_object", 315_360_000, Key="v2 typed"))[0], 200)
    short = sign("get_object", 1, Key="v2 typed")
    wait_for(lambda: send(t, "GET", short)[0] != 200, 10, 0.2)
    refused(t, "a URL after its life of 1 s, version 2", 403, "AccessDenied", "GET", short)


def awscli(t, s3):
    """`aws s3 presign` as it is, and curl."""
    content = body("aws s3 presign", 10_000)
    s3.put_object(Bucket=BUCKET, Key="cli/a b.bin", Body=content)
    url = t.aws_ok("s3", "presign", f"s3://{BUCKET}/cli/a b.bin", "--expires-in", "600").out.strip()
    t.true("aws s3 presign of CLI 1 uses version 2", "AWSAccessKeyId=" in url, url)
    t.equal("GET of that URL", send(t, "GET", url)[::2], (200, content))
    refused(t, "that URL with a sub-resource more", 403, "SignatureDoesNotMatch", "GET", url + "&acl")
    if shutil.which("curl"):
        ca = ["--cacert", t.ca] if t.ca else []
        came = subprocess.run(["curl", "-sS", "--fail", *ca, url], capture_output=True, timeout=60)
        t.equal("curl of that URL", (came.returncode, came.stdout), (0, content))


def run(t):
    server = t.start()
    port = urlsplit(server.s3).port
    t.boto3().create_bucket(Bucket=BUCKET)
    round_trip(t, t.boto3("path"), "path")
    # Only the URLs are minted for conformance.localhost; the calls that boto3 sends itself go to the address.
    virtual = t.boto3("virtual", f"{t.scheme}://localhost:{port}")
    plain = t.boto3("path")
    virtual.create_multipart_upload = plain.create_multipart_upload
    virtual.complete_multipart_upload = plain.complete_multipart_upload
    round_trip(t, virtual, "virtual")
    refusals(t, plain)
    version_2(t, t.boto3("path", signature_version=None), "path")
    version_2(t, t.boto3("virtual", f"{t.scheme}://localhost:{port}", signature_version=None), "virtual")
    awscli(t, plain)


if __name__ == "__main__":
    main(run)
