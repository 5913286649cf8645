"""The files under scripts/deploy, as far as they can be checked without a network: they parse, what they
name exists, and the config in them starts a server that lets the right callers in."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from maxpool.app.service import STOP_MARGIN_S
from maxpool.cli.group import maxpool
from maxpool.cli.help_topics import TOPICS
from maxpool.config import derive
from maxpool.config.load import Loaded, load

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "scripts" / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"][
    "maxpool"
]
CLUSTER: dict[str, dict[str, Any]] = {
    one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
}
POD = CLUSTER["Deployment"]["spec"]["template"]["spec"]
(SERVER,) = POD["containers"]


def unit() -> configparser.RawConfigParser:
    found = configparser.RawConfigParser(strict=False)
    found.optionxform = str  # type: ignore[method-assign,assignment]
    found.read_string((DEPLOY / "maxpool.service").read_text())
    return found


def config() -> Loaded:
    return load(DEPLOY / "config.toml")


def instructions() -> list[list[str]]:
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line and not line.startswith("#")]


def parses(words: list[str]) -> None:
    """Whether that is a command line of maxpool's; raises click's own error where it is none."""
    command: click.Command = maxpool
    ctx = click.Context(maxpool, info_name="maxpool")
    while isinstance(command, click.Group):
        found = command.get_command(ctx, words[0])
        assert found is not None, words
        command, words = found, words[1:]
    command.make_context("it", list(words), parent=ctx, resilient_parsing=False)


def test_the_image_is_built_of_files_that_exist_by_a_user_that_is_not_root():
    copied = [words for words in instructions() if words[0] == "COPY" and "--from" not in words[1]]
    for _, *words in copied:
        for source in [word for word in words[:-1] if not word.startswith("--")]:
            assert (ROOT / source).exists(), source
    users = [words[1] for words in instructions() if words[0] == "USER"]
    assert users == ["10001"]
    assert [words[1] for words in instructions() if words[0] == "FROM"] == ["python:${PYTHON}-slim"] * 2  # fmt: skip


def test_the_images_own_command_is_one_of_maxpools_and_its_place_is_told():
    assert 'ENTRYPOINT ["maxpool"]\nCMD ["serve"]' in DOCKERFILE
    told = set(re.findall(r"MAXPOOL_[A-Z_]+", DOCKERFILE))
    assert told <= set(re.findall(r"MAXPOOL_[A-Z_]+[A-Z]", TOPICS["environment"]))
    assert f"EXPOSE {config().config.server.port}\n" in DOCKERFILE
    assert f"http://127.0.0.1:{config().config.server.port}/readyz" in DOCKERFILE


def test_the_config_of_the_image_asks_every_caller_for_a_key():
    found = config().config
    assert found.server.host == "0.0.0.0"
    assert derive.key_required(found)
    assert found.secrets.store == "file"


@pytest.mark.parametrize(
    "grace_s",
    [
        float(COMPOSE["stop_grace_period"].removesuffix("s")),
        float(POD["terminationGracePeriodSeconds"]),
        float(unit()["Service"]["TimeoutStopSec"]),
    ],
)
def test_each_leaves_time_to_drain(grace_s):
    assert grace_s >= config().config.server.drain_s + STOP_MARGIN_S


def test_compose_publishes_on_this_machine_alone_and_keeps_the_state():
    assert (DEPLOY / COMPOSE["build"]["context"]).resolve() == ROOT
    assert (ROOT / COMPOSE["build"]["dockerfile"]).exists()
    assert COMPOSE["ports"] == ["127.0.0.1:3456:3456"]
    volumes = re.search(r"VOLUME \[(.*)\]", DOCKERFILE)
    assert volumes
    assert {v.partition(":")[2] for v in COMPOSE["volumes"]} == set(re.findall(r'"(.*?)"', volumes[1]))  # fmt: skip


def test_one_replica_at_a_time_has_the_state_folder():
    spec = CLUSTER["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")
    volumes = {v["name"]: v for v in POD["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == CLUSTER["PersistentVolumeClaim"]["metadata"]["name"]  # fmt: skip
    places = [m["mountPath"] for m in SERVER["volumeMounts"]]
    env = {e["name"]: e["value"] for e in SERVER["env"]}
    assert all(any(path.startswith(place) for place in places) for path in env.values())
    assert {m["name"] for m in SERVER["volumeMounts"]} <= volumes.keys()
    parses(SERVER["args"])


def test_the_clusters_probes_ask_what_is_open_by_a_name_that_is_let_in():
    probes = {name: SERVER[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}  # fmt: skip
    assert {p["path"] for p in probes.values()} == {"/healthz", "/readyz"}
    assert probes["readiness"]["path"] == "/readyz"
    assert all(p["httpHeaders"] == [{"name": "Host", "value": "localhost"}] for p in probes.values())  # fmt: skip
    assert CLUSTER["Service"]["metadata"]["name"] in config().config.server.allowed_hosts
    labels = CLUSTER["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert CLUSTER["Service"]["spec"]["selector"] == labels


def test_every_command_in_a_comment_exists():
    texts = [path.read_text() for path in sorted(DEPLOY.iterdir())]
    found = re.findall(
        r"(?:exec maxpool |-- |For yourself: )maxpool ([a-z][a-z -]+)", "\n".join(texts)
    )
    assert len(found) >= 4
    for words in found:
        parses(words.split())


def test_the_units_commands_exist_and_it_runs_as_nobody_else():
    service = unit()["Service"]
    for key in ("ExecStart", "ExecReload"):
        program, *words = service[key].split()
        assert program.endswith("/bin/maxpool")
        parses(words)
    assert (service["Type"], service["User"], service["WatchdogSec"]) == ("notify", "maxpool", "30")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    path = tmp_path / "maxpool.service"
    path.write_text((DEPLOY / "maxpool.service").read_text().replace("/opt/maxpool/bin/maxpool", "/bin/sh"))  # fmt: skip
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "maxpool.service" in line] == []


def test_no_registry_is_named():
    for path in DEPLOY.iterdir():
        assert not re.search(r"https?://(?!127\.0\.0\.1)|--index-url|docker\.io|ghcr\.io", path.read_text()), path  # fmt: skip
