"""`qnetem.run` is the same wherever it is called: in a coroutine, a thread, a worker. And signals."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem import Run
from qnetem.agents.process.output import Routed
from qnetem.emulator.errors import InfrastructureError
from qnetem.launcher import beside
from qnetem.processes.signals import RunSignals

TALK = """\
import logging
from qnetem import Agent

class Talks(Agent):
    async def run(self, rounds: int):
        logging.getLogger("talk").setLevel(logging.DEBUG)
        for number in range(rounds):
            print("a line of", self.name)
            await self.send("bob" if self.name == "alice" else "alice", number)
            await self.receive()
        return rounds
"""


def talks(rounds: int = 3) -> dict[str, Any]:
    end = {"program": "./talk.py:Talks", "with": {"rounds": rounds}}
    link = {"between": ["alice", "bob"], "quantum": "none", "classical": {"latency": "1 ms"}}
    return {"name": "talks", "nodes": {"alice": end, "bob": end}, "links": [link]}


def talked(rounds: int = 3) -> Run:
    run = qnetem.run(talks(rounds), in_process=True)
    run.assert_ok()
    return run


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talk.py").write_text(TALK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


# --- where a loop is running ------------------------------------------------------------------------


def test_a_coroutine_gets_the_same_run(capsys: pytest.CaptureFixture[str]) -> None:
    alone = talked()

    async def inside() -> tuple[Run, list[str]]:
        seen: list[str] = []
        task = asyncio.create_task(asyncio.sleep(0))
        run = talked()
        seen.append("done" if task.done() else "waits")
        await task
        assert asyncio.current_task() is not None
        return run, seen

    run, seen = asyncio.run(inside())
    assert (run.digest, run.results) == (alone.digest, alone.results)
    assert seen == ["waits"], "the caller's loop stands while the run is under way"
    assert capsys.readouterr().out == ""


@pytest.mark.processes
def test_processes_run_beside_the_loop_of_a_coroutine() -> None:
    alone = talked()
    threads: set[int] = set()

    async def inside() -> Run:
        return qnetem.run(talks(), on_progress=lambda _: threads.add(threading.get_ident()))

    run = asyncio.run(inside())
    assert run.digest == alone.digest
    assert threads == {threading.get_ident()}
    assert "qnetem run" not in [thread.name for thread in threading.enumerate()]


class Faked:
    """Stands for the launcher: it waits to be interrupted, having reported progress."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reasons: list[str] = []
        self.fails: Exception | None = None
        monkeypatch.setattr(beside, "run_processes", self.run_processes)

    def interrupt(self, reason: str, exit_code: int) -> None:
        assert exit_code == 130
        self.reasons.append(reason)
        self._over.set()

    async def run_processes(
        self, topology: Any, options: Any, on_progress: Callable[[Any], None], on_launcher: Any
    ) -> Any:
        self._over = asyncio.Event()
        on_launcher(self)
        if self.fails is not None:
            raise self.fails
        on_progress("progress")
        await self._over.wait()
        return dataclasses.replace(talked().result, exit_code=130)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Faked:
    return Faked(monkeypatch)


def test_a_signal_ends_the_run_beside_a_loop(faked: Faked) -> None:
    result = beside.run_beside_loop(  # type: ignore[call-arg]
        None, None, on_progress=lambda _: signal.raise_signal(signal.SIGINT)
    )
    assert faked.reasons == ["interrupted by SIGINT"]
    assert (result.exit_code, result.signal) == (130, signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_exception_of_the_caller_s_ends_the_run_beside_a_loop(faked: Faked) -> None:
    def stop(_: Any) -> None:
        raise TimeoutError("the caller's patience")

    with pytest.raises(TimeoutError, match="patience"):
        beside.run_beside_loop(None, None, on_progress=stop)  # type: ignore[arg-type]
    assert faked.reasons == ["its caller raised an exception"]
    assert "qnetem run" not in [thread.name for thread in threading.enumerate()]


def test_what_the_run_raises_beside_a_loop_is_raised(faked: Faked) -> None:
    faked.fails = InfrastructureError("no broker")
    with pytest.raises(InfrastructureError, match="no broker"):
        beside.run_beside_loop(None, None)  # type: ignore[arg-type]


# --- signals ---------------------------------------------------------------------------------------


def interrupted(number: signal.Signals) -> Run:
    once = iter([number])
    return qnetem.run(
        talks(1_000_000),
        in_process=True,
        on_progress=lambda _: [signal.raise_signal(each) for each in once],  # type: ignore[arg-type, return-value]
    )


def test_ctrl_c_ends_the_run_and_then_the_caller() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        interrupted(signal.SIGINT)
    [note] = caught.value.__notes__
    folder = Path(note.rpartition(" ")[2])
    assert b"interrupted by SIGINT" in (folder / "outcome.json").read_bytes()


def test_a_caller_s_own_handler_hears_of_the_signal_and_gets_the_run() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        run = interrupted(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
    assert run.exit_code == 130 and run.problem is not None


# --- threads and pools -----------------------------------------------------------------------------


@pytest.fixture
def under_way() -> Iterator[None]:
    """While it lasts, a run in another thread is in the middle of its turn."""
    inside, leave = threading.Event(), threading.Event()

    def hold(_: Any) -> None:
        inside.set()
        leave.wait(400)

    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(qnetem.run, talks(), in_process=True, on_progress=hold)
        assert inside.wait(400)
        yield
        leave.set()
        assert run.result(400).ok


def _as_a_worker() -> tuple[int, type, Run]:
    return logging.getLogger("talk").level, type(sys.stdout), talked()


def test_a_worker_that_is_forked_during_a_run_has_no_part_in_it(under_way: None) -> None:
    with warnings.catch_warnings():  # of a fork beside threads, which is what this is about
        warnings.simplefilter("ignore", DeprecationWarning)
        with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
            level, stdout, run = pool.submit(_as_a_worker).result(400)
    assert logging.getLogger("talk").level == logging.DEBUG, "the run under way has its turn"
    assert level == logging.NOTSET and stdout is not Routed
    assert run.results == {"alice": 3, "bob": 3}


def test_a_forked_process_has_the_handlers_from_before() -> None:
    def forked() -> bool:
        child = os.fork()
        if child == 0:
            os._exit(0 if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL else 1)
        return os.waitpid(child, 0)[1] == 0

    with RunSignals(lambda number: None):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert forked()


def test_a_pool_of_new_processes_returns_runs() -> None:
    here = talked()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = pool.submit(qnetem.run, talks(), in_process=True).result(400)
    assert (there.digest, there.results, there.topology) == (
        here.digest,
        here.results,
        here.topology,
    )
    assert repr(there) == repr(here)


def test_of_two_runs_on_one_loop_the_first_may_end_first() -> None:
    """The handlers from before both are there after both, and a signal meanwhile ends whatever runs."""
    before = signal.getsignal(signal.SIGTERM)
    heard: list[str] = []
    first = RunSignals(lambda number: heard.append("first"))
    second = RunSignals(lambda number: heard.append("second"))
    first.__enter__()
    second.__enter__()
    signal.raise_signal(signal.SIGTERM)
    assert heard == ["first", "second"]
    first.__exit__(None, None, None)
    signal.raise_signal(signal.SIGTERM)
    assert heard == ["first", "second", "second"]
    second.__exit__(None, None, None)
    assert signal.getsignal(signal.SIGTERM) is before
