"""Runs that share a process are independent: in threads, on one event loop, and one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import gc
import io
import locale
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qnetem
from qnetem import Agent
from qnetem.api import Run
from qnetem.inprocess.turns import Queue, Share

from ... import harness

COIN = """
from qnetem import Agent

tossed = []

class End(Agent):
    async def run(self, peer: str):
        for _ in range(40):
            pair = await self.entangle(peer)
            tossed.append(await pair.measure("X"))
            print("a line of", self.name, self.rng.integers(1000))
        return {"ones": sum(tossed), "all": len(tossed)}

class Plain(Agent):
    async def run(self, peer: str):
        ones = 0
        for _ in range(40):
            pair = await self.entangle(peer)
            ones += await pair.measure("X")
            print("a line of", self.name, self.rng.integers(1000))
        return ones
"""
TOPOLOGY: dict[str, Any] = {
    "name": "coin",
    "nodes": {
        "alice": {"program": "./coin.py:End", "with": {"peer": "bob"}},
        "bob": {"program": "./coin.py:End", "with": {"peer": "alice"}},
    },
    "links": [
        {
            "between": ["alice", "bob"],
            "quantum": {
                "length": "1 km",
                "entangle": {"success": 0.5, "fidelity": 0.95, "attempt": "1 ms"},
            },
        }
    ],
}

#: The same with a program that keeps no state in its module.
PLAIN = TOPOLOGY | {
    "nodes": {
        name: {**node, "program": "./coin.py:Plain"} for name, node in TOPOLOGY["nodes"].items()
    }
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the program."""
    (tmp_path / "coin.py").write_text(COIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def seen(run: Run) -> tuple[Any, ...]:
    logs = {log.name: log.read_text() for log in sorted((run.run_folder / "logs").iterdir())}
    return run.digest, run.results, logs


def tossed(seed: int, topology: dict[str, Any] = TOPOLOGY) -> Run:
    return qnetem.run(topology, seed=seed, in_process=True)


def test_runs_in_threads_are_each_as_it_is_alone(here: Path) -> None:
    alone = [seen(tossed(seed)) for seed in range(1, 5)]
    assert len({digest for digest, *_ in alone}) == 4
    assert all(log.count("\n") == 40 for _, _, logs in alone for log in logs.values())
    stdout, stderr = sys.stdout, sys.stderr
    said = io.StringIO()
    with ThreadPoolExecutor(4) as pool, contextlib.redirect_stdout(said):
        runs = list(pool.map(tossed, range(1, 5)))
        print("mine")  # noqa: T201 the point
    assert [seen(run) for run in runs] == alone
    assert (sys.stdout, sys.stderr) == (stdout, stderr) and not stdout.closed
    assert said.getvalue() == "mine\n"


async def test_networks_on_one_loop_and_a_run_in_a_thread_do_not_mix(here: Path) -> None:
    alone = [seen(await asyncio.to_thread(tossed, seed, PLAIN)) for seed in (1, 2, 3)]

    async def launched(seed: int) -> tuple[Any, ...]:
        async with qnetem.launch(PLAIN, seed=seed, in_process=True) as network:
            return seen(await network.finished())

    together = await asyncio.gather(
        launched(1), launched(2), asyncio.to_thread(lambda: seen(tossed(3, PLAIN)))
    )
    assert together == alone


def test_what_other_threads_print_meanwhile_goes_where_it_always_did() -> None:
    said, inside, printed = io.StringIO(), threading.Event(), threading.Event()

    async def program(me: Agent) -> None:
        print("hers")  # noqa: T201 the point
        inside.set()
        printed.wait(10)
        print("hers again")  # noqa: T201 the point

    def beside() -> None:
        inside.wait(10)
        print("mine")  # noqa: T201 the point
        sys.stderr.write("mine, too\n")
        printed.set()

    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        thread = threading.Thread(target=beside)
        thread.start()
        run = harness.run(harness.network({"alice": program}))
        thread.join()
    assert said.getvalue() == "mine\nmine, too\n"
    assert run.logs == {"alice.1": "hers\nhers again\n"}


def test_a_program_that_redirects_its_output_redirects_no_others() -> None:
    mine = io.StringIO()

    async def alice(me: Agent) -> None:
        with contextlib.redirect_stdout(mine):
            print("first")  # noqa: T201 the point
            await asyncio.sleep(2e-6)
            print("second")  # noqa: T201 the point
        print("logged")  # noqa: T201 the point

    async def bob(me: Agent) -> None:
        await asyncio.sleep(1e-6)
        print("bob here")  # noqa: T201 the point
        sys.stderr.write("bob there\n")
        sys.stdout = None  # type: ignore[assignment] # and leaves it so

    before = sys.stdout, sys.stderr
    run = harness.run(harness.network({"alice": alice, "bob": bob}))
    assert run.outcome.problem is None
    assert mine.getvalue() == "first\nsecond\n"
    assert run.logs == {"alice.1": "logged\n", "bob.1": "bob here\nbob there\n"}
    assert (sys.stdout, sys.stderr) == before


def test_a_killed_program_prints_nothing_any_more(capsys: pytest.CaptureFixture[str]) -> None:
    async def program(me: Agent) -> None:
        try:
            await asyncio.sleep(1e-3)
        finally:
            print("still here")  # noqa: T201 the point

    run = harness.run(harness.network({"bob": program}, faults=[harness.fault("kill", "bob", 500)]))
    assert run.logs == {}
    assert capsys.readouterr().out == ""


# --- what a program does to its process -----------------------------------------------------------


def _logging() -> tuple[Any, ...]:
    root = logging.getLogger()
    return root.level, [type(one) for one in root.handlers], logging.getLogger("coin").level


#: What a program may do, and how that looks.
CHANGES: dict[str, tuple[Any, Any]] = {
    "environment": (lambda: os.environ.update(COIN="1"), lambda: os.environ.get("COIN")),
    "working directory": (lambda: os.chdir("/"), os.getcwd),
    "sys.path": (lambda: sys.path.insert(0, "/nowhere"), lambda: sys.path[:]),
    "logging": (
        lambda: (
            logging.basicConfig(level=1),
            logging.getLogger().addHandler(logging.NullHandler()),
            logging.getLogger("coin").setLevel(5),
        ),
        _logging,
    ),
    "logging.disable": (lambda: logging.disable(50), lambda: logging.root.manager.disable),
    "warnings": (lambda: warnings.simplefilter("ignore"), lambda: warnings.filters[:]),
    "locale": (
        lambda: locale.setlocale(locale.LC_ALL, "C"),
        lambda: locale.setlocale(locale.LC_ALL),
    ),
    "collector": (gc.disable, gc.isenabled),
    "thresholds": (lambda: gc.set_threshold(1234, 5, 6), gc.get_threshold),
    "recursion limit": (lambda: sys.setrecursionlimit(54321), sys.getrecursionlimit),
    "hooks": (lambda: setattr(sys, "excepthook", print), lambda: sys.excepthook),
    "decimal": (
        lambda: setattr(decimal.getcontext(), "prec", 3),
        lambda: decimal.getcontext().prec,
    ),
    "numpy": (lambda: np.seterr(all="raise"), np.geterr),
}

#: The node itself needs them, so that a program's change lasts for a step.
PUT_BACK_AFTER_A_STEP = ("recursion limit", "hooks")


@pytest.fixture(autouse=True)
def _another_locale() -> Iterator[None]:
    before = locale.setlocale(locale.LC_ALL)
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.mark.parametrize("name", CHANGES)
def test_no_change_reaches_the_caller_or_the_next_run_but_all_of_its_own(name: str) -> None:
    change, look = CHANGES[name]
    found: list[Any] = []

    async def program(me: Agent) -> None:
        found.append(look())
        with contextlib.suppress(Exception):  # a guard may refuse it, and then it is not changed
            change()
        found.append(look())
        await asyncio.sleep(1e-6)
        found.append(look())

    before = look()
    for _ in range(2):
        harness.run(harness.network({"alice": program}))
        assert look() == before
    first, second = found[:3], found[3:]
    assert first == second, "the second run begins as the first one did"
    kept = first[0] if name in PUT_BACK_AFTER_A_STEP else first[1]
    assert first[2] == kept, "and keeps what it has changed itself"


async def test_a_change_stands_in_the_turns_of_its_run_only() -> None:
    share, other, before = Share(), Share(), logging.root.manager.disable
    with share.turn():
        logging.disable(50)
    for _ in range(2):
        assert logging.root.manager.disable == before
        with other.turn():
            assert logging.root.manager.disable == before
        with share.turn():
            assert logging.root.manager.disable == 50


def _shown(message: Any, category: Any, file: str, line: int, *_: object) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, file, line))


