"""Deaths and interruptions of the real command: each is named, and no process is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ..trouble import PATIENCE_S, Running, Told, command, left_in, typed, written

pytestmark = [
    pytest.mark.processes,
    pytest.mark.usefixtures("mosquitto"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc"),
]


# --- a process is killed --------------------------------------------------------------------------


def test_a_node_killed_from_outside_ends_the_run_by_name_and_time(tmp_path: Path) -> None:
    with Running(tmp_path, form="json") as running:
        node = running.pids("node")[1]
        killed = time.monotonic()
        os.kill(node, signal.SIGKILL)
        told = running.told()
        assert time.monotonic() - killed < PATIENCE_S
    assert told.code == 3
    problem = told.data["problem"]
    assert (problem["kind"], problem["node"]) == ("NodeLost", "bob")
    assert problem["time_s"] > 0
    assert told.error.startswith("node bob was lost at ")
    assert told.error.endswith(" ms: its process was killed by signal 9")
    assert told.run_folder.is_dir()
    assert told.data["nodes"]["bob"] == {"pid": node, "incarnation": 1, "state": "lost"}


@pytest.mark.parametrize(
    ("victim", "name"), [("emulator", "the emulator (pid "), ("zygote", "the zygote (pid ")]
)
def test_a_process_that_is_killed_is_named_and_takes_all_along(
    tmp_path: Path, victim: str, name: str
) -> None:
    with Running(tmp_path, form="json") as running:
        [pid] = running.pids(victim)
        os.kill(pid, signal.SIGKILL)
        told = running.told()
    assert told.code == 3
    assert told.error.startswith(name) and told.error.endswith(" was killed by signal 9")
    assert told.data["problem"]["text"] == told.error
    assert told.run_folder.is_dir() and told.data["run_folder"] == str(told.run_folder)
    assert "reproduce:  qnetem run trouble.yaml --seed 7" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_broker_that_keeps_dying_is_given_up_by_name(tmp_path: Path) -> None:
    with Running(tmp_path, form="json") as running:
        over = threading.Event()
        killer = threading.Thread(target=kill_again_and_again, args=(running, over))
        killer.start()
        try:
            told = running.told()
        finally:
            over.set()
            killer.join()
    assert told.code == 3
    assert told.error.startswith("the broker (mosquitto, /")
    assert " times in a row" in told.error
    assert told.data["problem"]["kind"] == "InfrastructureError"


def kill_again_and_again(running: Running, over: threading.Event) -> None:
    while not over.wait(0.02):
        for pid in running.pids("broker"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_a_launcher_that_is_killed_leaves_no_process_and_no_sockets(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(kind)
    with Running(tmp_path, "--broker", kind) as running:
        folder = socket_folder(tmp_path)
        running.process.kill()
        running.process.wait()
        running.gone()
    assert not folder.exists()


# --- a person stops it ----------------------------------------------------------------------------


def to_the_group(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)


STOPS: dict[str, Callable[[subprocess.Popen[str]], None]] = {
    "SIGINT": lambda process: process.send_signal(signal.SIGINT),
    "SIGINT to the group": to_the_group,
    "SIGTERM": lambda process: process.send_signal(signal.SIGTERM),
    "SIGHUP": lambda process: process.send_signal(signal.SIGHUP),
}


@pytest.mark.parametrize("how", STOPS)
def test_a_run_that_is_stopped_ends_everything_and_is_130(tmp_path: Path, how: str) -> None:
    with Running(tmp_path, form="json") as running:
        sockets = socket_folder(tmp_path)
        STOPS[how](running.process)
        told = running.told()
    assert told.code == 130
    assert told.stderr.strip().startswith("interrupted at ")
    assert told.data["problem"]["text"] == f"interrupted by {how.split(maxsplit=1)[0]}"
    assert Path(told.data["run_folder"]).is_dir()
    assert not sockets.exists()


def socket_folder(tmp_path: Path) -> Path:
    """The sockets' folder of the one run that is under way there."""
    [desk] = tmp_path.glob("runs/*/desk.json")
    folder = Path(json.loads(desk.read_bytes())["socket"]).parent
    assert (folder / "emulator").is_socket()
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_process_is_130_too(tmp_path: Path, number: signal.Signals) -> None:
    written(tmp_path, "Talks", "Talks")
    process = subprocess.Popen(
        command("run", "trouble.yaml", "--in-process", "--format", "json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not any(path.stat().st_size for path in tmp_path.glob("runs/*/journal.jsonl.gz")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    told = Told(process.returncode, stdout, stderr)
    assert told.code == 130, told.stderr
    assert told.data["problem"]["text"] == f"interrupted by {number.name}"
    assert told.stderr.strip().startswith("interrupted at ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_starts_is_130_and_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    written(tmp_path, "Talks", "Talks")
    process = subprocess.Popen(
        command("run", "trouble.yaml", "--format", "json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not any("emulator.service.server" in words for words in left_in(tmp_path)):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.002)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    told = Told(process.returncode, stdout, stderr)
    assert told.code == 130, stderr
    assert told.data["problem"]["text"] == f"interrupted by {number.name}"
    assert left_in(tmp_path) == []


# --- brokers and neighbours -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_a_busy_port_is_named_and_no_process_is_left(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(kind)
    written(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["run", "trouble.yaml", "--format", "json", "--broker", kind]
        told = typed(tmp_path, *words, "--broker-port", str(port))
    assert told.code == 3
    assert told.error.startswith(f"port {port} on 127.0.0.1 is in use, so the broker ({kind}) ")
    assert told.data["problem"]["kind"] == "InfrastructureError"


def test_a_broker_that_is_not_there_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    told = typed(tmp_path, "run", "trouble.yaml", "--format", "json", "--broker", "127.0.0.1:1")
    assert told.code == 3
    assert told.error.startswith("no broker can be reached at 127.0.0.1:1 (Connection refused)")
    assert told.data["problem"]["kind"] == "InfrastructureError"


def test_two_runs_at_the_same_time_in_one_folder_do_not_meet(tmp_path: Path) -> None:
    path = written(tmp_path, "Talks", "Talks")
    path.write_text(path.read_text().replace("peer: ", "rounds: 30, peer: "))
    processes = [
        subprocess.Popen(
            command("run", "trouble.yaml", "--format", "json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        for _ in range(2)
    ]
    both = [Told(one.wait(PATIENCE_S), *one.communicate()) for one in processes]
    assert [(told.code, told.stderr) for told in both] == [(0, ""), (0, "")]
    first, second = (told.data for told in both)
    assert first["digest"] == second["digest"] and first["results"] == second["results"]
    assert first["run_folder"] != second["run_folder"]
    assert left_in(tmp_path) == []
