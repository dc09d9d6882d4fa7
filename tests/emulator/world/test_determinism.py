"""The promise all others serve: how frames and payloads are carried changes nothing that can be seen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from qnetem.emulator.topology.model.topology import Topology

from ... import harness, puppets
from ...counts import count

SETTINGS = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.campaign
@given(puppets.networks(), st.lists(st.integers(0, 2**32), min_size=2, max_size=2))
@settings(SETTINGS, max_examples=count(600, 30))
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


@pytest.mark.campaign
@given(puppets.chatters(), st.integers(0, 2**32))
@settings(SETTINGS, max_examples=count(250, 25))
def test_kills_in_the_middle_of_talk_run_alike_however_much_the_broker_loses(
    topology: Topology, order: int
) -> None:
    wanted = harness.run(topology).observable()
    seen = harness.run_hard(topology, order, drops=0.5).observable()
    assert seen["events"] == wanted["events"]
    assert seen == wanted


@given(puppets.networks(), st.integers(0, 2**32))
@settings(SETTINGS, max_examples=60)
def test_after_any_run_nothing_is_left_in_flight_and_no_store_has_grown(
    topology: Topology, order: int
) -> None:
    """What may stay: the messages on their way at the end, and what waits for nodes that live."""
    run = harness.run_hard(topology, order)
    plane = run.world.classical
    sent = sum(event[3] == "sent" for event in run.events)
    ended = [event for event in run.events if event[3] in {"delivered", "undelivered"}]
    originals = sum(event[7] == 0 or isinstance(event[7], str) for event in ended)
    duplicates = sum(fault.verb == "duplicate" for fault in topology.faults)
    copies = plane.in_flight() - (sent - originals)
    assert 0 <= copies <= sent * (2**duplicates - 1), "none without a fault that makes them"
    listening = {name for name in topology.nodes if run.world.nodes.listens(name)}
    paused = {fault.target for fault in topology.faults if fault.verb == "pause"}
    assert set(plane.forgets) <= listening and set(plane.deliveries) <= listening & paused
    for name, core in run.nodes.items():
        if run.outcome.nodes[name].state == "finished":
            assert core.payloads._here == {}
