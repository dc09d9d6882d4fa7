"""A node killed by a fault: what it had sent arrives, and its death is the same in every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from qnetem.emulator.wire.control import Outcome
from tests.counts import count

from .detours import Delays, slow_run
from .lab import in_process, in_processes, scenario, seen, side_by_side

pytestmark = pytest.mark.processes


def all_arrived(outcome: Outcome) -> bool:
    """Bob has heard all twenty of the first incarnation, and one of the second."""
    alice, bob = outcome.nodes["alice"], outcome.results["bob"]
    assert outcome.problem is None, outcome.problem
    return (alice.incarnation, bob["numbers"], bob["count"]) == (2, list(range(20)), 21)


@pytest.mark.campaign
async def test_all_that_a_killed_node_had_sent_arrives_in_every_run(
    tmp_path: Path, mosquitto: str
) -> None:
    topology = scenario("killed")
    expected = in_process(topology, tmp_path)
    assert all_arrived(expected)
    outcomes = await side_by_side(topology, tmp_path, count(50))
    assert all(all_arrived(outcome) for outcome in outcomes)
    assert [seen(outcome) for outcome in outcomes] == count(50) * [seen(expected)]


@pytest.mark.parametrize("longest_s", [0.02, 0.3])
async def test_a_node_is_not_killed_before_its_messages_are_safe(
    tmp_path: Path, broker_kind: str, longest_s: float
) -> None:
    # What the dying node had written and the line still holds is lost with it: without settling,
    # bob would now ask a dead node for its payloads. The longer delay makes him ask a living one.
    topology = scenario("killed")
    outcome, _, late_messages = await slow_run(
        topology,
        tmp_path,
        reports=Delays(5, from_node_s=0.01),
        messages=Delays(6, from_node_s=longest_s, loses=True),
        broker=broker_kind,
    )
    assert all_arrived(outcome)
    assert seen(outcome) == seen(in_process(topology, tmp_path))
    assert late_messages > 0


def test_kills_and_restarts_in_the_midst_of_everything_change_nothing(
    tmp_path: Path, mosquitto: str
) -> None:
    topology = scenario("perilous")
    expected = in_process(topology, tmp_path)
    assert [node.incarnation for node in expected.nodes.values()] == [1, 3, 2, 2, 1]
    for _ in range(2):
        assert seen(in_processes(topology, tmp_path)) == seen(expected)
