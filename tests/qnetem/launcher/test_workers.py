"""Runs on worker processes: the digest of any other run, faults of single nodes, a worker that is lost."""

from __future__ import annotations

import itertools
import json
import os
import signal
from pathlib import Path

import pytest

import qnetem
from qnetem.broker.access import Access
from qnetem.compare.replay import replay
from qnetem.emulator.errors import InputError
from qnetem.launcher.launcher import RunOptions, deal
from qnetem.runs.recorded import open_run
from qnetem.text.error_output import reproduce

PROGRAMS = '''
import asyncio
from qnetem import Agent

class Talker(Agent):
    """Tells all others what it has drawn, and records what it hears, by its own clock."""
    async def run(self, rounds: int = 30):
        print("life", self.incarnation)
        for _ in range(rounds):
            await self.broadcast(int(self.rng.integers(1000)))
            await asyncio.sleep(1e-3)
            while True:
                try:
                    async with asyncio.timeout(0):
                        message = await self.receive()
                except TimeoutError:
                    break
                self.record("heard", [self.now_ns, message.source, message.body])
        return self.incarnation
'''
NODES = ["dave", "alice", "carol", "bob", "erin"]
FAULTS = [
    {"at": "5 ms", "kill": "bob", "restart": "3 ms"},
    {"at": "6 ms", "for": "4 ms", "pause": "alice", "signal": True},
    {"at": "7 ms", "for": "9 ms", "clock_skew": "carol", "ppm": 50000},
    {"at": "12 ms", "kill": "erin"},
    {"at": "14 ms", "restart": "dave", "after": "1 ms"},
]


@pytest.fixture
def network(tmp_path: Path) -> Path:
    (tmp_path / "talk.py").write_text(PROGRAMS)
    data = {
        "name": "talk",
        "seed": 5,
        "nodes": {node: {"program": "./talk.py:Talker"} for node in NODES},
        "links": [
            {"between": [a, b], "classical": {"latency": "400 us"}}
            for a, b in itertools.pairwise(NODES)
        ],
        "faults": FAULTS,
    }
    path = tmp_path / "talk.yaml"
    path.write_text(json.dumps(data))
    return path


# --- what needs no process ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workers", "dealt"),
    [
        (None, []),
        (1, [NODES]),
        (2, [["dave", "carol", "erin"], ["alice", "bob"]]),
        (9, [["dave"], ["alice"], ["carol"], ["bob"], ["erin"]]),
    ],
)
def test_nodes_are_dealt_out_in_the_order_of_the_file(
    workers: int | None, dealt: list[list[str]]
) -> None:
    assert deal(NODES, workers) == dealt


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2"])
def test_a_number_of_workers_that_cannot_be_is_refused(network: Path, workers: object) -> None:
    with pytest.raises(InputError, match=f"--workers {workers}: expected a whole number"):
        qnetem.run(network, workers=workers)  # type: ignore[arg-type]


def test_workers_are_refused_in_one_process(network: Path) -> None:
    with pytest.raises(InputError, match="an in-process run has no workers"):
        qnetem.run(network, workers=2, in_process=True)


def test_a_worker_may_do_at_the_broker_what_its_nodes_may() -> None:
    access = Access.of_run("run", NODES, deal(NODES, 2))
    rules = access._accounts[access.worker(2).username].rules().splitlines()
    assert rules == [
        "user worker.2",
        "topic write qnetem/v1/run/+/inbox/alice",
        "topic write qnetem/v1/run/+/inbox/bob",
        "topic read qnetem/v1/run/alice/inbox/+",
        "topic read qnetem/v1/run/bob/inbox/+",
    ]
    assert sorted(access._accounts) == ["observer", "probe", "worker.1", "worker.2"]


def test_the_command_that_repeats_a_run_names_its_workers() -> None:
    assert reproduce("talk.yaml", 5, workers=2) == "qnetem run talk.yaml --seed 5 --workers 2"


# --- with processes -------------------------------------------------------------------------------


def test_faults_of_single_nodes_leave_the_digest_and_the_logs_as_they_are_elsewhere(
    network: Path, tmp_path: Path, mosquitto: str
) -> None:
    shared = qnetem.run(network, workers=2, runs_folder=tmp_path / "runs")
    alone = qnetem.run(network, in_process=True, runs_folder=tmp_path / "runs")
    assert shared.problem is None
    assert shared.digest == alone.digest
    pids = {name: state.pid for name, state in shared.outcome.nodes.items()}
    assert pids["dave"] == pids["carol"] == pids["erin"] != pids["alice"] == pids["bob"]
    assert shared.results == {"alice": 1, "bob": 2, "carol": 1, "dave": 2, "erin": None}
    logs = {path.name: path.read_text() for path in (shared.run_folder / "logs").iterdir()}
    assert {name: text for name, text in logs.items() if text} == {
        f"{node}.{life}.log": f"life {life}\n"
        for node in NODES
        for life in ([1, 2] if node in ("bob", "dave") else [1])
    }
    recorded = open_run(shared.run_folder)
    assert recorded.workers == 2
    options = RunOptions(runs_folder=tmp_path / "runs")
    assert replay(recorded, options, in_process=True).same


async def test_a_worker_that_is_killed_is_named_with_its_nodes(
    network: Path, tmp_path: Path, mosquitto: str
) -> None:
    network.write_text(
        network.read_text().replace('"faults"', '"time": {"mode": "real"}, "faults"')
    )
    talk = (tmp_path / "talk.py").read_text()
    (tmp_path / "talk.py").write_text(talk.replace("= 30", "= 1_000_000"))
    launched = qnetem.launch(network, workers=2, runs_folder=tmp_path / "runs")
    async with launched as running:
        while (await running.inspect()).t_ns == 0:
            pass
        os.kill(running.pids["carol"], signal.SIGKILL)
        run = await running.finished()
    assert run.problem is not None
    assert (run.problem.kind, run.exit_code) == ("NodeLost", 3)
    assert run.problem.text.startswith("worker 1 (dave, carol, erin) was lost at ")
    assert "the process was killed by signal 9" in run.problem.text
    assert run.problem.node in ("dave", "carol", "erin")
    assert not running.pids
