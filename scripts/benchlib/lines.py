"""What the lab measures side by side: the way without a proxy, nginx, maxpool, any other at a URL."""

import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchlib.machine import PROXY_CORE, BenchError
from benchlib.processes import START_LIMIT_S, Child, Tree

LOG = "proxy.log"

NGINX = """daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 9000; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 32m;
  client_body_buffer_size 128k;
  keepalive_requests 10000000;
  upstream lab {{ server 127.0.0.1:{upstream}; keepalive 4096; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://lab;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 300s;
    }}
  }}
}}
"""
CONFIG = """version = 1

[upstream]
base_url = "{url}"
{client}
[pool]
# As many at once as the lab opens: at their defaults it would measure the queue.
slots_per_key = 4000
slots_per_account = 4000
slots_total = 12000
"""
ACCOUNT = """
[[accounts]]
name = "bench-{number}"
kind = "{kind}"
secret = "env:BENCH_SECRET_{number}"
base_url = "{url}"
{more}"""
KINDS = {
    "keys": ("api_key", "sk-ant-api03-bench-secret-number-{number:04}", ""),
    "plans": (
        "subscription",
        "sk-ant-oat01-bench-secret-number-{number:04}",
        'plan = "max_20x"\nterms_accepted = 2026-11-21\n',
    ),
}


@dataclass(slots=True)
class Line:
    """One way to the upstream; `tree` is what is measured of it, if anything."""

    name: str
    port: int
    tree: Tree | None = None
    prefix: bytes = b""
    key: bytes = b"bench"
    rest_rss: int = 0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def nginx_program(given):
    """Where nginx is, if anywhere."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(given or "nginx", path=path)


@contextmanager
def nginx(program, upstream_port, folder):
    folder.mkdir()
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, upstream=upstream_port))
    command = [program, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    log = folder / "out.log"
    with log.open("wb") as sink:
        child = Child("nginx", command, PROXY_CORE, stdout=sink, stderr=sink)
    try:
        wait_until_up(child, port, log)
        yield Line("nginx", port, child)
    finally:
        child.stop(signal.SIGQUIT if child.child.poll() is None else signal.SIGTERM)


def write_config(folder, url, kind, client=None):
    """A real config file with three accounts, and the environment that holds their secrets."""
    name, secret, more = KINDS[kind]
    client = f'client = "{client}"\n' if client else ""
    entries = [ACCOUNT.format(number=n, kind=name, url=url, more=more) for n in range(3)]
    config = folder / "bench.toml"
    config.write_text(CONFIG.format(url=url, client=client) + "".join(entries))
    secrets = {f"BENCH_SECRET_{n}": secret.format(number=n) for n in range(3)}
    return config, {**os.environ, **secrets, "MAXPOOL_HOME": str(folder / "home")}


@contextmanager
def maxpool(name, upstream_port, folder, kind="keys", client=None, files=None):
    """`maxpool serve` as users run it: its own process, config, log, state folder."""
    folder.mkdir()
    child = serve(name, free_port(), upstream_port, folder, kind, client, files)
    try:
        wait_until_up(child, child.port, folder / LOG)
        yield Line(name, child.port, child)
    finally:
        child.stop()


def serve(name, port, upstream_port, folder, kind="keys", client=None, files=None):
    """The process alone, not waited for."""
    config, around = write_config(folder, f"http://127.0.0.1:{upstream_port}", kind, client)
    program = str(Path(sys.executable).with_name("maxpool"))
    command = [program, "serve", "--config", str(config), "--port", str(port)]
    with (folder / LOG).open("wb") as sink:
        child = Child(
            name, command, PROXY_CORE, files, stdout=sink, stderr=sink, cwd=folder, env=around
        )
    child.port = port
    return child


@contextmanager
def other(told, pid=None, key="bench"):
    """A proxy that runs already and has been told the lab's upstream: URL, or URL=NAME."""
    url, _, name = told.partition("=")
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost"):
        raise BenchError(f"--compare {url}: only http on 127.0.0.1, the lab stays on this machine")
    port = parts.port or 80
    tree = Tree(pid) if pid else None
    before = os.sched_getaffinity(pid) if pid else None
    if tree:
        tree.pin(PROXY_CORE)
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
    except OSError as exc:
        raise BenchError(f"--compare {url}: nobody listens there ({exc})") from exc
    try:
        yield Line(
            name or f"port {port}", port, tree, parts.path.rstrip("/").encode(), key.encode()
        )
    finally:
        if tree and before:
            for core_pid in tree.pids():
                os.sched_setaffinity(core_pid, before)


def wait_until_up(child, port, log, poll_s=0.02):
    """Until somebody listens; an error with the last lines of its log when nobody does."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and child.child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(poll_s)
        else:
            return
    code = child.child.poll()
    how = f"ended with exit code {code}" if code is not None else f"was not up in {START_LIMIT_S} s"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise BenchError(f"{child.name} {how}. Its last lines:\n{tail}")


def healthy(port):
    """Whether `/healthz` answers 200."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False
