"""s3fs: the S3 filesystem of fsspec, as pandas and dask use it. It lives in a folder of its own (`driver/s3fs.py` runs there)."""

import os
import sys

import harness
from harness import NotRun
from steps import Driver, main


class S3fs(Driver):
    pages = False

    def __init__(self, t):
        super().__init__(t)
        self.folder = harness.HERE / ".venv" / "s3fs"
        if not (self.folder / "s3fs").is_dir():
            raise NotRun("s3fs could not be installed by pip")
        self.command = [sys.executable, harness.HERE / "clients" / "drivers" / "s3fs_driver.py"]

    def environment(self):
        return dict(os.environ, PYTHONPATH=str(self.folder))


if __name__ == "__main__":
    main(S3fs)
