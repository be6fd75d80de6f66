"""Rust's object_store crate, driven by the program in `object_store/`, which `run` built with cargo."""

import harness
from harness import NotRun
from steps import Driver, main


class ObjectStore(Driver):
    def __init__(self, t):
        super().__init__(t)
        program = harness.HERE / ".work" / "object_store" / "debug" / "object-store-driver"
        if not program.is_file():
            raise NotRun("it could not be built by cargo")
        self.command = [program]


if __name__ == "__main__":
    main(ObjectStore)
