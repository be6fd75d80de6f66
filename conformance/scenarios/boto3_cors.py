"""CORS documents by boto3 and the aws CLI, and what browsers send about them: preflights, presigned PUTs from a page, and answers that a page may
read."""

import json

import urllib3
from harness import body, main

BUCKET = "uploads"
KEY = "from a page/a b.bin"
APP = "https://app.example.com"
RULES = [
    {
        "ID": "pages",
        "AllowedOrigins": [APP, "https://*.pages.example.com"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["content-*", "x-amz-*"],
        "ExposeHeaders": ["ETag", "x-amz-request-id"],
        "MaxAgeSeconds": 600,
    },
    {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]},
]


def send(t, method, url, **headers):
    """One request by urllib3, with these headers, whose underscores are dashes. Returns status, headers, body."""
    content = headers.pop("content", None)
    pool = urllib3.PoolManager(ca_certs=t.ca, retries=False)
    answer = pool.request(method, url, body=content, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return answer.status, answer.headers, answer.data


def said(headers):
    """What an answer says of origins, by the last words of the names."""
    prefix = "access-control-"
    return {name.lower().removeprefix(prefix): value for name, value in headers.items() if name.lower().startswith(prefix)}


def documents(t, s3):
    t.refused("a bucket without rules", 404, "NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=BUCKET)
    answer = s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": RULES})
    t.equal("status of put_bucket_cors", answer["ResponseMetadata"]["HTTPStatusCode"], 200)
    t.equal("the rules", s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"], RULES)

    def put(*rules, **change):
        rules = rules or [{**RULES[1], **change}]
        return {"Bucket": BUCKET, "CORSConfiguration": {"CORSRules": list(rules)}}

    t.refused("a method that S3 does not have", 400, "InvalidRequest", s3.put_bucket_cors, **put(AllowedMethods=["PATCH"]))
    t.refused("an origin with two stars", 400, "InvalidRequest", s3.put_bucket_cors, **put(AllowedOrigins=["https://*.*"]))
    t.refused("a header with two stars", 400, "InvalidRequest", s3.put_bucket_cors, **put(AllowedHeaders=["*-*"]))
    t.refused("an exposed header with a star", 400, "InvalidRequest", s3.put_bucket_cors, **put(ExposeHeaders=["x-amz-*"]))
    t.refused("a rule without origin", 400, "MalformedXML", s3.put_bucket_cors, **put(AllowedOrigins=[]))
    t.refused("a hundred and one rules", 400, "InvalidRequest", s3.put_bucket_cors, **put(*RULES[1:] * 101))
    t.equal("the rules after refused ones", s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"], RULES)


def preflights(t, s3):
    url = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": KEY}, ExpiresIn=600)
    asks = {"Origin": APP, "Access_Control_Request_Method": "PUT"}
    status, headers, document = send(t, "OPTIONS", url, **asks, Access_Control_Request_Headers="Content-Type,x-amz-meta-a")
    expected = {
        "allow-origin": APP,
        "allow-methods": "GET, PUT",
        "allow-headers": "content-type, x-amz-meta-a",
        "expose-headers": "ETag, x-amz-request-id",
        "max-age": "600",
        "allow-credentials": "true",
    }
    t.equal("preflight of a presigned PUT", (status, said(headers), document), (200, expected, b""))
    vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
    t.equal("Vary of the preflight", headers.get("Vary"), vary)
    plain = f"{t.server.s3}/{BUCKET}"
    t.equal("preflight of the bucket", send(t, "OPTIONS", plain, **asks)[0], 200)
    for what, status, code, headers in [
        ("without origin", 400, b"BadRequest", {}),
        ("without method", 400, b"BadRequest", {"Origin": APP}),
        ("of another origin", 403, b"AccessForbidden", {**asks, "Origin": "https://example.com"}),
        ("of another method", 403, b"AccessForbidden", {**asks, "Access_Control_Request_Method": "DELETE"}),
        ("of another header", 403, b"AccessForbidden", {**asks, "Access_Control_Request_Headers": "range"}),
    ]:
        came, answered, document = send(t, "OPTIONS", url, **headers)
        t.equal(f"preflight {what}", (came, said(answered), b"<Code>" + code + b"</Code>" in document), (status, {}, True))


def requests(t, s3):
    content = body("a page's", 100_000)
    sign = lambda name: s3.generate_presigned_url(name, Params={"Bucket": BUCKET, "Key": KEY}, ExpiresIn=600)
    status, headers, _ = send(t, "PUT", sign("put_object"), content=content, Origin=APP, Content_Type="image/bmp")
    t.equal("presigned PUT from a page", (status, said(headers).get("allow-origin")), (200, APP))
    page = "https://one.pages.example.com"
    status, headers, came = send(t, "GET", sign("get_object"), Origin=page)
    t.equal("GET from a page of many", (status, said(headers).get("allow-origin"), came), (200, page, content))
    status, headers, _ = send(t, "GET", sign("get_object"), Origin="https://pages.example.com")
    t.equal("GET from another", (status, said(headers)), (200, {}))
    status, headers, _ = send(t, "HEAD", sign("head_object"), Origin="null")
    t.equal("HEAD from anywhere", (status, said(headers)), (200, {"allow-origin": "*", "allow-methods": "HEAD"}))
    status, headers, _ = send(t, "GET", sign("get_object"))
    t.equal("GET from no page", (status, said(headers)), (200, {}))
    status, headers, _ = send(t, "GET", sign("get_object") + "0", Origin=APP)
    t.equal("GET with a wrong signature", (status, said(headers).get("allow-origin")), (403, APP))


def command_line(t):
    rules = {"CORSRules": RULES[:1]}
    t.aws_ok("s3api", "put-bucket-cors", "--bucket", BUCKET, "--cors-configuration", json.dumps(rules))
    t.equal("rules by the aws CLI", t.aws_ok("s3api", "get-bucket-cors", "--bucket", BUCKET).json, rules)
    t.aws_ok("s3api", "delete-bucket-cors", "--bucket", BUCKET)
    t.aws_refused("NoSuchCORSConfiguration", "s3api", "get-bucket-cors", "--bucket", BUCKET)


def without_rules(t, s3):
    answer = s3.delete_bucket_cors(Bucket=BUCKET)
    t.equal("status of delete_bucket_cors", answer["ResponseMetadata"]["HTTPStatusCode"], 204)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": KEY}, ExpiresIn=600)
    status, headers, document = send(t, "OPTIONS", url, Origin=APP, Access_Control_Request_Method="GET")
    t.equal("preflight without rules", (status, said(headers), b"CORS is not enabled" in document), (403, {}, True))
    t.equal("GET without rules", said(send(t, "GET", url, Origin=APP)[1]), {})


def run(t):
    t.start()
    s3 = t.boto3()
    documents(t, s3)
    preflights(t, s3)
    requests(t, s3)
    command_line(t)
    without_rules(t, s3)


if __name__ == "__main__":
    main(run)
