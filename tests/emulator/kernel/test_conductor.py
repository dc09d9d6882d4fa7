"""Virtual time: which instant is next, and the order of what is due in it."""

from __future__ import annotations

import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnetem.emulator.errors import InternalError
from qnetem.emulator.kernel.conductor import COMPLETION, FAULT, GRANT, HOP, Conductor
from qnetem.emulator.units import LAST_NS


def instants(conductor: Conductor) -> list[tuple[int, int]]:
    """Run until nothing is due; the instants that were entered."""
    entered = []
    while (instant := conductor.next_instant()) is not None:
        conductor.enter(*instant)
        entered.append(instant)
        while conductor.run_phases():
            pass
        conductor.take_due()
    return entered


def test_in_one_instant_come_faults_hops_completions_and_then_what_is_granted() -> None:
    conductor, seen = Conductor(), []
    for phase in (GRANT, COMPLETION, FAULT, HOP):
        conductor.at(5, ("a",), lambda phase=phase: seen.append(phase), phase)  # type: ignore[misc]
    instants(conductor)
    assert seen == [FAULT, HOP, COMPLETION, GRANT]


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_one_phase_is_the_order_of_names_not_of_entry(names: list[str]) -> None:
    conductor, seen = Conductor(), []
    for name in names:
        conductor.at(5, (name, 1), lambda name=name: seen.append(name))  # type: ignore[misc]
    instants(conductor)
    assert seen == ["a", "b", "c", "d"]


def test_equal_orders_happen_as_they_were_entered() -> None:
    conductor, seen = Conductor(), []
    for number in range(5):
        conductor.at(5, ("a",), lambda number=number: seen.append(number))  # type: ignore[misc]
    instants(conductor)
    assert seen == [0, 1, 2, 3, 4]


def test_what_takes_no_time_is_due_at_the_next_microstep() -> None:
    conductor, seen = Conductor(), []

    def again(left: int) -> None:
        seen.append((conductor.now_ns, conductor.m))
        if left:
            conductor.at(7, ("a",), lambda: again(left - 1))

    conductor.at(7, ("a",), lambda: again(3))
    assert instants(conductor) == [(7, 0), (7, 1), (7, 2), (7, 3)] == seen


def test_what_takes_time_is_due_at_microstep_zero() -> None:
    conductor = Conductor()
    conductor.at(7, ("a",), lambda: conductor.at(7, ("a",), later) and None)

    def later() -> None:
        assert (conductor.now_ns, conductor.m) == (7, 1)
        conductor.at(8, ("a",), lambda: None)

    assert instants(conductor) == [(7, 0), (7, 1), (8, 0)]


def test_nothing_is_due_before_now() -> None:
    conductor = Conductor()
    conductor.enter(10, 0)
    with pytest.raises(InternalError, match="before now"):
        conductor.at(9, ("a",), lambda: None)


def test_a_cancelled_entry_makes_no_instant_of_its_own() -> None:
    conductor = Conductor()
    conductor.at(3, ("a",), lambda: None).cancel()
    conductor.at(4, ("a",), lambda: None)
    assert instants(conductor) == [(4, 0)]
    assert conductor.next_instant() is None


def test_cancelling_what_has_happened_is_harmless() -> None:
    conductor = Conductor()
    entry = conductor.at(3, ("a",), lambda: None)
    instants(conductor)
    entry.cancel()
    assert conductor.next_instant() is None


def test_timers_wake_their_nodes_at_microstep_zero_in_the_order_of_names() -> None:
    conductor = Conductor()
    for name in ("c", "a", "b"):
        conductor.set_timer(name, 5)
    conductor.set_timer("d", 6)
    assert conductor.next_instant() == (5, 0)
    conductor.enter(5, 0)
    assert conductor.take_due() == ["a", "b", "c"]
    assert conductor.take_due() == []
    assert conductor.next_instant() == (6, 0)


def test_nodes_that_are_woken_are_granted_in_the_order_of_names() -> None:
    conductor = Conductor()
    for name in ("c", "a", "b", "a"):
        conductor.wake(name)
    assert conductor.take_due() == ["a", "b", "c"]


def test_a_timer_that_was_moved_is_due_once_at_its_last_time() -> None:
    conductor = Conductor()
    for t_ns in (5, 3, 9, 7, 7):
        conductor.set_timer("a", t_ns)
    assert instants(conductor) == [(7, 0)]


def test_a_timer_taken_back_or_of_a_node_that_is_gone_is_not_due() -> None:
    conductor = Conductor()
    conductor.set_timer("a", 5)
    conductor.set_timer("a", None)
    conductor.set_timer("b", 6)
    conductor.wake("b")
    conductor.forget_node("b")
    assert conductor.next_instant() is None and conductor.take_due() == []


def test_a_timer_must_lie_in_the_future() -> None:
    conductor = Conductor()
    conductor.enter(5, 0)
    with pytest.raises(InternalError, match="timer at 5 ns"):
        conductor.set_timer("a", 5)


def test_an_entry_and_a_timer_at_one_time_are_one_instant() -> None:
    conductor = Conductor()
    conductor.at(5, ("a",), lambda: None)
    conductor.set_timer("a", 5)
    assert instants(conductor) == [(5, 0)]
    assert conductor.instants == 1


def test_a_microstep_comes_before_the_next_timer() -> None:
    conductor = Conductor()
    conductor.enter(5, 0)
    conductor.set_timer("a", 6)
    conductor.at(5, ("a",), lambda: None)
    assert instants(conductor) == [(5, 1), (6, 0)]


def test_time_never_goes_back() -> None:
    conductor = Conductor()
    conductor.enter(5, 1)
    for instant in ((5, 1), (5, 0), (4, 9)):
        with pytest.raises(InternalError, match="go back"):
            conductor.enter(*instant)


def test_the_first_instant_is_zero_and_takes_entries_only_before_it() -> None:
    conductor = Conductor()
    conductor.at_start((0,), lambda: None, FAULT)
    assert instants(conductor) == [(0, 0)]
    with pytest.raises(InternalError, match="already begun"):
        conductor.at_start((0,), lambda: None, FAULT)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.integers(FAULT, GRANT)), max_size=30
    )
)
def test_whatever_is_entered_happens_once_and_in_order(
    entries: list[tuple[int, str, int]],
) -> None:
    conductor = Conductor()
    seen: list[tuple[int, int, int, str]] = []

    def note(phase: int, name: str) -> None:
        seen.append((conductor.now_ns, conductor.m, phase, name))

    for t_ns, name, phase in entries:
        conductor.at(t_ns, (name,), lambda p=phase, n=name: note(p, n), phase)  # type: ignore[misc]
    instants(conductor)
    assert seen == sorted(seen)
    assert sorted(entry[3] for entry in seen) == sorted(name for _, name, _ in entries)


def test_what_has_happened_is_let_go_though_its_entry_is_kept() -> None:
    class Thing:
        def happen(self) -> None:
            pass

    thing = Thing()
    gone = weakref.ref(thing)
    conductor = Conductor()
    entry = conductor.at(5, (), thing.happen)
    instants(conductor)
    del thing
    assert entry[5] is None and gone() is None


def test_what_is_due_after_the_last_instant_never_comes() -> None:
    conductor = Conductor()
    conductor.at(LAST_NS, (), lambda: None)
    conductor.at(LAST_NS + 1, (), lambda: None)
    conductor.set_timer("alice", LAST_NS + 1)
    assert conductor.next_instant() == (LAST_NS, 0)
    conductor.enter(LAST_NS, 0)
    assert conductor.run_phases()
    assert conductor.next_instant() is None
