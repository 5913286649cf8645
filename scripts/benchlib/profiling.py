"""py-spy on the proxy while a closed loop or a set of streams runs; never in a run whose figures count."""

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from benchlib.machine import LOAD_CORE, BenchError, pin

RATE_HZ = 250
STOP_LIMIT_S = 30.0


def program():
    """Where py-spy is: in this environment (`pip install '.[bench]'`) or on the path."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def command(pid, target, seconds):
    """`.json` gets the form that speedscope.app shows, all else folded stacks."""
    form = "speedscope" if target.suffix == ".json" else "raw"
    options = ["--pid", str(pid), "--rate", str(RATE_HZ), "--duration", str(seconds)]
    return ["record", *options, "--format", form, "--output", str(target)]


@contextmanager
def profiled(pid, target, seconds):
    """Record for so many seconds; the work belongs inside and should last as long."""
    spy = program()
    if spy is None:
        raise BenchError("--profile needs py-spy: .venv/bin/pip install py-spy")
    process = subprocess.Popen(
        [spy, *command(pid, target, seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: pin(LOAD_CORE),
    )
    time.sleep(0.5)  # it reads the program's symbols before it samples
    try:
        yield
    finally:
        try:
            output, _ = process.communicate(timeout=seconds + STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        if process.returncode:
            raise BenchError(f"py-spy could not watch the proxy (needs root here?):\n{output}")
        target.write_text(of_the_loop(target.read_text(), target.suffix == ".json"))


def of_the_loop(text, speedscope):
    """The profile without the helper threads: they wait for work, and are sampled as if they did some."""
    if not speedscope:
        kept = (line for line in text.splitlines() if not line.startswith("Thread._bootstrap"))
        return "\n".join(kept) + "\n"
    document = json.loads(text)
    main = [each for each in document["profiles"] if "MainThread" in each["name"]]
    return json.dumps({**document, "profiles": main or document["profiles"]})
