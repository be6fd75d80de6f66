"""Runs every scenario and every client over HTTP and over HTTPS and prints the tables; `run` has built wharf and the clients before.

A client is a scenario that goes through the steps of `steps.py` and says how each went. Each is a process group of its own
with a wharf of its own. What this starts, it stops, by that group and no wider. Exit status 1 when anything failed or
nothing ran; with --all also when anything was not run.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from steps import STEPS

HERE = Path(__file__).resolve().parent
SCHEMES = ["http", "https"]
NOT_RUN = 77
LIMIT_SECONDS_QUICK = 600
LIMIT_SECONDS_FULL = 1800
SERVER_LOG_LINES = 60

running = None


def stop_running(*_):
    """Ends the scenario's group, its wharf and its clients included."""
    if running is not None:
        try:
            os.killpg(running.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def interrupted(number, _frame):
    stop_running()
    sys.exit(128 + number)


def run_one(script, scheme, arguments, certificates, work):
    """One cell of the table: its word, its seconds, and the scenario's output."""
    global running
    work.mkdir(parents=True)
    command = [sys.executable, str(script), "--wharf", arguments.wharf, "--scheme", scheme, "--work", str(work)]
    command += ["--certificates", str(certificates)] + (["--quick"] if arguments.quick else [])
    limit = LIMIT_SECONDS_QUICK if arguments.quick else LIMIT_SECONDS_FULL
    environment = dict(os.environ, PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1", PYTHONUTF8="1")
    started = time.monotonic()
    with open(work / "scenario.log", "wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
        try:
            status = running.wait(limit)
        except subprocess.TimeoutExpired:
            log.write(f"FAILED  expected: an end within {limit} s\n".encode())
            status = 1
        finally:
            # Also after a good end: nothing that the scenario started outlives it.
            stop_running()
            running.wait()
            running = None
    word = {0: "ok", NOT_RUN: "not run"}.get(status, "FAILED")
    return word, time.monotonic() - started, (work / "scenario.log").read_text("utf-8", "replace")


def show_failure(name, scheme, output, work):
    print(f"\n--- {name} over {scheme}: output", flush=True)
    print(output.rstrip())
    for log in sorted(work.glob("*.log")):
        if log.name != "scenario.log":
            lines = log.read_text("utf-8", "replace").splitlines()
            print(f"--- {name} over {scheme}: last lines of {log.name} ({len(lines)} in all)")
            print("\n".join(lines[-SERVER_LOG_LINES:]))
    print("---\n", flush=True)


def show_table(cells, names):
    width = max(len("scenario"), *map(len, names))
    print("\n" + f"{'scenario':<{width}}  " + "  ".join(f"{scheme.upper():<16}" for scheme in SCHEMES).rstrip())
    for name in names:
        columns = [f"{word:<7} {seconds:>6.1f} s" for word, seconds, _ in (cells[name, scheme] for scheme in SCHEMES)]
        print(f"{name:<{width}}  " + "  ".join(columns))
    show_notes(cells, {"not run ": "not run ", "note    ": ""})


def show_notes(cells, heads):
    """The lines with these heads, each once: what both schemes say alike stands under the name alone."""
    said = {}
    for (name, scheme), (_, _, output) in cells.items():
        for line in output.splitlines():
            if line[:8] in heads:
                said.setdefault((name, heads[line[:8]] + line[8:]), []).append(scheme)
    if said:
        print()
    for (name, text), schemes in said.items():
        print(f"{name}: {text}" if len(schemes) == len(SCHEMES) else f"{name} over {schemes[0]}: {text}")


def show_clients(cells, names):
    """The table client x step, from the lines that `steps.py` prints."""
    rows = [["client", "version", "", *STEPS]]
    for name in names:
        for scheme in SCHEMES:
            word, _, output = cells[name, scheme]
            steps = dict(re.findall(r"^step    (\S+) (\S+)$", output, re.MULTILINE))
            version = re.search(r"^version (.*)$", output, re.MULTILINE)
            missing = word if word == "not run" else "FAILED"
            first = [name, version.group(1) if version else ""] if scheme == SCHEMES[0] else ["", ""]
            rows.append([*first, scheme.upper(), *(steps.get(step, missing) for step in STEPS)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    print()
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip())
    print("\npart: the step has a hole; -: the client cannot do it at all")
    show_notes(cells, {"hole    ": "no "})


def main():
    clients = {script.stem: script for script in sorted((HERE / "clients").glob("*.py"))}
    scripts = {script.stem: script for script in sorted((HERE / "scenarios").glob("*.py"))} | clients
    parser = argparse.ArgumentParser(prog="conformance/run", description="Real clients against a running wharf, over HTTP and HTTPS.")
    parser.add_argument("--quick", action="store_true", help="64 MiB instead of 2 GiB, and fewer rounds")
    parser.add_argument("--only", action="append", metavar="NAME", choices=sorted(scripts), help=f"one of {', '.join(scripts)}; may be repeated")
    parser.add_argument("--all", action="store_true", help="what this machine cannot run counts as failed")
    parser.add_argument("--keep", action="store_true", help="keep the folder with every scenario's data and logs")
    parser.add_argument("--wharf", help=argparse.SUPPRESS)
    parser.add_argument("--check-arguments", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = [name for name in scripts if not arguments.only or name in arguments.only]
    if arguments.check_arguments:
        print("\n".join(names))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    work_root = HERE / ".work"
    work_root.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="run.", dir=work_root))
    cells = {}
    try:
        subprocess.run([sys.executable, str(HERE / "certificate.py"), str(work / "certificates")], check=True)
        for name in names:
            for scheme in SCHEMES:
                folder = work / f"{name}-{scheme}"
                cells[name, scheme] = run_one(scripts[name], scheme, arguments, work / "certificates", folder)
                word, seconds, output = cells[name, scheme]
                print(f"{name} over {scheme}: {word} ({seconds:.1f} s)", flush=True)
                if word == "FAILED":
                    show_failure(name, scheme, output, folder)
                if not arguments.keep:
                    shutil.rmtree(folder, ignore_errors=True)
    finally:
        if arguments.keep:
            print(f"kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    show_table(cells, names)
    if chosen := [name for name in names if name in clients]:
        show_clients({cell: what for cell, what in cells.items() if cell[0] in clients}, chosen)
    words = [word for word, _, _ in cells.values()]
    passed, failed = words.count("ok"), words.count("FAILED")
    # A scenario may have run and left a part of it out.
    missing = sum(word == "not run" or "\nnot run " in output for word, _, output in cells.values())
    print(f"\n{passed} passed, {failed} failed, {missing} not run or not wholly")
    return 0 if passed and not failed and not (arguments.all and missing) else 1


if __name__ == "__main__":
    sys.exit(main())
