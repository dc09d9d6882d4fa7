"""What real time does to messages and reports has no effect: they are late, the digest is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from .detours import Delays, slow_run
from .lab import in_process, scenario, seen

pytestmark = pytest.mark.processes


async def test_late_messages_and_reports_change_nothing(tmp_path: Path, broker_kind: str) -> None:
    topology, seed = scenario("ring"), len(broker_kind)
    expected = in_process(topology, tmp_path)
    assert 190 < expected.instants < 260
    outcome, late_reports, late_messages = await slow_run(
        topology,
        tmp_path,
        reports=Delays(seed, from_node_s=0.02),
        messages=Delays(seed, to_node_s=0.02),
        broker=broker_kind,
    )
    assert seen(outcome) == seen(expected)
    assert late_reports > 150
    assert late_messages > 50


async def test_payloads_that_come_long_after_they_were_asked_for_again_change_nothing(
    tmp_path: Path, mosquitto: str
) -> None:
    topology = scenario("small")
    outcome, _, late_messages = await slow_run(
        topology,
        tmp_path,
        reports=Delays(3, from_node_s=0.005, to_node_s=0.005),
        messages=Delays(3, from_node_s=0.1, to_node_s=0.1),
    )
    assert seen(outcome) == seen(in_process(topology, tmp_path))
    assert outcome.metrics["messages.resent"]["count"] > 0
    assert late_messages > 5
