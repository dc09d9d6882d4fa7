"""Cases run in turns after a warm-up, at each size; a peer that fails takes no other case with it."""

from __future__ import annotations

import pytest
from suite.environments import PeerFailed
from suite.measure import Plan, grown, interleaved, measured


def test_cases_take_turns_and_the_warm_up_is_not_counted() -> None:
    order: list[str] = []

    def case(name: str) -> float:
        order.append(name)
        return float(len(order))

    values, skipped = interleaved({"a": lambda: case("a"), "b": lambda: case("b")}, 2)
    assert order == ["a", "b"] * 3
    assert values == {"a": [3.0, 5.0], "b": [4.0, 6.0]}
    assert not skipped


def test_a_peer_that_fails_in_any_run_is_left_out_with_its_reason() -> None:
    left = iter([1.0, 2.0])

    def fails() -> float:
        for value in left:
            return value
        raise PeerFailed("it hangs")

    found = measured("rates", "a second", {"ours": lambda: 1.0, "theirs": fails}, Plan(runs=3))
    assert [case.name for case in found.cases] == ["ours"]
    assert found.skipped == {"theirs": "it hangs"}


def test_our_own_failure_is_no_reason_to_continue() -> None:
    def fails() -> float:
        raise RuntimeError("exit code 70")

    with pytest.raises(RuntimeError, match="exit code 70"):
        measured("rates", "a second", {"ours": fails}, Plan(runs=1))


def test_each_size_is_measured_up_to_the_largest_of_plan_and_case() -> None:
    def fails_at_4(size: int) -> float:
        if size == 4:
            raise PeerFailed("too many")
        return 1.0

    cases = {"ours": float, "theirs": fails_at_4, "small": float}
    found = grown(
        "rates", "s", ("nodes", (2, 4, 8)), cases, Plan(runs=1, largest=4), (), {"small": (2, 8)}
    )
    sizes = {case.name: [point.size for point in case.points] for case in found.cases}
    assert sizes == {"ours": [2, 4], "theirs": [2], "small": [2]}
    assert found.skipped == {"theirs, nodes 4": "too many"}
    assert [point.median for point in found.cases[0].points] == [2.0, 4.0]


def test_the_smallest_size_is_always_measured() -> None:
    assert Plan(largest=5).sizes((10, 100)) == [10]
