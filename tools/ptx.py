#!/usr/bin/env python3
"""Compiles src/generator/kernel/pattern.cu to PTX, which is committed beside it.

    pip install nvidia-cuda-nvrtc-cu12==12.0.140
    python3 tools/ptx.py [LIBNVRTC [SOURCE [OUTPUT]]]

Without LIBNVRTC the library of that package is taken. The version is pinned: it decides which drivers take the PTX (12.0
writes PTX 8.0, which drivers from 525 on load), and another one may write other text. compute_75 (Turing) is the oldest GPU;
drivers translate it for all later ones. The first line of the output says which source it was made of.
"""

import ctypes
import hashlib
import pathlib
import sys

OPTIONS = [b"--gpu-architecture=compute_75", b"--fmad=false", b"--std=c++14"]
KERNEL = pathlib.Path(__file__).resolve().parent.parent / "src" / "generator" / "kernel"


def installed():
    """The library of the package, where pip put it."""
    for folder in map(pathlib.Path, sys.path):
        for library in (folder / "nvidia" / "cuda_nvrtc" / "lib").glob("libnvrtc.so.12"):
            return str(library)
    raise SystemExit("ptx.py: no libnvrtc.so.12; pip install nvidia-cuda-nvrtc-cu12==12.0.140, or name it")


def compiled(library, source):
    """The PTX of the source, as text."""
    nvrtc = ctypes.CDLL(library)
    nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p
    program = ctypes.c_void_p()

    def check(result, what):
        if result != 0:
            size = ctypes.c_size_t()
            nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
            log = ctypes.create_string_buffer(size.value)
            nvrtc.nvrtcGetProgramLog(program, log)
            raise SystemExit(f"ptx.py: {what}: {nvrtc.nvrtcGetErrorString(result).decode()}\n{log.value.decode()}")

    created = nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"pattern.cu", 0, None, None)
    check(created, "nvrtcCreateProgram")
    options = (ctypes.c_char_p * len(OPTIONS))(*OPTIONS)
    check(nvrtc.nvrtcCompileProgram(program, len(OPTIONS), options), "nvrtcCompileProgram")
    size = ctypes.c_size_t()
    check(nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)), "nvrtcGetPTXSize")
    ptx = ctypes.create_string_buffer(size.value)
    check(nvrtc.nvrtcGetPTX(program, ptx), "nvrtcGetPTX")
    return ptx.value.decode()


def main(arguments):
    library = arguments[0] if arguments else installed()
    source = pathlib.Path(arguments[1]) if len(arguments) > 1 else KERNEL / "pattern.cu"
    output = pathlib.Path(arguments[2]) if len(arguments) > 2 else KERNEL / "pattern.ptx"
    text = source.read_bytes()
    ptx = compiled(library, text)
    output.write_text(f"// source: {hashlib.sha256(text).hexdigest()}\n{ptx}")


if __name__ == "__main__":
    main(sys.argv[1:])
