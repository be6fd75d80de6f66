"""What every scenario needs: a wharf of its own, the real clients pointed at it, and checks that say what they saw.

A scenario is a file in `scenarios/` with a function `run(t)`; `t` is a `Scenario`. It ends with `main(run)`. `suite.py` runs it as a
process of its own, once over HTTP and once over HTTPS. A failed check is printed and counted and the scenario goes on; an
exception ends it. Exit status: 0 all checks held, 1 some did not, 77 the scenario could not run here (a client is missing).

Every request is tried once: a client that retries would hide an answer that ought not to have been given.
"""

import argparse
import hashlib
import json
import os
import random
import re
import select
import signal
import ssl
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
CRT = HERE / ".venv" / "crt"
NOT_RUN = 77
MIB = 1 << 20
READY_SECONDS = 60
STOP_SECONDS = 20
CLIENT_SECONDS = 900


class NotRun(Exception):
    """This machine lacks what the scenario needs; the text says what."""


def isolate(home):
    """Empties this process's environment of everything that steers AWS clients, proxies or wharf, for its children too."""
    for name in list(os.environ):
        steering = name.startswith(("AWS_", "BOTO", "WHARF_", "MINIO_", "PYTHON"))
        if steering or name.lower().endswith("_proxy"):
            del os.environ[name]
    home.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        HOME=str(home),
        LC_ALL="C.UTF-8",
        PYTHONDONTWRITEBYTECODE="1",
        PYTHONUTF8="1",
        AWS_CONFIG_FILE=str(home / "config"),
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_MAX_ATTEMPTS="1",
        AWS_RETRY_MODE="standard",
    )


def crt_available():
    return (CRT / "awscrt").is_dir()


def use_crt():
    """Puts AWS's C runtime on the path. Called before boto3 is imported, botocore signs and checksums with it."""
    if crt_available() and str(CRT) not in sys.path:
        sys.path.insert(0, str(CRT))


def wait_for(question, deadline_seconds, pause_seconds=0.05):
    """Asks until the answer is truthy or the time is over; returns the last answer."""
    end = time.monotonic() + deadline_seconds
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(pause_seconds)


def shown(value):
    """A value in one line: long bytes as length and digest, long text cut."""
    text = repr(_shortened(value))
    return text if len(text) <= 600 else text[:600] + f"... ({len(text)} characters)"


def _shortened(value):
    if isinstance(value, (bytes, bytearray)) and len(value) > 200:
        return f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()[:16]}"
    if isinstance(value, tuple):
        return tuple(map(_shortened, value))
    return value


def first_difference(came, expected):
    """Where two long values part, so that a failure can be read."""
    if type(came) is not type(expected) or not isinstance(came, (bytes, bytearray, list)):
        return ""
    for index, (left, right) in enumerate(zip(came, expected)):
        if left != right:
            return f"; first difference at {index}: came {left!r}, expected {right!r}"
    return f"; lengths {len(came)} and {len(expected)}"


def etag_of_parts(bodies):
    """S3's ETag of a multipart object, computed here: MD5 over the parts' MD5s, and their count."""
    digests = [hashlib.md5(body).digest() for body in bodies]
    return f'"{hashlib.md5(b"".join(digests)).hexdigest()}-{len(digests)}"'


def sha256_of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(MIB):
            digest.update(piece)
    return digest.hexdigest()


def body(seed, size):
    """`size` bytes that depend on the seed alone."""
    return random.Random(seed).randbytes(size)


class Server:
    """One running wharf."""

    def __init__(self, binary, data_dir, log, arguments, listen):
        command = [binary, "serve", "--data-dir", str(data_dir), "--s3-listen", listen[0], "--api-listen", listen[1]]
        self.log = log
        started = time.monotonic()
        with open(log, "ab") as stderr:
            self.process = subprocess.Popen(command + arguments, stdout=subprocess.PIPE, stderr=stderr)
        self.pid = self.process.pid
        try:
            self.ready_line = self._first_line(READY_SECONDS)
            ready = json.loads(self.ready_line)
        except Exception:
            self.kill()
            raise
        self.ready_seconds = time.monotonic() - started
        self.ready = ready
        self.s3 = ready["s3"]
        self.api = ready["api"]
        self.data_dir = data_dir

    def _first_line(self, seconds):
        end = time.monotonic() + seconds
        line = b""
        descriptor = self.process.stdout.fileno()
        while not line.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise RuntimeError(f"wharf printed no ready line within {seconds} s; it printed {line!r}")
            piece = os.read(descriptor, 1)
            if not piece:
                status = self.process.wait(STOP_SECONDS)
                raise RuntimeError(f"wharf ended with status {status} before it was ready; it printed {line!r}")
            line += piece
        return line

    @property
    def credentials(self):
        return self.data_dir / "credentials"

    def memory_peak_bytes(self):
        """The process's peak resident memory (VmHWM), None where the system does not say."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return None
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        return int(found.group(1)) * 1024 if found else None

    def cpu_seconds(self):
        """Processor time the process took so far, None where the system does not say."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self):
        """SIGKILL: no chance to tidy up."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """SIGTERM; returns the exit status and what else stood on stdout."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            rest, _ = self.process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return f"still running {STOP_SECONDS} s after SIGTERM", b""
        return self.process.returncode, rest


