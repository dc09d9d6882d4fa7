"""The watchdog: a node that sends nothing for too long, and the stacks it writes when asked."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.service.watchdog import ANSWER_S, Watchdog, silent_s

ALICE = ("alice", 1)
NODE = """
import sys, time
from pathlib import Path
from qnetem.agents.process.files import answer_stack_signal
answer_stack_signal(Path(sys.argv[1], "logs", "alice.1.stacks"), lambda: "task alice waits for x")
{before}
def spin_here():
    print("up", flush=True)
    while True:
        {spin}
spin_here()
"""
DEAF = "import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)"


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "-1", "0", "1e-9", "1e300", "1\udcff"])
def test_a_patience_that_cannot_be_read_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError, match=r"^QNETEM_SILENT_S=.*expected a number of seconds"):
        silent_s({"QNETEM_SILENT_S": text})


def test_a_patience_is_a_number_of_seconds() -> None:
    assert silent_s({"QNETEM_SILENT_S": " 0.5 "}) == 0.5
    assert silent_s({}) == 30.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


def start(folder: Path, spin: str, before: str = "") -> subprocess.Popen[str]:
    code = NODE.format(spin=spin, before=before)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.fixture
def spinning(folder: Path) -> Iterator[subprocess.Popen[str]]:
    yield from ended(start(folder, "pass"))


def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    with process:
        yield process
        process.kill()


def watch(watchdog: Watchdog, pid: int, frames: int, now_s: float) -> list[tuple[str, str]]:
    watchdog.observe(ALICE, pid, frames, now_s)
    return [(label[0], stacks) for label, stacks in watchdog.take_stalled(now_s)]


def until_stalled(watchdog: Watchdog, pid: int, now_s: float) -> list[tuple[str, str]]:
    """Virtual ticks within the answering time, real waiting for the process's answer."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        stalled = watch(watchdog, pid, 0, now_s)
        if stalled:
            return stalled
        time.sleep(0.01)
    raise AssertionError("never stalled")


def test_a_node_that_spins_in_python_is_named_with_its_tasks_and_its_frame(
    folder: Path, spinning: subprocess.Popen[str]
) -> None:
    watchdog = Watchdog(str(folder), 30.0)
    assert watch(watchdog, spinning.pid, 0, 100.0) == []
    [(name, stacks)] = until_stalled(watchdog, spinning.pid, 130.0)
    assert name == "alice"
    assert "task alice waits for x" in stacks
    assert "in spin_here" in stacks


def test_a_frame_from_the_node_starts_its_clock_again(folder: Path) -> None:
    watchdog = Watchdog(str(folder), 30.0)
    no_process = 2**22 + 1  # above the largest pid: any signal would be answered by "gone"
    assert watch(watchdog, no_process, 0, 0.0) == []
    assert watch(watchdog, no_process, 1, 29.0) == []
    assert watch(watchdog, no_process, 1, 58.0) == []
    assert watch(watchdog, no_process, 1, 59.0) == [("alice", "its process is gone\n")]


def test_a_node_that_is_not_awaited_between_two_ticks_has_no_clock(folder: Path) -> None:
    watchdog = Watchdog(str(folder), 30.0)
    assert watch(watchdog, 2**22 + 1, 0, 0.0) == []
    assert watchdog.take_stalled(20.0) == []
    assert watch(watchdog, 2**22 + 1, 0, 40.0) == []


def test_a_node_under_a_debugger_is_never_silent(folder: Path) -> None:
    process = start(folder, "pass", "sys.settrace(lambda *arguments: None)")
    stacks = folder / "logs" / "alice.1.stacks"
    for _ in ended(process):
        watchdog = Watchdog(str(folder), 30.0)
        assert watch(watchdog, process.pid, 0, 0.0) == []
        assert watch(watchdog, process.pid, 0, 30.0) == []
        deadline = time.monotonic() + 20
        while not stacks.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert watch(watchdog, process.pid, 0, 31.0) == []
        assert watch(watchdog, process.pid, 0, 59.0) == []  # its clock began again
        assert stacks.exists()


def test_a_node_that_is_deaf_to_the_signal_is_named_with_the_end_of_its_log(folder: Path) -> None:
    (folder / "logs" / "alice.1.log").write_text("first\nlast words\n")
    for process in ended(start(folder, "pass", DEAF)):
        watchdog = Watchdog(str(folder), 30.0)
        assert watch(watchdog, process.pid, 0, 0.0) == []
        assert watch(watchdog, process.pid, 0, 30.0) == []
        [(_, stacks)] = watch(watchdog, process.pid, 0, 30.0 + ANSWER_S)
        assert "last words" in stacks
