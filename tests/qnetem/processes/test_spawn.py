"""A child that is started before it is known what it shall do: it waits, begins, or ends with its parent."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from qnetem.launcher.early import EarlyProcesses
from qnetem.processes.entry import PATH_VARIABLE, child_program
from qnetem.processes.environment import environment
from qnetem.processes.spawn import Spawned, send_begin, spawn

PATIENCE_S = 30.0
#: A module that says over its channel what it was begun with, and prints.
MODULE = """
import os, socket, sys
def preload():
    print("is importing")
def main(arguments):
    channel, listener = (socket.socket(fileno=int(number)) for number in arguments[:2])
    print("has begun", arguments[2:], "only_here" in " ".join(sys.path), channel.recv(3).decode())
    listener.accept()[0].close()
    return 7
"""


def waiting(folder: Path) -> Spawned:
    (folder / "waits.py").write_text(MODULE)
    outer = environment(os.environ | {PATH_VARIABLE: json.dumps([str(folder)])})
    return spawn(child_program("waits", early=True), outer)


def test_a_child_that_waits_begins_with_arguments_path_log_and_sockets(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    child = waiting(tmp_path)
    log = tmp_path / "child.log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as file:
        path = json.dumps([*sys.path, "/only_here"])
        send_begin(child.stream, path, file.fileno(), [listener], ["a word"])
        child.stream.sendall(b"one")  # what follows the frame is left in the stream
        with socket.create_connection(listener.getsockname(), PATIENCE_S):
            assert child.process.wait(PATIENCE_S) == 7
    child.stream.close()
    assert log.read_text() == "has begun ['a word'] True one\n"
    assert capfd.readouterr() == ("", "is importing\n")  # what came before there was a log


def test_a_child_that_is_not_needed_ends_with_the_stream(tmp_path: Path) -> None:
    child = waiting(tmp_path)
    child.stream.close()
    assert child.process.wait(PATIENCE_S) == 0


def test_early_processes_that_no_launcher_takes_are_ended() -> None:
    program = child_program("qnetem.no_such_module", early=True)
    with EarlyProcesses() as early:
        early.emulator = spawn(program, environment(os.environ))
        process = early.emulator.process
        assert early.take_zygote() is None
    assert process.returncode is not None
    assert early.take_emulator() is None
