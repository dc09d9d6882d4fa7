"""A sweep's table depends on values and seeds alone: not on workers, executors, order or interruptions."""

from __future__ import annotations

import csv
import io
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

import qnetem
from qnetem.emulator.errors import InfrastructureError, InputError
from qnetem.sweeps.helpers import run_tasks
from qnetem.sweeps.records import measured
from qnetem.sweeps.sweep import SweepProgress, store_path
from qnetem.sweeps.table import csv_text
from qnetem.sweeps.target import FEWEST
from qnetem.sweeps.worker import Job, Task, as_data, run_task

from .runs import LENGTH, PROGRAM, TOPOLOGY, Fake, in_place, record, written

GRID = {LENGTH: ["1 km", "2 km", "3 km"], "nodes.alice.with.rounds": [1, 2], "seed": range(4)}


class Inline(Executor):
    """Runs what is submitted at once, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # it is the future's
            future.set_exception(error)
        return future


@pytest.fixture
def coin(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fake]:
    def fake(**options: Any) -> Fake:
        made = Fake(**options)
        in_place(monkeypatch, made)
        return made

    return fake


def test_there_is_a_row_for_each_run_in_the_order_of_the_grid(
    coin: Path, faked: Callable[..., Fake]
) -> None:
    made = faked()
    done = qnetem.sweep(coin, GRID, executor=Inline())
    points = [
        ({LENGTH: length, "nodes.alice.with.rounds": rounds}, seed)
        for length in GRID[LENGTH]
        for rounds in (1, 2)
        for seed in range(4)
    ]
    assert [(row.parameters, row.seed) for row in done] == points
    assert len(made.made) == 24 and done.reached and not done.failed
    rows = list(csv.DictReader(io.StringIO(csv_text(done))))
    assert rows[1] == {
        LENGTH: "1 km",
        "nodes.alice.with.rounds": "1",
        "seed": "1",
        "ok": "true",
        "ended": "well",
        "exit_code": "0",
        "digest": done.rows[1].digest,
        "virtual_time_s": "1.0",
        "bob.qber": repr(done.rows[1].record.metrics["bob.qber"]["mean"]),
        "bob.qber.se": "0.09999999999999999",
        "bob.qber.n": "9",
        "links.alice-bob.pairs": "12",
        "problem": "",
        "command": f"qnetem run {coin} --seed 1 --in-process --set '{LENGTH}=1 km' "
        "--set nodes.alice.with.rounds=1",
    }
    assert repr(done).startswith("<Sweep of 24 runs over links.alice-bob.quantum.length, nodes")


def test_without_seeds_the_topologys_own_is_taken(coin: Path, faked: Callable[..., Fake]) -> None:
    faked()
    assert [row.seed for row in qnetem.sweep(coin, {}, executor=Inline())] == [7]


def test_the_order_in_which_runs_end_changes_nothing(
    coin: Path, monkeypatch: pytest.MonkeyPatch, faked: Callable[..., Fake]
) -> None:
    faked()
    plain = [
        csv_text(qnetem.sweep(coin, GRID | more, executor=Inline(), until=until))
        for more, until in (({}, None), ({"seed": range(90)}, "bob.qber +- 0.06"))
    ]
    draw, lock = random.Random(5), threading.Lock()

    def late(request: Mapping[str, Any]) -> list[dict[str, Any]]:
        with lock:
            pause_s = draw.random() / 500
        time.sleep(pause_s)
        return [msgspec.to_builtins(record(task)) for task in as_data(request).tasks]

    in_place(monkeypatch, late)
    for workers in (1, 5):
        with ThreadPoolExecutor(workers) as pool:
            done = csv_text(qnetem.sweep(coin, GRID, executor=pool))
            assert done == plain[0]
            until = "bob.qber +- 0.06"
            done = csv_text(
                qnetem.sweep(coin, GRID | {"seed": range(90)}, executor=pool, until=until)
            )
            assert done == plain[1]


def test_until_takes_the_seeds_that_a_point_needs(coin: Path, faked: Callable[..., Fake]) -> None:
    faked()
    done = qnetem.sweep(
        coin, {LENGTH: ["1 km", "2 km"]}, executor=Inline(), until="bob.qber +- 0.05"
    )
    for mean in done.means("bob.qber"):
        assert mean.error is not None and mean.error <= 0.05
        assert FEWEST < mean.seeds < 100
        own = [row.seed for row in done if row.parameters == mean.parameters]
        assert own == list(range(mean.seeds))
    assert done.reached
    few = qnetem.sweep(coin, {"seed": range(6)}, executor=Inline(), until="bob.qber +- 0.001")
    assert len(few) == 6 and not few.reached


def test_a_sweep_that_was_broken_off_continues_to_the_same_table(
    coin: Path, faked: Callable[..., Fake]
) -> None:
    whole, broken = coin.with_name("whole.csv"), coin.with_name("broken.csv")
    faked()
    qnetem.sweep(coin, GRID, executor=Inline(), csv=whole)
    first = faked(most=9)
    with pytest.raises(KeyboardInterrupt):
        qnetem.sweep(coin, GRID, executor=Inline(), csv=broken)
    lines = broken.read_text().splitlines()
    assert 1 < len(lines) <= 10 and set(lines) < set(whole.read_text().splitlines())
    with store_path(broken).open("ab") as file:
        file.write(b'{"key":"half a li')  # as a kill leaves it
    second = faked()
    told: list[SweepProgress] = []
    qnetem.sweep(coin, GRID, executor=Inline(), csv=broken, on_progress=told.append)
    assert broken.read_bytes() == whole.read_bytes()
    kept = len(lines) - 1
    assert len(second.made) == 24 - kept and len(first.made) == 9
    assert told[-1][:4] == (24, 24, 0, kept)
    third = faked()
    qnetem.sweep(coin, GRID, executor=Inline(), csv=broken)
    assert not third.made and broken.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    "what", ["topology", "program", "neighbour", "option file", "other values"]
)
def test_what_a_run_depends_on_is_made_anew_when_it_has_changed(
    what: str, coin: Path, faked: Callable[..., Fake]
) -> None:
    (coin.parent / "other.py").write_text("X = 1\n")
    (coin.parent / "table.csv").write_text("1\n")
    (coin.parent / "coin.py").write_text("import other\n" + PROGRAM)
    values: dict[str, Any] = {"nodes.alice.with.table": "table.csv", "seed": range(3)}
    table = coin.with_name("t.csv")
    faked()
    qnetem.sweep(coin, values, executor=Inline(), csv=table)
    files = {"topology": "coin.yaml", "program": "coin.py", "neighbour": "other.py"}
    if what == "other values":
        values["nodes.bob.with.rounds"] = 4
    else:
        path = coin.parent / files.get(what, "table.csv")
        path.write_text(path.read_text() + "\n" * 2)
    made = faked()
    qnetem.sweep(coin, values, executor=Inline(), csv=table)
    assert len(made.made) == 3


def test_more_seeds_keep_the_runs_that_were_made(coin: Path, faked: Callable[..., Fake]) -> None:
    table = coin.with_name("t.csv")
    faked()
    qnetem.sweep(coin, {"seed": range(3)}, executor=Inline(), csv=table)
    made = faked()
    qnetem.sweep(coin, {"seed": range(5)}, executor=Inline(), csv=table)
    assert [task.seed for task in made.made] == [3, 4]


def test_two_sweeps_do_not_write_one_table(coin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = coin.with_name("t.csv")

    def nested(request: Mapping[str, Any]) -> list[dict[str, Any]]:
        with pytest.raises(InputError, match="another sweep is writing to it"):
            qnetem.sweep(coin, {}, executor=Inline(), csv=table)
        return [msgspec.to_builtins(record(task)) for task in as_data(request).tasks]

    in_place(monkeypatch, nested)
    assert len(qnetem.sweep(coin, {}, executor=Inline(), csv=table)) == 1


def test_an_executor_that_is_shut_down_is_an_error(coin: Path) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(InfrastructureError, match="the executor takes no calls: cannot schedule"):
        qnetem.sweep(coin, {}, executor=pool)


def test_an_executor_that_breaks_is_an_error_that_keeps_what_was_made(
    coin: Path, faked: Callable[..., Fake]
) -> None:
    table = coin.with_name("t.csv")
    faked(most=5, error=MemoryError)
    with pytest.raises(InfrastructureError, match="the executor does not answer: MemoryError"):
        qnetem.sweep(coin, GRID, executor=Inline(), csv=table)
    assert 1 <= len(store_path(table).read_bytes().splitlines()) <= 5


@pytest.mark.parametrize(
    ("parameters", "options", "problem"),
    [
        (
            {"links.alice-bob.quantum.lenght": ["1 km"]},
            {},
            "unknown key 'lenght'; did you mean 'length'",
        ),
        ({LENGTH: ["1 km", "2 kg"]}, {}, "links.0..quantum.length"),
        ({"nodes.alice.with.rond": [1]}, {}, "did you mean 'rounds'"),
        ({"expect.alice.rounds": ["< x"]}, {}, "expect alice.rounds"),
        ({}, {"until": "carol.qber +- 1"}, "unknown node 'carol'"),
        ({}, {"workers": 0}, "workers: expected at least 1"),
    ],
)
def test_a_mistake_is_found_before_anything_runs(
    parameters: dict[str, Any],
    options: dict[str, Any],
    problem: str,
    coin: Path,
    faked: Callable[..., Fake],
) -> None:
    made = faked()
    with pytest.raises(InputError, match=problem):
        qnetem.sweep(coin, {"seed": range(2), **parameters}, csv=coin.with_name("t.csv"), **options)
    assert not made.made


def test_a_combination_that_is_wrong_is_the_failure_of_its_row(coin: Path) -> None:
    job = Job(str(coin), None, None, str(coin.parent), [], None)
    overrides = {"nodes.alice.memory.t1": "1 ms", "nodes.alice.memory.t2": "9 ms"}
    failed = run_task(job, Task(overrides, 3))
    assert (failed.exit_code, failed.digest, failed.seed) == (2, "", 3)
    assert failed.problem is not None and "T2 cannot exceed 2 T1" in failed.problem.text


@pytest.mark.processes
def test_workers_give_the_runs_that_the_command_gives(coin: Path) -> None:
    """Real worker processes: one raises, one is killed, the others are those of `qnetem.run`."""
    values = {
        "nodes.alice.with.end": ["", "raise", "die"],
        "nodes.alice.with.rounds": [2, 6],
        "seed": [3, 4],
    }
    done = qnetem.sweep(coin, values, workers=2, csv=coin.with_name("t.csv"))
    assert [row.record.exit_code for row in done] == [0, 0, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3]
    assert not list(coin.parent.glob("runs*/*/")) and not list(coin.parent.glob(".*"))
    for row in done.rows[:4]:
        run = qnetem.run(
            coin,
            overrides=row.parameters,
            seed=row.seed,
            in_process=True,
            runs_folder=coin.parent / "kept",
        )
        assert row.record.metrics == run.metrics and row.record.t_ns == run.outcome.t_ns
        assert row.record.results["alice"]["rounds"] == run.results["alice"]["rounds"]
        assert row.ok == run.ok
    assert done.rows[2].problem.startswith("expected alice.rounds < 5, measured 6")
    assert done.rows[4].problem == "ProgramFailed: alice: ValueError: no more at all"
    assert "the worker process ended" in done.rows[8].problem
    columns = measured(done.rows[0])
    assert columns["alice.deep.x"] == 1.5 and columns["alice.bit.n"] == 3
    # The hash seed is that of every run, whatever this process has: the order of a set is the same.
    assert len({str(row.record.results["alice"]["set"]) for row in done.rows[:4]}) == 1
    assert len(store_path(coin.with_name("t.csv")).read_bytes().splitlines()) == 8


def test_text_and_data_are_swept_like_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)
    monkeypatch.chdir(tmp_path)

    def here(request: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = as_data(request)
        return [msgspec.to_builtins(run_task(found.job, task)) for task in found.tasks]

    in_place(monkeypatch, here)
    of_file = qnetem.sweep("coin.yaml", {"seed": [3]}, executor=Inline())
    of_text = qnetem.sweep(TOPOLOGY, {"seed": [3]}, executor=Inline())
    assert of_file.rows[0].digest == of_text.rows[0].digest != ""
    assert of_text.rows[0].command == ""
    assert of_file.rows[0].command == "qnetem run coin.yaml --seed 3 --in-process"
    assert run_tasks is not here
