"""The folder of a run's sockets: where it is, who may enter it, and what is left of it."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from qnetem.emulator.errors import InfrastructureError
from qnetem.emulator.wire.framing import LONGEST_PATH, short_path
from qnetem.live.address import live_address
from qnetem.runs.run_folder import RunFolder
from qnetem.runs.sockets import open_sockets

from ..trouble import PATIENCE_S, command, in_process, typed, written


def greeted(path: str, listener: socket.socket) -> bool:
    """Whether who connects to the path arrives at the listener."""
    with socket.socket(socket.AF_UNIX) as caller, short_path(path) as reachable:
        caller.connect(reachable)
        arrived, _ = listener.accept()
        with arrived:
            arrived.sendall(b"welcome")
            return caller.recv(100) == b"welcome"


def deep(folder: Path) -> Path:
    """A folder whose path no address of a socket can hold."""
    found = folder / ("d" * 100) / ("e" * 100)
    found.mkdir(parents=True)
    return found


@pytest.mark.parametrize("place", [Path, deep], ids=["near", "deep"])
def test_sockets_are_in_the_run_folder_and_for_its_owner_only(
    tmp_path: Path, place: type[Path]
) -> None:
    run_folder = place(tmp_path)
    folder, listeners = open_sockets(RunFolder(run_folder), ["one", "two"], 5)
    assert folder == str(run_folder / "sockets")
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    for name, listener in zip(["one", "two"], listeners, strict=True):
        with listener:
            assert greeted(f"{folder}/{name}", listener)


def test_the_longest_path_that_is_taken_as_it_is_is_one_the_kernel_takes(tmp_path: Path) -> None:
    path = str(tmp_path / "x").ljust(LONGEST_PATH, "x")
    with short_path(path) as reachable, socket.socket(socket.AF_UNIX) as listener:
        assert reachable == path
        listener.bind(reachable)
    with short_path(path + "x") as reachable:
        assert reachable != path + "x" and len(reachable) < LONGEST_PATH


def test_where_the_run_folder_takes_no_sockets_they_are_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "sockets").write_text("this is no folder")
    folder, [listener] = open_sockets(RunFolder(tmp_path), ["one"], 5)
    try:
        with listener:
            assert not folder.startswith(str(tmp_path))
            assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
            assert greeted(f"{folder}/one", listener)
    finally:
        shutil.rmtree(folder)


def test_where_no_place_takes_sockets_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"the sockets of .* cannot be made: "):
        open_sockets(RunFolder(tmp_path), ["no/such/folder"], 5)
    assert not (tmp_path / "sockets").exists()


@pytest.mark.processes
@pytest.mark.usefixtures("mosquitto")
def test_a_run_in_a_deep_folder_is_a_run_like_any_other(tmp_path: Path) -> None:
    folder = deep(tmp_path)
    written(folder)
    told = typed(folder, "run", "trouble.yaml", "--format", "json")
    assert (told.code, told.stderr) == (0, "")
    alone = in_process(folder, "trouble.yaml")
    assert told.data["digest"] == alone.data["digest"]
    assert not list(folder.glob("runs/*/sockets"))


@pytest.mark.processes
def test_a_run_in_one_process_that_is_killed_leaves_nothing_outside_its_folder(
    tmp_path: Path,
) -> None:
    written(tmp_path, "Talks", "Talks")
    words = command("run", "trouble.yaml", "--in-process")
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := list(tmp_path.glob("runs/*/desk.json"))):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    path = live_address(found[0].parent)
    assert path is not None and Path(path).is_socket()
    assert path == str(found[0].parent / "sockets" / "desk")
