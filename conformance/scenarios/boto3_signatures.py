"""2,000 random requests signed by botocore (header and query, signed, unsigned and trailing payloads) are accepted and mean what they
say; each change that touches what was signed is refused with the right code, each that does not is accepted.

The seed is printed; `SIGNATURES_SEED=n` repeats a run. What was stored is compared with a plain model at the end, so that a refused
request that left a trace is found too."""

import hashlib
import http.client
import io
import os
import random
import re
import ssl
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, urlsplit

from harness import main

# The certificate names this bucket's host.
BUCKET = "conformance"
REQUESTS = 2000
MISMATCH = (403, "SignatureDoesNotMatch")
DENIED = (403, "AccessDenied")
UNKNOWN_KEY = (403, "InvalidAccessKeyId")
HEADER_MALFORMED = (400, "AuthorizationHeaderMalformed")
QUERY_MALFORMED = (400, "AuthorizationQueryParametersError")
# A query that gives a parameter twice means nothing; that is said before anybody asks who signed it.
TWICE = (400, "InvalidArgument")
PIECES = [*"abcXYZ019-_.~", *" +%&=?#:;@!$'()*,[]\"<>\\^`{|}", "/", "/", "//", "..", "/../", "%2F", "%25", "\u00e9", "\ud55c\uae00", "\U0001f980", "\t", "\0"]
NAMES = ["x-amz-meta-plain", "X-Amz-Meta-CaSe", "x-amz-meta-dash-ed", "x-amz-meta-1", "Cache-Control", "Content-Language", "Accept", "X-Custom", "x-forwarded-for"]


@dataclass(frozen=True)
class Wire:
    """A request as it goes over the wire."""

    method: str
    host: str
    path: str
    query: str
    headers: tuple
    body: bytes
    chunked: bool = False
    # What the random part was, for the mutations: names of headers, and pairs of the query.
    own_headers: tuple = ()
    own_pairs: tuple = ()
    payload: str = "signed"
    presigned: bool = False

    @property
    def authorization(self):
        return self.header("Authorization")

    def header(self, name):
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def set(self, name, value):
        """With the first header of this name changed."""
        headers, done = [], False
        for known, old in self.headers:
            hit = known.lower() == name.lower() and not done
            done |= hit
            headers.append((known, value if hit else old))
        return replace(self, headers=tuple(headers))

    def without(self, name):
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0].lower() != name.lower()))

    def credentials(self, old, new):
        """With a piece of the credentials changed, wherever they stand."""
        if not self.presigned:
            changed = self.set("Authorization", self.authorization.replace(old, new, 1))
        else:
            changed = replace(self, query=self.query.replace(quote(old, safe="=-_.~"), quote(new, safe="=-_.~"), 1))
        return changed if changed != self else None


