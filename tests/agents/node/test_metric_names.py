"""One metric never holds, hides or is read as the numbers of another."""

from __future__ import annotations

import pytest

from qnetem.agents.node.limits import MetricNames
from qnetem.emulator.errors import InputError

BOTH = {
    "record": MetricNames.record,
    "probe": MetricNames.probe,
}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("probe bb84", "record bb84.fidelity"),
        ("probe bb84", "record bb84.left_over"),
        ("record x", "record x.count"),
        ("record x", "record x.mean"),
        ("probe x", "record x.fidelity.max"),
        ("record x.fidelity", "probe x"),
        ("record x.fidelity.std", "probe x"),
    ],
)
def test_two_uses_of_one_metric_are_refused_in_either_order(first: str, second: str) -> None:
    for before, after in ((first, second), (second, first)):
        names = MetricNames()
        for use in (before, before):
            BOTH[use.split()[0]](names, use.split()[1])
        with pytest.raises(InputError, match="choose another name"):
            BOTH[after.split()[0]](names, after.split()[1])


@pytest.mark.parametrize("name", ["expired", "expired.count", "message_latency_s"])
def test_a_metric_that_qnetem_keeps_is_not_recorded(name: str) -> None:
    with pytest.raises(InputError, match="which qnetem notes"):
        MetricNames().record(name)


def test_names_that_only_resemble_each_other_are_free() -> None:
    names = MetricNames()
    names.probe("x")
    for name in ("x", "y", "x.y", "x.fidelity2", "count", "y.counts"):
        names.record(name)
