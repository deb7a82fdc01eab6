"""The image and the compose file: what they promise on paper, and for real where an engine runs."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 240.0
PROJECT = f"twinchain-test-{os.getpid()}"
"""Of this run alone: two checkouts tested on one engine must not share containers and volumes."""
BOUNDARY_BLOCKS = "20"

ADD = "docker compose run --rm cli testnet add --dir ."
START = "docker compose --profile join up -d validator-4"
ADMIT = "docker compose run --rm cli testnet admit --dir ."
LEAVE = "docker compose run --rm cli tx leave --key node-4/signing.json --wait"
UNSEATED = "docker compose run --rm cli query member node-4/signing.json --until unseated"
STOP = "docker compose --profile join stop validator-4"
CONVICT = "docker compose run --rm cli testnet convict --dir . --index 4 --yes"


def engine_problem() -> str:
    """Why compose cannot run here, "" when it can."""
    if shutil.which("docker") is None:
        return "no docker command"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"{' '.join(command)} failed"
    return ""


def compose_text() -> str:
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


# ------------------------------------------------------------ on paper


def test_the_image_is_built_from_a_hashed_lock_and_wheels_and_runs_without_root() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes" in text
    assert "--only-binary=:all:" in text
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert "HEALTHCHECK" in text
    assert not re.search(r"\b(curl|wget|apt-get)\b", text)


def test_nothing_but_the_program_goes_into_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert "*" in lines
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert allowed == {
        *("requirements.lock", "pyproject.toml", "README.md"),
        *("ledger", "auction", "consensus", "node"),
    }


def test_every_port_is_published_on_the_loopback_address_only() -> None:
    ports = re.findall(r'^\s+ports: \["(.+)"\]$', compose_text(), re.MULTILINE)
    assert ports == [f"127.0.0.1:${{TWINCHAIN_PORT_{i}:-{8080 + i}}}:8080" for i in range(5)]


def test_containers_have_no_rights_they_do_not_need() -> None:
    text = compose_text()
    assert "read_only: true" in text
    assert "cap_drop: [ALL]" in text
    assert "no-new-privileges:true" in text
    assert "privileged: true" not in text
    assert not re.search(r"^\s+- \./|^\s+- /", text, re.MULTILINE), "no bind mounts"


def test_the_commands_that_are_tried_below_are_the_documented_ones() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for command in (ADD, START, ADMIT, LEAVE, UNSEATED, STOP, CONVICT):
        assert f"`{command}`" in text or f"{command}\n" in text, command


# ------------------------------------------------------------ for real


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Compose:
    """The project under a name and ports of its own."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.environment = {
            **os.environ,
            **{f"TWINCHAIN_PORT_{index}": str(port) for index, port in enumerate(ports)},
            "TWINCHAIN_BOUNDARY_BLOCKS": BOUNDARY_BLOCKS,
        }

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", "compose", "--project-name", PROJECT, *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self.environment,
            timeout=PATIENCE_S * 2,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def do(self, command: str) -> str:
        """A command as the documentation has it."""
        return self.run(*command.removeprefix("docker compose ").split())

    def get(self, index: int, path: str) -> dict[str, object]:
        url = f"http://127.0.0.1:{self.ports[index]}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            document = json.load(answer)
        assert isinstance(document, dict)
        return document

    def height(self, index: int) -> int:
        try:
            data = self.get(index, "/v1/status")["data"]
        except (OSError, ValueError):
            return -1
        assert isinstance(data, dict)
        return int(data["height"])

    def block_hash(self, index: int, height: int) -> str:
        data = self.get(index, f"/v1/blocks/{height}")["data"]
        assert isinstance(data, dict)
        return str(data["hash"])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("did not happen in time")
        time.sleep(0.2)


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    problem = engine_problem()
    if problem:
        pytest.skip(f"the containers were not tried: {problem}")
    project = Compose([free_port() for _ in range(5)])
    try:
        project.run("up", "--build", "-d", "--wait")
        yield project
    finally:
        project.run("--profile", "*", "down", "-v", "--timeout", "20")