class Client:
    """One connection, kept alive."""

    def __init__(self, t):
        address = urlsplit(t.server.s3)
        self.port = address.port
        if t.scheme == "https":
            context = ssl.create_default_context(cafile=t.ca)
            self.connection = http.client.HTTPSConnection("127.0.0.1", address.port, timeout=60, context=context)
        else:
            self.connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)

    def send(self, wire):
        """Status, S3's error code (None without one), headers, body."""
        connection = self.connection
        connection.putrequest(wire.method, wire.path + ("?" + wire.query if wire.query else ""), skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", wire.host)
        for name, value in wire.headers:
            connection.putheader(name, value)
        body = wire.body
        if wire.chunked:
            connection.putheader("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        elif wire.header("Content-Length") is None and (body or wire.method in ("PUT", "POST")):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        document = answer.read()
        found = re.search(rb"<Code>(\w+)</Code>", document) if answer.status >= 400 else None
        return answer.status, found.group(1).decode() if found else None, answer.headers, document


@dataclass
class Signer:
    """botocore's signers, and the random requests they sign."""

    rng: random.Random
    scheme: str
    port: int
    access: str
    secret: str
    stored: dict = field(default_factory=dict)

    def text(self, longest):
        return "".join(self.rng.choices(PIECES, k=self.rng.randint(1, longest)))

    def request(self):
        """A random request of a random kind: a Wire, and the key it is about."""
        rng = self.rng
        kind = rng.choices(["PUT", "GET", "HEAD", "DELETE", "uploads", "delete", "list"], [35, 25, 10, 8, 8, 7, 7])[0]
        known = rng.choice(sorted(self.stored)) if self.stored else "none"
        key = known if kind in ("GET", "HEAD", "DELETE", "delete") and rng.random() < 0.7 else self.text(12)
        method, target, pairs, body = kind, key, [], b""
        if kind == "PUT":
            body = rng.randbytes(rng.choice([0, 1, 100, rng.randint(2, 9000)]))
        elif kind == "uploads":
            method, pairs = "POST", ["uploads" + rng.choice(["", "="])]
        elif kind == "list":
            method, target, pairs = "GET", None, ["list-type=2", "encoding-type=url", "prefix=" + quote(self.text(3), safe="-_.~")]
        elif kind == "delete":
            method, target, pairs = "POST", None, ["delete" + rng.choice(["", "="])]
            key = key if key.isprintable() else "none"
            spelt = key.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            body = f"<Delete><Object><Key>{spelt}</Key></Object></Delete>".encode()
        own = [f"q{quote(self.text(3), safe='-_.~')}{rng.choice(['', '=', '=' + quote(self.text(6), safe='-_.~')])}" for _ in range(rng.randint(0, 4))]
        own = list({pair.partition("=")[0]: pair for pair in own}.values())
        pairs = pairs + own
        rng.shuffle(pairs)
        wire = self.sign(method, target, "&".join(pairs), body, presigned=rng.random() < 0.4, own=tuple(own))
        return wire, kind, key

    def sign(self, method, key, query, body, presigned, own=()):
        from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
        from botocore.awsrequest import AWSRequest
        from botocore.config import Config
        from botocore.credentials import Credentials

        rng = self.rng
        virtual = rng.random() < 0.3
        host = f"{BUCKET}.localhost:{self.port}" if virtual else rng.choice([f"127.0.0.1:{self.port}", f"localhost:{self.port}"])
        path = ("" if virtual else f"/{BUCKET}") + ("" if key is None else "/" + quote(key, safe="/~"))
        path = path or "/"
        request = AWSRequest(method, f"{self.scheme}://{host}{path}" + ("?" + query if query else ""))
        names = rng.sample(NAMES, rng.randint(0, 4))
        for name in names:
            for _ in range(rng.choice([1, 1, 1, 2])):
                request.headers[name] = self.odd_value()
        if method == "POST" and body:
            request.headers["Content-MD5"] = b64encode(hashlib.md5(body).digest()).decode()
        if body and rng.random() < 0.3:
            request.headers["Content-Type"] = rng.choice(["text/plain;  charset=utf-8", "image/bmp"])
        payload = rng.choice(["signed", "unsigned", "trailer"] if body and method == "PUT" and not presigned else ["signed", "unsigned"])
        payload = "unsigned" if presigned else payload
        chunked = payload == "trailer" and rng.random() < 0.5
        if payload == "trailer":
            body = self.trail(request, body)
        elif payload == "unsigned":
            request.context["client_config"] = Config(s3={"payload_signing_enabled": False})
        else:
            request.data = body
        if not chunked and body and rng.random() < 0.3:
            request.headers["Content-Length"] = str(len(body))
        if not presigned and rng.random() < 0.1:
            request.headers["Date"] = "set by the signer"
        signer = S3SigV4QueryAuth if presigned else S3SigV4Auth
        more = {"expires": rng.choice([60, 3600, 604_800])} if presigned else {}
        signer(Credentials(self.access, self.secret), "s3", "us-east-1", **more).add_auth(request)
        signed = urlsplit(request.url)
        headers = tuple(request.headers.items())
        return Wire(method, host, signed.path, signed.query, headers, body, chunked, tuple(names), own, payload, presigned)

    def odd_value(self):
        """Words with runs of blanks between and around them, or nothing."""
        rng = self.rng
        blank = lambda least: "".join(rng.choices(" \t", [9, 1], k=rng.randint(least, 3)))
        words = ["".join(rng.choices("abcXYZ019-_.~+%/;=,:'()\"", k=rng.randint(1, 8))) for _ in range(rng.randint(0, 4))]
        return blank(0) + "".join(word + blank(1) for word in words)

    def trail(self, request, body):
        """The body in aws-chunked framing with a checksum behind it, as botocore writes it."""
        from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum

        name = "x-amz-checksum-crc32"
        request.context["checksum"] = {"request_algorithm": {"in": "trailer", "algorithm": "crc32", "name": name}}
        request.headers["Content-Encoding"] = "aws-chunked"
        request.headers["X-Amz-Trailer"] = name
        request.headers["X-Amz-Decoded-Content-Length"] = str(len(body))
        # S3 takes chunks of 8 KiB and more, but for the last.
        wrapper = AwsChunkedWrapper(io.BytesIO(body), Crc32Checksum, name, self.rng.choice([8192, 1 << 20]))
        return wrapper.read()


def decoded(wire):
    """What the body of a PUT stores."""
    if wire.payload != "trailer":
        return wire.body
    rest, content = wire.body, b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            return content
        content, rest = content + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


def expected(signer, wire, kind, key):
    """Status and body that the model foresees; None where any body will do."""
    there = signer.stored.get(key)
    if kind in ("GET", "HEAD"):
        return (404, None) if there is None else (200, there if kind == "GET" else b"")
    return {"PUT": 200, "DELETE": 204, "uploads": 200, "delete": 200, "list": 200}[kind], None


def remember(signer, wire, kind, key):
    if kind == "PUT":
        signer.stored[key] = decoded(wire)
    elif kind in ("DELETE", "delete"):
        signer.stored.pop(key, None)


def flipped(rng, text, among="0123456789abcdef"):
    """The text with one character changed."""
    at = rng.randrange(len(text))
    return text[:at] + rng.choice([other for other in among if other != text[at]]) + text[at + 1 :]


def scope(wire):
    """Key, date, region and service of the credentials, as one text."""
    text = wire.authorization if not wire.presigned else unquote(wire.query)
    return re.search(r"Credential=([^,&]+/aws4_request)", text).group(1)


def signature(wire):
    return re.search(r"Signature=([0-9a-f]{64})", wire.query if wire.presigned else wire.authorization).group(1)


def signed_headers(wire):
    text = unquote(wire.query) if wire.presigned else wire.authorization
    return re.search(r"SignedHeaders=([^,&]+)", text).group(1).split(";")


def other_target(rng, wire):
    """Changes of what the request is about."""
    method = {"GET": "DELETE", "PUT": "GET", "HEAD": "GET", "DELETE": "GET"}.get(wire.method)
    prefix = "/" if wire.host.startswith(BUCKET) else f"/{BUCKET}/"
    key = unquote(wire.path[len(prefix) :])
    if key and method and not wire.chunked:
        yield "another method", replace(wire, method=method), MISMATCH
    if key:
        at = rng.randrange(len(key))
        other = key[:at] + ("Q" if key[at] != "Q" else "R") + key[at + 1 :]
        yield "another character of the key", replace(wire, path=prefix + quote(other, safe="/~")), MISMATCH
        yield "a longer key", replace(wire, path=wire.path + "x"), MISMATCH
        yield "a slash more", replace(wire, path=prefix + "/" + wire.path[len(prefix) :]), MISMATCH
    if "%" in wire.path:
        yield "a key escaped once more", replace(wire, path=wire.path.replace("%", "%25")), MISMATCH
    if prefix != "/":
        yield "another bucket", replace(wire, path=wire.path.replace(BUCKET, BUCKET + "2", 1)), MISMATCH
    name, _, port = wire.host.partition(":")
    yield "another host", replace(wire, host=f"{name + '.' if prefix == '/' else 's3.example.com'}:{port}"), MISMATCH
    yield "another port in the host", replace(wire, host=f"{name}:1"), MISMATCH


def other_query(rng, wire):
    """Changes of parameters that mean nothing by themselves."""
    pairs = wire.query.split("&") if wire.query else []
    yield "a parameter more", replace(wire, query="&".join([*pairs, "zz=1"])), MISMATCH
    yield "an empty parameter more", replace(wire, query="&".join(["zz", *pairs])), MISMATCH
    own = [pair for pair in pairs if pair.startswith("q")]
    if not own:
        return
    pair = rng.choice(own)
    name, _, value = pair.partition("=")
    put = lambda *new: replace(wire, query="&".join(piece for old in pairs for piece in (new if old == pair else [old])))
    yield "another value of a parameter", put(f"{name}={value}1"), MISMATCH
    yield "another name of a parameter", put(f"{name}1={value}"), MISMATCH
    yield "a parameter less", put(), MISMATCH
    yield "a parameter twice", put(pair, pair), TWICE
    yield "a parameter twice, the second empty", put(pair, name), TWICE
    yield "a separator that is data", put(f"{name}={value}%26zz=1"), MISMATCH
    yield "a parameter's name in capitals", put(f"Q{name[1:]}={value}"), MISMATCH


def other_headers(rng, wire):
    """Changes of headers and of the list of those that are signed."""
    if wire.own_headers:
        name = rng.choice(wire.own_headers)
        yield "another value of a signed header", wire.set(name, wire.header(name) + "x"), MISMATCH
        yield "a signed header less", wire.without(name), MISMATCH
        yield "a signed header twice", replace(wire, headers=(*wire.headers, (name, "x"))), MISMATCH
        yield "a signed header twice, the second empty", replace(wire, headers=(*wire.headers, (name, ""))), MISMATCH
        listed = ";".join(signed_headers(wire))
        less = ";".join(other for other in signed_headers(wire) if other != name.lower())
        code = DENIED if name.lower().startswith("x-amz-") else MISMATCH
        yield f"a header off the list, {code[1]}", wire.credentials(f"SignedHeaders={listed}", f"SignedHeaders={less}"), code
        backwards = ";".join(reversed(signed_headers(wire)))
        yield "the list of headers backwards", wire.credentials(f"SignedHeaders={listed}", f"SignedHeaders={backwards}"), MISMATCH
        yield "host off the list", wire.credentials(";host", "") or wire.credentials("host;", ""), DENIED
    yield "an unsigned x-amz- header", replace(wire, headers=(*wire.headers, ("x-amz-meta-sneaked", "in"))), DENIED
    yield "a name more on the list", wire.credentials("SignedHeaders=", "SignedHeaders=absent;"), MISMATCH


def other_credentials(rng, wire, signer):
    """Changes of the credentials themselves."""
    malformed = QUERY_MALFORMED if wire.presigned else HEADER_MALFORMED
    key, date, region, service, terminal = scope(wire).rsplit("/", 4)
    changed = lambda *fields: wire.credentials("Credential=" + scope(wire), "Credential=" + "/".join(fields))
    yield "another day", changed(key, str(int(date) - 1), region, service, terminal), malformed
    yield "another region", changed(key, date, "eu-west-1", service, terminal), malformed
    yield "another service", changed(key, date, region, "sqs", terminal), malformed
    yield "another terminal", changed(key, date, region, service, "aws5_request"), malformed
    yield "a key nobody has", changed("AKIA" + key[4:][::-1] + "X", date, region, service, terminal), UNKNOWN_KEY
    now = signature(wire)
    for what, new in [("another digit", flipped(rng, now)), ("half", now[:32]), ("none", ""), ("a digit more", now + "0"), ("no digits", "z" * 64)]:
        yield f"a signature with {what}", wire.credentials(f"Signature={now}", f"Signature={new}"), MISMATCH
    stranger = replace_secret(signer).sign("GET", None, "list-type=2", b"", wire.presigned)
    yield "a signature by another secret", stranger, MISMATCH
    if wire.presigned:
        life = re.search(r"X-Amz-Expires=(\d+)", wire.query).group(1)
        yield "another life", replace(wire, query=wire.query.replace(f"Expires={life}", f"Expires={int(life) - 1}")), MISMATCH
        yield "a life beyond a week", replace(wire, query=wire.query.replace(f"Expires={life}", "Expires=604801")), malformed
        yield "another algorithm", wire.credentials("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), malformed
        parameter = rng.choice([pair for pair in wire.query.split("&") if pair.startswith("X-Amz-")])
        yield "a parameter of the credentials less", replace(wire, query="&".join(p for p in wire.query.split("&") if p != parameter)), malformed
        yield "a parameter of the credentials twice", replace(wire, query=f"{wire.query}&{parameter}"), TWICE
        both = ("Authorization", f"AWS4-HMAC-SHA256 Credential={scope(wire)}, SignedHeaders=host, Signature={now}")
        yield "credentials in both places", replace(wire, headers=(*wire.headers, both)), (400, "InvalidArgument")
        yield "another time", replace(wire, query=re.sub(r"(X-Amz-Date=\d+T\d+)\dZ", lambda found: found.group(1) + "XZ", wire.query)), malformed
    else:
        yield "no credentials", wire.without("Authorization"), DENIED
        yield "credentials twice", replace(wire, headers=(*wire.headers, ("Authorization", wire.authorization))), (400, "InvalidArgument")
        stamp = wire.header("X-Amz-Date")
        if stamp:
            yield "another second", wire.set("X-Amz-Date", f"{stamp[:-3]}{(int(stamp[-3:-1]) + 1) % 60:02}Z"), MISMATCH
            yield "no time", wire.without("X-Amz-Date"), DENIED


def replace_secret(signer):
    return Signer(signer.rng, signer.scheme, signer.port, signer.access, flipped(signer.rng, signer.secret))


def other_payload(rng, wire):
    """Changes of the body and of what stands for it."""
    if wire.presigned:
        return
    declared = wire.header("X-Amz-Content-SHA256")
    yield "another hash of the body", wire.set("X-Amz-Content-SHA256", flipped(rng, hashlib.sha256(wire.body).hexdigest())), MISMATCH
    if declared != "UNSIGNED-PAYLOAD":
        yield "a body said to be unsigned", wire.set("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"), MISMATCH
    yield "no hash of the body", wire.without("X-Amz-Content-SHA256"), (400, "InvalidRequest")
    if not wire.body or wire.payload == "unsigned":
        return
    at = wire.body.index(b"\r\n") + 2 if wire.payload == "trailer" else rng.randrange(len(wire.body))
    body = wire.body[:at] + bytes([wire.body[at] ^ 1]) + wire.body[at + 1 :]
    yield f"another {wire.payload} body", replace(wire, body=body), (400, "BadDigest" if wire.payload == "trailer" else "XAmzContentSHA256Mismatch")


def harmless(rng, wire):
    """Changes that no signature covers, and the spelling that every proxy may change."""
    pairs = wire.query.split("&") if wire.query else []
    if len(pairs) > 1:
        yield "parameters in another order", replace(wire, query="&".join(rng.sample(pairs, len(pairs))))
    first = {name.lower(): at for at, (name, _) in reversed(list(enumerate(wire.headers)))}
    order = rng.sample(sorted(first), len(first))
    yield "headers in another order", replace(wire, headers=tuple(sorted(wire.headers, key=lambda pair: order.index(pair[0].lower()))))
    yield "names of headers in capitals", replace(wire, headers=tuple((name.upper(), value) for name, value in wire.headers))
    yield "unsigned headers more", replace(wire, headers=(*wire.headers, ("Referer", "http://a/"), ("X-Forwarded-Proto", "https"), ("Via", "1.1 p")))
    lower = lambda text: re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), text)
    yield "escapes in small letters", replace(wire, path=lower(wire.path), query=lower(wire.query))
    more = lambda text: re.sub("(?<![%0-9A-Fa-f])[g-z]", lambda found: f"%{ord(found.group()):02X}", text)
    prefix = "/" if wire.host.startswith(BUCKET) else f"/{BUCKET}"
    yield "letters escaped in the path", replace(wire, path=prefix + more(wire.path[len(prefix) :]))
    yield "blanks around values", replace(wire, headers=tuple((name, f" {value} \t") for name, value in wire.headers))
    if not wire.presigned:
        yield "blanks between components", wire.set("Authorization", wire.authorization.replace(", ", " ,  "))
        yield "no blanks between components", wire.set("Authorization", wire.authorization.replace(", ", ","))


def mutations(rng, wire, signer):
    for group in [other_target(rng, wire), other_query(rng, wire), other_headers(rng, wire), other_credentials(rng, wire, signer), other_payload(rng, wire)]:
        for name, changed, answer in group:
            if changed is not None:
                yield f"{'query' if wire.presigned else 'header'}: {name}", changed, answer


def run(t):
    server = t.start()
    t.boto3().create_bucket(Bucket=BUCKET)
    seed = int(os.environ.get("SIGNATURES_SEED") or random.SystemRandom().randrange(1 << 32))
    t.note(f"seed {seed}")
    client = Client(t)
    signer = Signer(random.Random(seed), t.scheme, urlsplit(server.s3).port, *t.keys())
    every = 40 if t.quick else 10
    wrong, kinds, tried, failed = [], Counter(), Counter(), {}
    for number in range(REQUESTS):
        wire, kind, key = signer.request()
        status, code, headers, document = client.send(wire)
        foreseen, content = expected(signer, wire, kind, key)
        kinds[kind, wire.payload, "query" if wire.presigned else "header"] += 1
        if (status, content) != (foreseen, content if content is None else document):
            wrong.append((number, status, code, wire))
            continue
        remember(signer, wire, kind, key)
        if kind == "PUT" and headers.get("ETag") != f'"{hashlib.md5(decoded(wire)).hexdigest()}"':
            wrong.append((number, "ETag", headers.get("ETag"), wire))
        if number % every == 0:
            vary(client, signer, wire, kind, key, tried, failed)
    t.equal(f"{REQUESTS} requests signed by botocore: those with another answer than foreseen", wrong[:3], [])
    t.true("every kind of request, payload and place of the credentials came up", len(kinds) == 22, sorted(kinds.items()))
    for name in sorted(tried):
        t.equal(f"{name}, {tried[name]} times", failed.get(name, [])[:2], [])
    s3 = t.boto3()
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    t.equal("keys that are there in the end", sorted(entry["Key"] for page in pages for entry in page.get("Contents", [])), sorted(signer.stored))
    bodies = {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in signer.stored}
    t.true("their bodies are those that were signed", bodies == signer.stored, f"{len(bodies)} objects")


def vary(client, signer, wire, kind, key, tried, failed):
    """Sends every change of a request that was just accepted, and then the harmless ones."""
    for name, changed, answer in mutations(signer.rng, wire, signer):
        tried[name] += 1
        status, code, _, _ = client.send(changed)
        came = (status, code) if changed.method != "HEAD" else (status, answer[1])
        if came != answer:
            failed.setdefault(name, []).append((came, answer, changed))
    for name, changed in harmless(signer.rng, wire):
        name = f"harmless: {name}"
        tried[name] += 1
        foreseen, _ = expected(signer, changed, kind, key)
        status, code, _, _ = client.send(changed)
        if status != foreseen:
            failed.setdefault(name, []).append(((status, code), foreseen, changed))


if __name__ == "__main__":
    main(run)