class Result:
    """What a finished client left: status, output, and S3's error code if it named one."""

    def __init__(self, command, finished):
        self.command = command
        self.status = finished.returncode
        self.out = finished.stdout.decode("utf-8", "replace")
        self.err = finished.stderr.decode("utf-8", "replace")
        found = re.search(r"An error occurred \((\w+)\)", self.err)
        self.code = found.group(1) if found else None

    @property
    def json(self):
        return json.loads(self.out) if self.out.strip() else {}


class Scenario:
    """What a scenario is given: `scheme`, `quick`, an empty folder `work`, and the methods below."""

    def __init__(self, arguments):
        self.scheme = arguments.scheme
        self.quick = arguments.quick
        self.work = Path(arguments.work)
        self.server = None
        self.failures = 0
        self.wharf = arguments.wharf
        self._certificates = Path(arguments.certificates)
        self._clients = {}

    # -- checks ------------------------------------------------------------------------------------------------------

    def note(self, text):
        print(f"note    {text}", flush=True)

    def not_run(self, text):
        """A part of the scenario that this machine cannot run; the suite repeats the line under its table."""
        print(f"not run {text}", flush=True)

    def equal(self, what, came, expected):
        if came == expected:
            print(f"ok      {what}: {shown(came)}", flush=True)
            return True
        self.failures += 1
        print(f"FAILED  {what}\n        expected {shown(expected)}\n        came     {shown(came)}{first_difference(came, expected)}", flush=True)
        return False

    def true(self, what, holds, came):
        """A condition that is no equality; `what` says what is expected."""
        if holds:
            print(f"ok      {what}: {shown(came)}", flush=True)
            return True
        self.failures += 1
        print(f"FAILED  expected: {what}\n        came     {shown(came)}", flush=True)
        return False

    # -- the server --------------------------------------------------------------------------------------------------

    def start(self, *arguments, listen=("127.0.0.1:0", "127.0.0.1:0")):
        """Starts wharf over `work/data`, on free ports or on those of `listen`; the clients below follow it."""
        flags = [*arguments, *self.tls_flags()]
        self.server = Server(self.wharf, self.work / "data", self.work / "server.log", flags, listen)
        self._clients = {}
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(self.server.credentials)
        if self.ca:
            os.environ["AWS_CA_BUNDLE"] = self.ca
        if not self.server.s3.startswith(self.scheme + "://"):
            self.equal("scheme of the ready line's s3 address", self.server.s3, f"{self.scheme}://...")
        return self.server

    def tls_flags(self):
        """The flags of the HTTPS half, none over HTTP."""
        if self.scheme == "http":
            return []
        return ["--tls-cert", str(self._certificates / "server.pem"), "--tls-key", str(self._certificates / "server.key")]

    def stop(self):
        """Stops wharf as a service manager does and checks how it went."""
        server, self.server = self.server, None
        status, rest = server.stop()
        self.equal("exit status after SIGTERM", status, 0)
        self.equal("standard output after the ready line", rest, b"")

    def kill(self):
        """Stops wharf as a power cut of the process does."""
        server, self.server = self.server, None
        server.kill()

    def kill_and_start(self, *arguments, between=None):
        """Kills wharf and starts it on the same ports, for clients that know it by its address."""
        listen = [address.split("://")[1] for address in (self.server.s3, self.server.api)]
        self.kill()
        if between:
            between()
        return self.start(*arguments, listen=listen)

    @property
    def ca(self):
        """The certificate authority to trust, None over HTTP."""
        return str(self._certificates / "ca.pem") if self.scheme == "https" else None

    @property
    def server_certificate(self):
        """wharf's own certificate of the HTTPS half."""
        return self._certificates / "server.pem"

    def keys(self):
        """The access key and secret key wharf made at its first start."""
        text = self.server.credentials.read_text()
        access = re.search(r"^aws_access_key_id\s*=\s*(\S+)$", text, re.MULTILINE)
        secret = re.search(r"^aws_secret_access_key\s*=\s*(\S+)$", text, re.MULTILINE)
        return access.group(1), secret.group(1)

    def token(self):
        """A bearer token for the API with all rights of the root key, as `wharf key token` makes it."""
        return self.administer("key", "token", self.keys()[0]).strip()

    def administer(self, *words):
        """What a command of the administration prints, asked of the running wharf."""
        command = [self.wharf, *words, "--data-dir", str(self.server.data_dir)]
        made = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=self.work)
        self.equal(f"exit status of wharf {' '.join(words[:2])}", made.returncode if made.returncode == 0 else made.stderr, 0)
        return made.stdout

    def api_call(self, method, path, content=None, fields=None, **headers):
        """One request to the API port by urllib3: status, headers, body. Underscores of headers' names are dashes; `fields` make a form."""
        import urllib3

        pool = urllib3.PoolManager(ca_certs=self.ca, retries=False, timeout=120)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        what = {"fields": fields} if fields is not None else {"body": content}
        answer = pool.request(method, path if "://" in path else self.server.api + path, headers=headers, redirect=False, **what)
        return answer.status, answer.headers, answer.data

    def blob_files(self):
        """Files below the data dir's `blobs`."""
        return sum(len(files) for _, _, files in os.walk(self.server.data_dir / "blobs"))

    def blobs_become(self, what, expected, seconds=60):
        """Waits for garbage collection: as many blob files as the objects and uploads need, and no more."""
        wait_for(lambda: self.blob_files() == expected, seconds, 0.2)
        return self.equal(f"blob files {what}", self.blob_files(), expected)

    def api_get(self, path):
        """Status and body of a GET on the API port."""
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        try:
            with urllib.request.urlopen(self.server.api + path, context=context, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()

    # -- clients -----------------------------------------------------------------------------------------------------

    def aws_command(self, *words):
        """The aws CLI's command line, for those who start it themselves."""
        return [str(Path(sys.prefix) / "bin" / "aws"), "--endpoint-url", self.server.s3, *map(str, words)]

    def aws(self, *words, crt=False):
        """Runs the aws CLI to its end."""
        command = self.aws_command(*words)
        environment = dict(os.environ, PYTHONPATH=str(CRT)) if crt else None
        finished = subprocess.run(command, capture_output=True, timeout=CLIENT_SECONDS, env=environment, cwd=self.work)
        return Result(command, finished)

    def aws_ok(self, *words, crt=False):
        """Runs the aws CLI and checks that it exits 0; returns its result."""
        result = self.aws(*words, crt=crt)
        name = "aws " + " ".join(str(word) for word in words[:2])
        came = result.status if result.status == 0 else f"{result.status}: {result.err.strip() or result.out.strip()}"
        self.equal(f"exit status of {name}", came, 0)
        return result

    def aws_refused(self, code, *words, crt=False):
        """Runs the aws CLI and checks that S3 refuses with this error code."""
        result = self.aws(*words, crt=crt)
        name = "aws " + " ".join(str(word) for word in words[:2])
        came = result.code or f"status {result.status}, {result.err.strip()}"
        self.equal(f"error code of {name}", came, code)
        return result

    def boto3(self, style="path", endpoint=None, signature_version="s3v4", keys=None, service="s3"):
        """A boto3 client; `style` is `path` or `virtual`. Without a signature version it presigns as boto3 does by itself.

        `keys` are an access key, a secret key and, for temporary ones, a session token; else those of `self.keys()`.
        """
        import boto3
        from botocore.config import Config

        name = (style, endpoint, signature_version, keys, service)
        if name not in self._clients:
            access, secret, *token = keys or self.keys()
            self._clients[name] = boto3.client(
                service,
                endpoint_url=endpoint or self.server.s3,
                aws_access_key_id=access,
                aws_secret_access_key=secret,
                aws_session_token=token[0] if token else None,
                region_name="us-east-1",
                verify=self.ca or True,
                config=Config(
                    signature_version=signature_version if service == "s3" else "v4",
                    s3={"addressing_style": style},
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    connect_timeout=10,
                    read_timeout=120,
                    max_pool_connections=32,
                ),
            )
        return self._clients[name]

    def refused(self, what, status, code, call, **arguments):
        """Calls boto3 and checks that S3 refuses with this status and error code."""
        from botocore.exceptions import ClientError

        try:
            answer = call(**arguments)
            came = ("no error", answer["ResponseMetadata"]["HTTPStatusCode"])
        except ClientError as error:
            came = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        return self.equal(what, came, (code, status))


def main(run):
    """The body of every scenario file."""
    parser = argparse.ArgumentParser(description="One conformance scenario; conformance/run starts it.")
    parser.add_argument("--wharf", required=True, help="the wharf binary")
    parser.add_argument("--scheme", choices=["http", "https"], required=True)
    parser.add_argument("--work", required=True, help="an empty folder")
    parser.add_argument("--certificates", required=True, help="folder of ca.pem, server.pem and server.key")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    scenario = Scenario(arguments)
    isolate(scenario.work / "home")
    try:
        run(scenario)
        if scenario.server:
            scenario.stop()
    except NotRun as reason:
        print(f"not run {reason}", flush=True)
        sys.exit(NOT_RUN)
    except Exception:
        scenario.failures += 1
        print("FAILED  the scenario ended early", flush=True)
        traceback.print_exc(file=sys.stdout)
    finally:
        if scenario.server:
            scenario.server.kill()
    sys.exit(1 if scenario.failures else 0)
