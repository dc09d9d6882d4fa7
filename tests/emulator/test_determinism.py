"""The promise all others serve: how frames and payloads are carried changes nothing that can be seen."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from qnetem.emulator.topology.model import Topology

from .. import harness, puppets

SETTINGS = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@given(puppets.networks(), st.lists(st.integers(0, 2**32), min_size=2, max_size=2))
@SETTINGS
def test_any_network_runs_alike_in_any_order_of_carrying(
    topology: Topology, orders: list[int]
) -> None:
    plain = harness.run(topology)
    problem = plain.outcome.problem
    event(problem.kind if problem is not None else "done")
    wanted: dict[str, Any] = plain.observable()
    for order in orders:
        seen = harness.run_hard(topology, order).observable()
        assert seen["events"] == wanted["events"]
        assert seen == wanted
