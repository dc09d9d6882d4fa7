"""A command bound to the life of its parent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from qnetem.processes import parent_death

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux promises it")


def test_the_command_runs_under_the_same_pid_with_its_status() -> None:
    script = "import os, sys; print(os.getpid(), *sys.argv[1:]); sys.exit(7)"
    command = parent_death.dies_with_parent([sys.executable, "-c", script, "a b", "--c"])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        output, _ = child.communicate(timeout=60)
    assert output.split(maxsplit=1) == [str(child.pid), "a b --c\n"]
    assert child.returncode == 7


@linux
def test_an_orphan_does_not_start(tmp_path: Path) -> None:
    """The parent named on the command line is gone: someone else has adopted the child."""
    mark = tmp_path / "ran"
    stranger = str(os.getpid() + 1_000_000)
    command = [
        sys.executable,
        "-I",
        "-S",
        parent_death.__file__,
        stranger,
        "9",
        "/usr/bin/touch",
        str(mark),
    ]
    assert subprocess.run(command, timeout=60, check=False).returncode == parent_death.ORPHANED
    assert not mark.exists()


@linux
def test_the_child_ends_with_its_parent() -> None:
    parent = (
        "import subprocess, sys; from qnetem.processes.parent_death import dies_with_parent; "
        "child = subprocess.Popen(dies_with_parent(['/bin/sleep', '600']), stdout=sys.stdout); "
        "print(child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.kill()
        # The child holds the pipe's other end, too: end of file means that it is gone.
        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        reader.join(timeout=60)
        assert not reader.is_alive()


@linux
def test_a_child_that_asks_for_another_signal_may_clean_up(tmp_path: Path) -> None:
    mark = tmp_path / "cleaned"
    child = (
        "import pathlib, signal, sys; wanted = {signal.SIGUSR2}; "
        "signal.pthread_sigmask(signal.SIG_BLOCK, wanted); "
        "signal.signal(signal.SIGUSR2, signal.SIG_DFL); print('ready', flush=True); "
        f"signal.sigwait(wanted); pathlib.Path({str(mark)!r}).touch()"
    )
    parent = (
        "import signal, subprocess, sys; from qnetem.processes.parent_death import dies_with_parent; "
        f"command = dies_with_parent([sys.executable, '-c', {child!r}], signal.SIGUSR2); "
        "subprocess.Popen(command, stdout=sys.stdout); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        process.stdout.read()  # until the child is gone, too
    assert mark.exists()


@linux
def test_the_command_has_no_terminal_to_ask_or_to_be_stopped_by() -> None:
    asks = "import os; os.open('/dev/tty', os.O_RDWR)"
    at_a_terminal = (
        "import os, pty, subprocess, sys; from qnetem.processes.parent_death import dies_with_parent; "
        "pid, terminal = pty.fork(); "
        f"command = [sys.executable, '-c', {asks!r}]; "
        "run = lambda c: subprocess.run(c, stderr=subprocess.DEVNULL, process_group=0).returncode; "
        "pid or os._exit(10 * run(command) + run(dies_with_parent(command))); "
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    done = subprocess.run([sys.executable, "-c", at_a_terminal], timeout=60, check=False)
    assert done.returncode == 1  # by itself it can, bound to its parent it cannot


def test_a_command_that_cannot_run_says_so() -> None:
    done = subprocess.run(
        parent_death.dies_with_parent(["/no/such/program"]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == parent_death.NOT_RUNNABLE
    assert "/no/such/program: No such file" in done.stderr
