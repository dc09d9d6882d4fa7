"""Same seed, same digest: again and again, in one process or in many, over either broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from qnetem.emulator.loading import with_seed
from tests.counts import count

from .lab import in_process, in_processes, scenario, seen, side_by_side

pytestmark = pytest.mark.processes


@pytest.mark.campaign
async def test_many_runs_are_one(tmp_path: Path, mosquitto: str) -> None:
    topology = scenario("small")
    expected = in_process(topology, tmp_path)
    assert all(result["count"] > 10 for result in expected.results.values())
    outcomes = await side_by_side(topology, tmp_path, count(50))
    assert [seen(outcome) for outcome in outcomes] == count(50) * [seen(expected)]


def test_no_broker_and_any_broker_give_the_same(tmp_path: Path, broker_kind: str) -> None:
    topology = scenario("ring")
    over_a_broker = in_processes(topology, tmp_path, broker_kind)
    assert seen(over_a_broker) == seen(in_process(topology, tmp_path))
    assert over_a_broker.instants > 190


def test_another_seed_gives_another_digest(tmp_path: Path, mosquitto: str) -> None:
    topology = scenario("small")
    seventh, eighth = with_seed(topology, 7), with_seed(topology, 8)
    of_seven, of_eight = in_processes(seventh, tmp_path), in_process(eighth, tmp_path)
    assert of_seven.digest != of_eight.digest
    assert of_seven.results != of_eight.results
    assert seen(of_seven) == seen(in_process(seventh, tmp_path))