def test_a_warning_is_in_the_log_of_every_run() -> None:
    async def program(me: Agent) -> None:
        for _ in range(2):
            warnings.warn("mind the gap", stacklevel=1)

    network = harness.network({"alice": program})
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = _shown  # pytest's keeps them to itself
        logs = [harness.run(network).logs["alice.1"] for _ in range(2)]
    assert logs[0] == logs[1]
    assert logs[0].count("UserWarning: mind the gap") == 1


# --- who is next ----------------------------------------------------------------------------------


def test_a_queue_serves_threads_in_the_order_in_which_they_came() -> None:
    queue, order = Queue(), list[int]()

    def use(number: int) -> None:
        with queue.taken():
            order.append(number)

    with queue.taken() as outermost, queue.taken() as again:
        assert (outermost, again) == (True, False)
        threads = []
        for number in range(5):
            threads.append(threading.Thread(target=use, args=(number,)))
            threads[-1].start()
            while len(queue._waiting) <= number:
                time.sleep(0.001)
        assert queue.wanted and order == []
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]
    assert not queue.wanted


def test_a_turn_that_is_given_up_holds_no_other_up() -> None:
    queue, came = Queue(), list[str]()
    with queue.taken():
        waiting = threading.Thread(target=lambda: _take(queue, came))
        waiting.start()
        while not queue.wanted:
            time.sleep(0.001)
        gone = threading.Lock()
        queue._waiting.appendleft(gone)
        queue._leave(gone)
    waiting.join(10)
    assert came == ["here"] and not queue.wanted


def _take(queue: Queue, came: list[str]) -> None:
    with queue.taken():
        came.append("here")
