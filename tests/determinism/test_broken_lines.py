"""Lines that are reset or stand still: to the broker no result can tell, to the emulator a named end."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from qnetem.emulator.wire.control import Progress
from qnetem.launcher import launcher
from qnetem.launcher.launcher import RunOptions, run_processes
from qnetem.runs.events import digest_of
from qnetem.runs.node_record import NodeRecord
from qnetem.runs.recorded import open_run
from tests.counts import count
from tests.harness import content

from .detours import Delays, Detour, Detoured, detoured_run, front
from .lab import PATIENCE_S, at_its_own_pace, in_process, scenario, seen

pytestmark = pytest.mark.processes


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(count(10)))
async def test_lines_to_the_broker_that_are_reset_again_and_again_change_nothing(
    tmp_path: Path, broker_kind: str, seed: int
) -> None:
    topology = scenario("ring")
    outcome, _, lines = await detoured_run(
        at_its_own_pace(topology, 0.02),
        tmp_path,
        reports=Delays(seed),
        messages=Delays(seed, from_node_s=0.005, to_node_s=0.005, lives_s=1.0),
        broker=broker_kind,
    )
    assert outcome.problem is None, outcome.problem
    assert seen(outcome) == seen(in_process(topology, tmp_path))
    assert lines.resets > 4


async def test_receivers_that_stand_still_while_megabytes_come_change_nothing(
    tmp_path: Path, broker_kind: str
) -> None:
    topology = scenario("flood")
    outcome, _, _ = await detoured_run(
        topology,
        tmp_path,
        reports=Delays(1),
        messages=Delays(1, stalls_s=0.02),
        broker=broker_kind,
    )
    assert outcome.problem is None, outcome.problem
    assert seen(outcome) == seen(in_process(topology, tmp_path))
    assert outcome.metrics["messages.resent"]["count"] > 0


async def test_receivers_that_are_reset_while_megabytes_come_change_nothing(
    tmp_path: Path, broker_kind: str
) -> None:
    topology = scenario("flood")
    outcome, _, lines = await detoured_run(
        topology,
        tmp_path,
        reports=Delays(2),
        messages=Delays(2, stalls_s=0.002, lives_s=0.3),
        broker=broker_kind,
    )
    assert outcome.problem is None, outcome.problem
    assert seen(outcome) == seen(in_process(topology, tmp_path))
    assert lines.resets > 2


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(count(20)))
async def test_a_living_node_whose_socket_to_the_emulator_is_reset_ends_the_run_by_name(
    tmp_path: Path, mosquitto: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    runs: list[Detoured] = []
    pids: dict[int, None] = {}

    def note(_: Progress) -> None:
        run = runs[0]
        children = (run._emulator.pid, run._zygote.pid, run.broker.pid)
        pids.update(dict.fromkeys([*run.pids.values(), *filter(None, children)]))

    class OneDetoured(Detoured):
        front, only = "", "b"

        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            self.front = path
            runs.append(self)

    monkeypatch.setattr(launcher, "Launcher", OneDetoured)
    with front() as path:
        line = Detour(
            Delays(seed, from_node_s=0.002, lives_s=1.5),
            lambda: runs[0].to_emulator(),  # noqa: PLW0108 - there is no run yet
        )
        topology = at_its_own_pace(scenario("ring"), 0.01)
        async with asyncio.timeout(PATIENCE_S), line.at_path(path):
            ended = await run_processes(
                topology, RunOptions("mosquitto", runs_folder=tmp_path), note
            )
    assert line.resets == 1
    problem = ended.outcome.problem
    assert problem is not None and ended.exit_code == 3
    assert (problem.kind, problem.node) == ("InfrastructureError", "b")
    assert problem.text.startswith("the connection between node b and the emulator broke at ")
    assert problem.text.endswith(", while the node's process lived")
    _see_that_it_is_whole(ended.run_folder, ended.outcome.digest)
    assert len(pids) >= 2
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []


def _see_that_it_is_whole(folder: Path, digest: str) -> None:
    """Nothing in the run folder is half written: readers take it for a run that was cut short."""
    recorded = open_run(folder)
    assert recorded.cut_short and recorded.digest == digest
    assert recorded.journal is not None
    text = content(recorded.journal)
    assert text == b"" or text.endswith(b"\n")
    assert all(msgspec.json.decode(line) for line in text.splitlines())
    assert digest_of(recorded.journal) == digest
    for path in (folder / "nodes").iterdir():
        record = NodeRecord(path)
        assert path.stat().st_size == 0 or list(record.records())
        assert not record.cut
