"""Started and ended again and again, well and badly: nothing is left of a run but its folder."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import qnetem
from tests.counts import count

from ..trouble import PATIENCE_S, Running, left_in, typed, written

pytestmark = [
    pytest.mark.processes,
    pytest.mark.campaign,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]

#: Of each of the six kinds of cycle: three hundred in all.
TIMES = count(50, 50)
#: From the zygote's start to the first instant and beyond, on a quiet machine.
UNDER_WAY_S = 1.5
PAUSE_S = 0.02


def comes_to_its_end(folder: Path, broker: str, seed: int) -> None:
    written(folder)
    told = typed(folder, "run", "trouble.yaml", "--format", "json", "--broker", broker)
    assert (told.code, told.stderr) == (0, "")
    assert told.data["results"] == {"alice": {"rounds": 3}, "bob": {"rounds": 3}}


def is_interrupted(folder: Path, broker: str, seed: int) -> None:
    number = random.Random(seed).choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    with Running(folder, "--broker", broker, form="json") as running:
        time.sleep(random.Random(seed).uniform(0, 0.2))
        running.process.send_signal(number)
        told = running.told()
    assert told.code == 130
    assert told.data["problem"]["text"] == f"interrupted by {number.name}"


def loses_its_launcher(folder: Path, broker: str, seed: int) -> None:
    """Killed at any moment from the zygote's start on."""
    running = Running(folder, "--broker", broker)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not running.pids("zygote"):
            assert time.monotonic() < deadline and running.process.poll() is None
            time.sleep(PAUSE_S)
        time.sleep(random.Random(seed).uniform(0, UNDER_WAY_S))
        running.process.kill()
        running.process.wait()
        running.gone()
    finally:
        running.__exit__()


CYCLES: list[Callable[[Path, str, int], None]] = [
    comes_to_its_end,
    is_interrupted,
    loses_its_launcher,
]


@pytest.mark.parametrize("cycle", CYCLES)
@pytest.mark.parametrize("seed", range(TIMES))
def test_a_run_leaves_no_process_and_no_socket_however_it_ends(
    tmp_path: Path, broker_kind: str, cycle: Callable[[Path, str, int], None], seed: int
) -> None:
    children = our_children()
    cycle(tmp_path, broker_kind, seed)
    assert left_in(tmp_path) == []
    assert our_children() == children
    if cycle is not loses_its_launcher:  # which may have come to no folder yet
        assert list(tmp_path.glob("runs/*/run.json"))
    assert not list(tmp_path.glob("runs/*/sockets"))


def test_a_process_that_runs_networks_again_and_again_does_not_grow(
    tmp_path: Path, broker_kind: str
) -> None:
    path = written(tmp_path)

    def run() -> None:
        assert qnetem.run(path, runs_folder=tmp_path, broker=broker_kind).exit_code == 0

    threads = set(threading.enumerate())
    run()  # what is opened once for all runs
    held, children = open_files(), our_children()
    for _ in range(count(50, 25)):
        run()
        assert (open_files(), our_children()) == (held, children)
    for thread in set(threading.enumerate()) - threads:
        thread.join(PATIENCE_S)  # those that wait for processes end a moment after them
        assert not thread.is_alive(), thread


def open_files() -> list[str]:
    """What this process has open, without the numbers of pipes and sockets."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(os.readlink(entry).partition(":")[0])
        except FileNotFoundError:  # the one by which the folder is read
            continue
    return sorted(found)


def our_children() -> list[int]:
    """The children of this process, dead ones that were not waited for included."""
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return sorted(map(int, text.split()))
