"""wharf as a service: the ready line, credentials, health, metrics, the lock, wrong settings, a clean restart."""

import json
import os
import re
import stat
import subprocess

from harness import MIB, body, main


def command(t, *words):
    """Runs the wharf program to its end."""
    return subprocess.run([t.wharf, *map(str, words)], capture_output=True, text=True, timeout=60, cwd=t.work)


def ready_line(t):
    ready = json.loads(t.server.ready_line)
    t.equal("names in the ready line", sorted(ready), ["api", "data_dir", "ready", "s3", "version"])
    t.equal("ready", ready.get("ready"), True)
    t.equal("data_dir of the ready line", os.path.realpath(ready.get("data_dir", "")), os.path.realpath(t.server.data_dir))
    version = command(t, "--version").stdout.strip()
    t.equal("wharf --version and the ready line", version.split()[-1] if version else version, ready.get("version"))
    for name in ["s3", "api"]:
        address = ready.get(name, "")
        t.true(f"{name} is an address of this scheme", re.fullmatch(rf"{t.scheme}://127\.0\.0\.1:\d+", address) is not None, address)


def data_dir(t):
    mode = lambda path: oct(stat.S_IMODE(os.stat(path).st_mode))
    t.equal("mode of the data dir", mode(t.server.data_dir), "0o700")
    t.equal("mode of the credentials file", mode(t.server.credentials), "0o600")
    second = command(t, "serve", "--data-dir", t.server.data_dir, "--s3-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0")
    t.equal("exit status of a second wharf on the same data dir", second.returncode, 1)
    t.equal("its standard output", second.stdout, "")


def health(t):
    for path in ["/health/live", "/health/ready"]:
        t.equal(f"status of {path}", t.api_get(path)[0], 200)
    status, text = t.api_get("/metrics")
    t.equal("status of /metrics", status, 200)
    lines = [line for line in text.decode().splitlines() if line and not line.startswith("#")]
    strange = [line for line in lines if not re.fullmatch(r'[a-zA-Z_:][\w:]*(\{.*\})? \S+( \S+)?', line)]
    t.true("/metrics holds samples", len(lines) > 10, len(lines))
    t.equal("lines of /metrics that are no sample", strange, [])
    flags = ["--api-listen", t.server.api.split("://")[1]]
    if t.scheme == "https":
        flags += t.tls_flags()
    came = command(t, "healthcheck", *flags)
    t.equal("exit status of wharf healthcheck", came.returncode if came.returncode == 0 else (came.returncode, came.stderr), 0)


def wrong_settings(t):
    for flags in [["--no-such-flag"], ["--durability", "sometimes"], ["--s3-listen", "nowhere"], ["--bucket", "Not_A_Bucket"]]:
        came = command(t, "serve", "--data-dir", t.work / "never", *flags)
        t.equal(f"exit status of serve {' '.join(flags)}", came.returncode, 2)
        t.true(f"the message names {flags[0]}", flags[0].lstrip("-") in came.stderr, came.stderr.strip())
    t.equal("a data dir made by a refused start", (t.work / "never").exists(), False)


def run(t):
    t.start("--bucket", "uploads,second")
    ready_line(t)
    data_dir(t)
    health(t)
    buckets = [bucket["Name"] for bucket in t.boto3().list_buckets()["Buckets"]]
    t.equal("buckets of --bucket", buckets, ["second", "uploads"])
    content = body("service", MIB)
    t.boto3().put_object(Bucket="second", Key="kept", Body=content)
    keys = t.keys()
    t.stop()

    t.start("--durability", "relaxed")
    t.equal("the keys after a clean restart", t.keys(), keys)
    t.equal("the object after a clean restart", t.boto3().get_object(Bucket="second", Key="kept")["Body"].read(), content)
    t.note(f"ready {t.server.ready_seconds:.3f} s after a clean stop")
    t.stop()
    came = command(t, "healthcheck", "--api-listen", "127.0.0.1:9")
    t.equal("exit status of wharf healthcheck with nothing there", came.returncode, 1)
    wrong_settings(t)


if __name__ == "__main__":
    main(run)