@pytest.mark.engine
@pytest.mark.timeout(1200)
def test_one_command_brings_up_four_validators_that_agree(compose: Compose) -> None:
    until(lambda: min(compose.height(index) for index in range(4)) >= 3)
    assert len({compose.block_hash(index, 3) for index in range(4)}) == 1
    url = f"http://127.0.0.1:{compose.ports[0]}/explorer"
    with urllib.request.urlopen(url, timeout=5) as page:
        assert page.status == 200


@pytest.mark.long
@pytest.mark.engine
@pytest.mark.timeout(1200)
def test_a_fifth_node_joins_leaves_comes_back_and_is_ejected(compose: Compose) -> None:
    compose.do(ADD)
    compose.do(START)
    assert "has its seat" in compose.do(ADMIT)
    until(lambda: compose.height(4) >= compose.height(0) - 1)
    compose.do(LEAVE)
    assert "left" in compose.do(UNSEATED)
    compose.do(STOP)
    height = compose.height(0)
    until(lambda: min(compose.height(index) for index in range(4)) >= height + 3)
    compose.do(START)
    assert "has its seat" in compose.do(ADMIT)
    assert "loses its seat" in compose.do(CONVICT)
    assert "ejected" in compose.do(UNSEATED)
    sets = compose.get(0, "/v1/validator-sets")["data"]
    assert isinstance(sets, list)
    assert [row["size"] for row in sets] == [4, 5, 4, 5, 4]
    compose.do(STOP)
    height = compose.height(0)
    until(lambda: min(compose.height(index) for index in range(4)) >= height + 3)


@pytest.mark.engine
@pytest.mark.timeout(1200)
def test_the_demo_profile_trades(compose: Compose) -> None:
    compose.run("--profile", "demo", "up", "-d", "demo")
    until(lambda: " buys from " in compose.run("--profile", "demo", "logs", "demo"))
    compose.run("--profile", "demo", "stop", "demo")
    states = json.loads(
        subprocess.run(
            ["docker", "inspect", f"{PROJECT}-demo-1"], capture_output=True, check=True
        ).stdout
    )
    assert states[0]["State"]["ExitCode"] == 0


@pytest.mark.engine
@pytest.mark.timeout(1200)
def test_a_killed_validator_comes_back_by_itself(compose: Compose) -> None:
    name = f"{PROJECT}-validator-1-1"
    inspect = ["docker", "inspect", "--format", "{{.State.Pid}}", name]
    pid = int(subprocess.run(inspect, capture_output=True, check=True).stdout)
    if os.geteuid() != 0:
        pytest.skip("killing a container's process needs root")
    before = compose.height(0)
    os.kill(pid, 9)
    until(lambda: compose.height(0) >= before + 5)
    until(lambda: compose.height(1) >= before + 5)
    assert compose.block_hash(1, before + 3) == compose.block_hash(0, before + 3)


@pytest.mark.engine
@pytest.mark.timeout(1200)
def test_stop_and_start_resume_the_same_chain(compose: Compose) -> None:
    height = compose.height(0)
    known = compose.block_hash(0, height)
    compose.run("stop")
    compose.run("up", "-d", "--wait")
    until(lambda: min(compose.height(index) for index in range(4)) > height)
    assert {compose.block_hash(index, height) for index in range(4)} == {known}


@pytest.mark.engine
@pytest.mark.timeout(1200)
def test_a_bad_configuration_is_said_once_and_not_repeated(compose: Compose) -> None:
    shell = ("run", "--rm", "--no-deps", "--entrypoint", "sh")
    spoil = "cp password password.kept && echo wrong > password"
    mend = "mv password.kept password"
    compose.run("stop", "validator-3")
    compose.run(*shell, "-w", "/testnet/node-3", "validator-3", "-c", spoil)
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    compose.run("up", "-d", "--no-deps", "validator-3")

    def said() -> int:
        return compose.run("logs", "--since", began, "validator-3").count("wrong password")

    until(lambda: said() > 0)
    time.sleep(5)
    assert said() == 1
    compose.run("stop", "validator-3")
    compose.run(*shell, "-w", "/testnet/node-3", "validator-3", "-c", mend)
    compose.run("up", "-d", "--wait", "validator-3")
