"""Orders that plain asyncio takes from addresses in memory are the same in every process."""

from __future__ import annotations

from pathlib import Path

import pytest

from .lab import in_process, in_processes, scenario, seen

pytestmark = pytest.mark.processes


def test_cancelled_tasks_and_equal_deadlines_come_in_one_order_everywhere(
    tmp_path: Path, mosquitto: str
) -> None:
    topology = scenario("order")
    outcomes = [in_processes(topology, tmp_path) for _ in range(2)]
    outcomes += [in_process(topology, tmp_path) for _ in range(2)]
    orders = [outcome.results[node] for outcome in outcomes for node in ("alice", "bob")]
    assert orders == 8 * [orders[0]]
    assert [orders[0][what]["count"] for what in ("cancelled", "timers")] == [600, 857]
    assert len({seen(outcome)[0] for outcome in outcomes}) == 1


def test_a_node_imports_no_physics(tmp_path: Path, mosquitto: str) -> None:
    assert in_processes(scenario("modules"), tmp_path).results["alice"] == []
