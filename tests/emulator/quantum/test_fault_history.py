"""What faults have changed, now and before."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.devices.memory import MemoryDecay
from qnetem.emulator.faults.changes import NOTHING, SOUND, Changes, NodeChanges
from qnetem.emulator.kernel.conductor import Conductor
from qnetem.emulator.quantum.fault_history import FaultHistory
from qnetem.emulator.quantum.node.memories import NodeMemory

MS = 10**6


class Struck:
    """A fault, as far as it hears of it."""

    def __init__(self) -> None:
        self.hits = 0


class Bench:
    """One link, and a clock that the test sets."""

    def __init__(self) -> None:
        self.clock = Conductor()
        self.link = FaultHistory(NOTHING, self.clock)

    def begin(self, t_ns: int, loss_db: float) -> Struck:
        self.clock.now_ns, fault = t_ns, Struck()
        self.link.begin(fault, Changes(loss_db=loss_db))
        return fault

    def end(self, t_ns: int, fault: Struck) -> None:
        self.clock.now_ns = t_ns
        self.link.end(fault)

    def losses_db(self, *times_ns: int) -> list[float]:
        return [self.link.at(t_ns).changes.loss_db for t_ns in times_ns]


def test_a_change_holds_from_its_instant_on_until_before_its_end() -> None:
    bench = Bench()
    fault = bench.begin(10, 3.0)
    bench.end(20, fault)
    assert bench.losses_db(0, 9, 10, 19, 20, 99) == [0, 0, 3, 3, 0, 0]


def test_changes_add_up_and_leave_nothing_behind_whatever_the_order() -> None:
    bench = Bench()
    first, second = bench.begin(10, 0.1), bench.begin(20, 0.2)
    third = bench.begin(20, 0.3)
    for t_ns, fault in ((30, first), (40, third), (50, second)):
        bench.end(t_ns, fault)
    assert bench.losses_db(15, 25, 35, 45) == pytest.approx([0.1, 0.6, 0.5, 0.2])
    assert bench.link.now.changes == NOTHING, "exactly"


def test_what_begins_and_ends_at_one_instant_was_never_there() -> None:
    bench = Bench()
    bench.end(10, bench.begin(10, 3.0))
    assert bench.losses_db(9, 10, 11) == [0, 0, 0]
    assert bench.link.at(10).by == ()


def test_at_the_very_start_too() -> None:
    bench = Bench()
    bench.begin(0, 3.0)
    assert bench.losses_db(0) == [3.0]


def test_a_stretch_is_cut_into_its_intervals() -> None:
    bench = Bench()
    bench.end(20, bench.begin(10, 3.0))
    found = [(m.since_ns, m.until_ns, m.changes.loss_db) for m in bench.link.between(5, 20)]
    assert found == [(0, 10, 0.0), (10, 20, 3.0)]
    assert [m.since_ns for m in bench.link.between(20, 30)] == [20]
    assert [m.since_ns for m in bench.link.between(12, 13)] == [10]


def test_an_end_without_a_beginning_is_harmless() -> None:
    bench = Bench()
    heard: list[Changes] = []
    bench.link.on_change(heard.append)
    bench.end(10, Struck())
    assert heard == []
    bench.begin(20, 3.0)
    assert heard == [Changes(loss_db=3.0)]


def test_only_those_are_struck_whose_change_is_met() -> None:
    bench = Bench()
    fault, other = bench.begin(10, 3.0), Struck()
    bench.link.begin(other, Changes(heralds=0.0))
    bench.link.now.count_hits(lambda changes: changes.on_light, 5)
    assert (fault.hits, other.hits) == (5, 0)


# --- memories -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "own", [None, MemoryDecay(t2_ns=5 * MS), MemoryDecay(4 * MS, 6 * MS), MemoryDecay(3 * MS)]
)
def test_coherence_goes_by_what_was_wrong_for_as_long_as_it_was(own: MemoryDecay | None) -> None:
    clock = Conductor()
    node = FaultHistory(SOUND, clock)
    memory = NodeMemory(own, node)
    faults = Struck(), Struck()
    for fault, begin, end in ((faults[0], 1, 3), (faults[1], 2, 6)):
        clock.now_ns = begin * MS
        node.begin(fault, NodeChanges(dephasing_hz=500.0))
        if fault is faults[1]:
            clock.now_ns = 3 * MS
            node.end(faults[0])
            clock.now_ns = end * MS
            node.end(fault)
    plain = (own or MemoryDecay()).map(8 * MS)
    found = memory.between(0, 8 * MS)
    extra_s = (2 + 4) * 1e-3  # two milliseconds of the one and four of the other, 500 a second each
    assert found[1, 1] == pytest.approx(plain[1, 1] * math.exp(-500 * extra_s), rel=1e-12)
    assert found[3, 3] == pytest.approx(plain[3, 3], rel=1e-12), "populations are left alone"
    assert memory.between(6 * MS, 8 * MS) == pytest.approx((own or MemoryDecay()).map(2 * MS))
