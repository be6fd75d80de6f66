"""Chromium without a window, for the upload clients that live in pages.

It is driven by the DevTools protocol over two pipes. The page is `clients/js/page`, which `run` bundled with its libraries; it is served here, on a
port of its own, so that to wharf it is a page of another origin.
"""

import base64
import functools
import hashlib
import http.server
import json
import os
import select
import shutil
import subprocess
import threading
import time

import harness
from harness import NotRun

SOURCE = harness.HERE / "clients" / "js"
PAGE = harness.HERE / ".work" / "page"
NAMES = ["chromium", "chromium-browser", "google-chrome"]
CALL_SECONDS = 120
END_SECONDS = 10


class BrowserError(Exception):
    """What the page or the browser says went wrong."""


class _Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """The page's own requests are no part of the output."""


def version_of(package):
    """The version of an installed JavaScript package."""
    return json.loads((SOURCE / "node_modules" / package / "package.json").read_text())["version"]


def _child_pipes(commands, answers):
    """Puts the pipes where --remote-debugging-pipe looks for them: 3 to read, 4 to write."""
    commands, answers = os.dup(commands), os.dup(answers)
    os.dup2(commands, 3)
    os.dup2(answers, 4)


class Browser:
    """One Chromium with one page, at `origin`."""

    def __init__(self, t):
        binary = next(filter(None, map(shutil.which, NAMES)), None)
        if binary is None:
            raise NotRun("chromium is not installed")
        if not (PAGE / "page.js").is_file():
            raise NotRun("the page could not be bundled: node is missing, or npm could not install its packages")
        self._serve()
        command = [binary, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions"]
        command += ["--disable-background-networking", "--log-level=3", "--remote-debugging-pipe", f"--user-data-dir={t.work / 'browser'}"]
        if t.ca:
            command.append(f"--ignore-certificate-errors-spki-list={_key_digest(t.server_certificate)}")
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        self._log = t.work / "browser.log"
        with open(self._log, "wb") as log:
            ready = functools.partial(_child_pipes, commands, answers)
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False, preexec_fn=ready)
        os.close(commands)
        os.close(answers)
        self._number = 0
        self._left = b""
        self.events = []
        self._session = None
        self.product = self._call("Browser.getVersion")["product"]
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log"]:
            self._call(f"{domain}.enable")
        self.open()

    def _serve(self):
        handler = functools.partial(_Pages, directory=str(PAGE))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.port = self._server.server_address[1]
        self.origin = f"http://127.0.0.1:{self.port}"

    # -- the page ----------------------------------------------------------------------------------------------------

    def open(self, origin=None):
        """Loads the page, at its own origin or at another name of this machine."""
        self._load("Page.navigate", url=f"{origin or self.origin}/index.html")

    def reload(self):
        self._load("Page.reload")

    def choose(self, *paths):
        """Puts files into the page's input, as a person does by its dialogue."""
        root = self._call("DOM.getDocument")["root"]["nodeId"]
        node = self._call("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
        self._call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def do(self, name, **arguments):
        """Calls a function of the page's `drive` and waits for what it promises."""
        expression = f"(async () => (await drive.{name}({json.dumps(arguments)})) ?? null)()"
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(f"{name}: {details.get('exception', {}).get('description') or details['text']}")
        return answer["result"].get("value")

    def requests(self, address=""):
        """What the page's libraries asked for at this address since it was loaded, as (method, the rest of the address, status, answer)."""
        entries = [entry for entry in self.do("requests") if entry["url"].startswith(address)]
        return [(entry["method"], entry["url"][len(address) :], entry["status"], entry["body"]) for entry in entries]

    # -- the protocol ------------------------------------------------------------------------------------------------

    def _load(self, method, **arguments):
        """Ends when the page and its scripts are there."""
        seen = len(self.events)
        self._call(method, **arguments)
        self._until(lambda: any(event["method"] == "Page.loadEventFired" for event in self.events[seen:]), method)

    def _call(self, method, **arguments):
        self._number += 1
        message = {"id": self._number, "method": method, "params": arguments}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        answers = {}
        self._until(lambda: self._number in answers, method, answers)
        answer = answers[self._number]
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _until(self, holds, what, answers=None):
        """Reads messages until the condition holds."""
        end = time.monotonic() + CALL_SECONDS
        while not holds():
            message = self._message(end, what)
            if "id" not in message:
                self.events.append(message)
            elif answers is not None:
                answers[message["id"]] = message

    def _message(self, end, what):
        while b"\0" not in self._left:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                raise BrowserError(f"{what}: no answer within {CALL_SECONDS} s")
            piece = os.read(self._answers, 1 << 16)
            if not piece:
                raise BrowserError(f"{what}: the browser ended; see browser.log")
            self._left += piece
        message, self._left = self._left.split(b"\0", 1)
        return json.loads(message)

    def _complaints(self):
        """Errors of the page's console and uncaught exceptions."""
        found = []
        for event in self.events:
            if event["method"] == "Runtime.exceptionThrown":
                details = event["params"]["exceptionDetails"]
                found.append(details.get("exception", {}).get("description", details["text"]))
            if event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
        return found

    def close(self):
        """Without its pipes the browser ends by itself. What its page complained about goes to its log."""
        os.close(self._commands)
        os.close(self._answers)
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with open(self._log, "a") as log:
            log.writelines(f"{complaint}\n" for complaint in self._complaints())
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _key_digest(certificate):
    """SHA-256 of the certificate's public key: what Chromium takes to trust this one and no other."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    return base64.b64encode(hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()).decode()
