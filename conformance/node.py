"""What the JavaScript clients share: the node that runs them, and the packages that `run` installed by npm."""

import os
import shutil
import subprocess

import harness
from harness import NotRun
from steps import Driver, at_least

FOLDER = harness.HERE / "clients" / "js"
# The AWS SDK refuses to be older.
OLDEST = "20"


class NodeDriver(Driver):
    #: A file of `clients/js`.
    script = None

    def __init__(self, t):
        super().__init__(t)
        node = shutil.which("node")
        if node is None:
            raise NotRun("node is not installed")
        self.node = at_least("node", subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip(), OLDEST)
        if not (FOLDER / "node_modules" / ".stamp").is_file():
            raise NotRun("its packages could not be installed by npm")
        self.command = [node, FOLDER / self.script]

    def environment(self):
        return dict(os.environ, NODE_EXTRA_CA_CERTS=self.t.ca) if self.t.ca else None

    def version(self):
        return f"{super().version()} (node {self.node.removeprefix('v')})"
