"""Whose turn it is on a link."""

from __future__ import annotations

from qnetem.agents.network.scheduling import Scheduler


def served(scheduler: Scheduler, turns: int, pairs: int = 1) -> str:
    """The requests in the order in which they are served."""
    order = ""
    for _ in range(turns):
        chosen = scheduler.next(lambda _: True)
        assert chosen is not None
        scheduler.charge(chosen, pairs)
        order += chosen
    return order


def test_purposes_are_served_in_proportion_to_their_weights() -> None:
    scheduler = Scheduler("weighted", {"heavy": 3.0})
    scheduler.add("h", "heavy", 0)
    scheduler.add("l", "light", 0)
    assert served(scheduler, 40).count("h") == 30


def test_requests_of_one_purpose_are_served_first_come() -> None:
    scheduler = Scheduler("weighted", {})
    for request, purpose in (("1", "x"), ("2", "x"), ("3", "y")):
        scheduler.add(request, purpose, 0)
    assert sorted(served(scheduler, 10)) == ["1"] * 5 + ["3"] * 5


def test_a_purpose_gains_nothing_by_having_been_idle() -> None:
    scheduler = Scheduler("weighted", {})
    scheduler.add("a", "a", 0)
    served(scheduler, 100)
    scheduler.add("b", "b", 0)
    assert 4 <= served(scheduler, 10).count("b") <= 6


def test_a_higher_priority_takes_all_turns() -> None:
    scheduler = Scheduler("weighted", {})
    scheduler.add("a", "a", 0)
    scheduler.add("b", "b", 2)
    assert served(scheduler, 5) == "bbbbb"
    scheduler.remove("b")
    assert served(scheduler, 2) == "aa"


def test_who_cannot_be_served_is_left_out() -> None:
    scheduler = Scheduler("first_come", {})
    scheduler.add("a", "a", 0)
    scheduler.add("b", "b", 0)
    assert scheduler.next(lambda request: request != "a") == "b"
    assert scheduler.next(lambda _: False) is None
    assert len(scheduler) == 2
