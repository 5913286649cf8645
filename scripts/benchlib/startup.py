"""How long short commands take over a bare interpreter (what a status line costs at every prompt), and
a server until it answers."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchlib import lines

POLL_S = 0.002
SERVERS = 4
"""Commands of each kind for one start of a server, which takes as long as several of them."""

FAR = 4_000_000_000
TOLD = {
    "session_id": "0b3c1e52-7a11-4c6e-9a5b-111111111111",
    "model": {"id": "claude-sonnet-5-5", "display_name": "Sonnet 5.5"},
    "context_window": {"used_percentage": 43},
    "rate_limits": {
        "five_hour": {"used_percentage": 57, "resets_at": FAR},
        "seven_day": {"used_percentage": 23, "resets_at": FAR},
    },
}
SERVE = "maxpool serve, until /healthz"
CONFIG = "[[accounts]]\nname = 'laptop'\nkind = 'home'\nid = 'h'\n"


def run(times):
    """Milliseconds by command (wall and CPU); the commands take turns, so that a busy machine is fair to all."""
    with tempfile.TemporaryDirectory(prefix="maxpool-bench-") as folder:
        config = Path(folder, "config.toml")
        config.write_text(CONFIG)
        around = {**os.environ, "MAXPOOL_HOME": folder, "MAXPOOL_CONFIG": str(config)}
        at_home = {**around, "CLAUDE_CONFIG_DIR": str(Path(folder, "homes", "h"))}
        maxpool = str(Path(sys.executable).with_name("maxpool"))
        commands = {
            "python -c pass": ([sys.executable, "-c", "pass"], around),
            "maxpool statusline": ([maxpool, "statusline"], around),
            "maxpool statusline, in a home": ([maxpool, "statusline"], at_home),
            "maxpool env": ([maxpool, "env"], around),
            "maxpool --help": ([maxpool, "--help"], around),
        }
        found = {name: [] for name in (*commands, SERVE)}
        for number in range(times):
            for name, (command, env) in commands.items():
                found[name].append(_took_ms(command, env))
            if number % SERVERS == 0:
                found[SERVE].append(_serving_ms(Path(folder, f"server-{number}")))
    return {
        name: {
            "low_ms": min(wall for wall, _ in took),
            "p50_ms": statistics.median(wall for wall, _ in took),
            "cpu_ms": statistics.median(cpu for _, cpu in took),
        }
        for name, took in found.items()
    }


def _took_ms(command, env):
    """Wall and CPU time of one command."""
    data = json.dumps(TOLD).encode()
    began, before = time.perf_counter(), _children_cpu_s()
    subprocess.run(command, env=env, input=data, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000, (_children_cpu_s() - before) * 1000


def _serving_ms(folder):
    """Wall and CPU time of a server from its start to its first answer."""
    folder.mkdir()
    port = lines.free_port()
    began = time.perf_counter()
    child = lines.serve("maxpool", port, 1, folder)
    try:
        lines.wait_until_up(child, port, folder / lines.LOG, POLL_S)
        while not lines.healthy(port):
            time.sleep(POLL_S)
        return (time.perf_counter() - began) * 1000, child.cpu_s() * 1000
    finally:
        child.stop()


def _children_cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
