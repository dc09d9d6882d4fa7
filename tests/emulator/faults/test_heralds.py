"""Heralds that are lost, and heralds without a pair: requests, halves, rhythm, draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qnetem.emulator.faults.kinds.light.false_herald import FalseHerald
from qnetem.emulator.faults.kinds.light.lost_herald import LostHerald
from qnetem.emulator.faults.verdicts import HEARD, HeraldOutcome
from qnetem.emulator.heralding.attempts import SimpleLink, attempts_until_success
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.quantum.pairs.heralded_link import HeraldedLink
from qnetem.emulator.topology.model.entangle import DetectionSpec, EntangleSpec
from qnetem.emulator.topology.model.topology import Quantum
from qnetem.emulator.wire import Discard, Entangle

from ...harness import fault
from ..quantum.plane_lab import Lab, heralding, link, node

NAME, ENDS = "alice-bob", ("alice", "bob")
BOTH = HeraldOutcome(lost=ENDS)


class Scripted:
    """A fault that says of each success what the test has written down, then nothing."""

    def __init__(self, *fates: HeraldOutcome) -> None:
        self.fates = list(fates)
        self.asked = 0

    def on_success(self, ends: tuple[str, str]) -> HeraldOutcome:
        assert ends == ENDS
        self.asked += 1
        return self.fates.pop(0) if self.fates else HEARD


class Bench:
    """Two nodes and a link; `alice` and `bob` hold their requests' numbers, in the order of asking."""

    def __init__(self, quantum: Quantum | None = None, seed: int = 1) -> None:
        quantum = heralding(attempt_ns=1000) if quantum is None else quantum
        self.lab = Lab([node(name) for name in ENDS], [link(*ENDS, quantum)], seed)
        self.link: HeraldedLink = self.lab.plane.heralded_links.by_name[NAME]

    def strike(self, *fates: HeraldOutcome) -> Scripted:
        struck = Scripted(*fates)
        self.lab.plane.begin_herald_fault(NAME, struck)
        return struck

    def ask(self) -> tuple[int, int]:
        mine = self.lab.issue("alice", Entangle, "bob")
        return mine, self.lab.issue("bob", Entangle, "alice")

    def heard_ns(self, name: str, number: int) -> int:
        return self.lab.outcome(name, number).t_ns

    def qubit(self, name: str, number: int) -> str:
        qubit: str = self.lab.outcome(name, number).value.qubit
        return qubit

    def fidelity(self, name: str, number: int) -> float:
        now_ns = self.lab.clock.now_ns
        return self.lab.plane.registry.fidelity([self.qubit(name, number)], None, now_ns)


def station_at(share: float) -> Quantum:
    """Two ends that hear at different times, unless the station is in the middle of the 20 km."""
    spec = EntangleSpec(
        kind="double_click",
        detection=DetectionSpec(first=1.0, second=1.0),
        station=share,
        preparation_ns=1000,
    )
    return Quantum(length_km=20.0, entangle=spec)


# --- lost at both ends ----------------------------------------------------------------------------


def test_a_success_that_neither_end_hears_of_is_none_and_attempts_keep_their_rhythm() -> None:
    bench = Bench()
    bench.strike(BOTH, BOTH)
    mine, yours = bench.ask()
    bench.lab.run()
    assert (bench.heard_ns("alice", mine), bench.heard_ns("bob", yours)) == (3000, 3000)
    assert bench.lab.plane.registry.held_by("alice") == [f"{NAME}#1@alice"], (
        "no trace of the others"
    )
    assert bench.fidelity("alice", mine) == pytest.approx(1.0)


def test_when_the_next_one_succeeds_is_a_draw_of_a_stream_of_its_own() -> None:
    """Not the link's next number: which one that is tells who has asked since the light left."""
    bench = Bench(heralding(success=0.2, attempt_ns=1000), seed=5)
    bench.strike(BOTH)
    mine, _ = bench.ask()
    bench.lab.run()
    streams = Streams(5)
    sources = (streams.of("link", NAME), streams.apart("link", NAME, 1))
    drawn = [attempts_until_success(0.2, rng) for rng in sources]
    assert bench.heard_ns("alice", mine) == 1000 * sum(each or 0 for each in drawn)


def test_the_rhythm_is_kept_though_heralds_take_longer_than_an_attempt() -> None:
    spec = EntangleSpec(kind="midpoint_source", clock_ns=1000, pair_probability=1.0)
    bench = Bench(Quantum(length_km=20.0, attenuation_db_per_km=0.0, entangle=spec))
    first_ns = max(bench.link.source.timing.heralds_ns)
    assert first_ns > 5 * 1000
    bench.strike(BOTH, BOTH, BOTH)
    mine, _ = bench.ask()
    bench.lab.run()
    assert bench.heard_ns("alice", mine) == first_ns + 3 * 1000


# --- lost at one end ------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("struck", ENDS)
def test_the_other_end_has_its_half_and_the_struck_one_asks_on(share: float, struck: str) -> None:
    bench = Bench(station_at(share))
    plain = Bench(station_at(share))
    numbers = dict(zip(ENDS, bench.ask(), strict=True))
    plain.ask()
    plain.lab.run()
    bench.strike(HeraldOutcome(lost=(struck,)))
    spared = ENDS[1 - ENDS.index(struck)]
    bench.lab.run()
    assert bench.heard_ns(spared, numbers[spared]) == plain.heard_ns(spared, numbers[spared])
    assert not bench.lab.has_ended(struck, numbers[struck])
    half, now_ns = bench.qubit(spared, numbers[spared]), bench.lab.clock.now_ns
    assert bench.lab.plane.registry.size(half) == 1
    mixed = bench.lab.plane.registry.state([half], now_ns).full()
    assert np.abs(mixed - np.eye(2) / 2).max() < 1e-12
    assert bench.lab.plane.at_end()[struck] == [f"entangle {numbers[struck]}"], "its slot is kept"


def test_the_struck_request_is_served_before_younger_ones() -> None:
    bench = Bench()
    first, second = bench.ask(), bench.ask()
    bench.strike(HeraldOutcome(lost=("bob",)))
    bench.lab.run()
    assert bench.heard_ns("alice", first[0]) == 1000
    assert bench.heard_ns("alice", second[0]) == bench.heard_ns("bob", first[1]) == 2000
    assert (
        bench.lab.outcome("bob", first[1]).value.pair
        == bench.lab.outcome("alice", second[0]).value.pair
    )
    assert bench.fidelity("bob", first[1]) == pytest.approx(1.0)
    assert not bench.lab.has_ended("bob", second[1])


@pytest.mark.parametrize("who", ENDS)
def test_either_end_that_withdraws_after_a_loss_at_one_end_leaves_no_slot_taken(who: str) -> None:
    bench = Bench(station_at(0.2))
    numbers = dict(zip(ENDS, bench.ask(), strict=True))
    bench.strike(HeraldOutcome(lost=("alice",)))
    heralds_ns = bench.link.source.timing.heralds_ns
    assert heralds_ns[0] < heralds_ns[1]
    bench.lab.later(heralds_ns[0] + 1, lambda: bench.lab.plane.withdraw(who, numbers[who]))
    bench.lab.run()
    other = ENDS[1 - ENDS.index(who)]
    assert bench.lab.has_ended(who, numbers[who]) is False
    assert who not in bench.lab.plane.at_end()
    assert bench.lab.has_ended(other, numbers[other]) == (other == "bob")
    again = bench.ask()
    bench.lab.run()
    assert bench.lab.has_ended(who, again[ENDS.index(who)])


def test_with_multiplexing_the_struck_request_continues_at_once() -> None:
    bench = Bench(heralding(attempt_ns=1000, multiplexing=2))
    first, second, third = bench.ask(), bench.ask(), bench.ask()
    bench.strike(HeraldOutcome(lost=("alice",)))
    bench.lab.run()
    assert bench.heard_ns("bob", first[1]) == 1000
    assert bench.heard_ns("alice", second[0]) == bench.heard_ns("bob", second[1]) == 1000
    assert bench.heard_ns("alice", first[0]) == bench.heard_ns("bob", third[1]) == 2000
    assert not bench.lab.has_ended("alice", third[0])


def test_losses_at_either_end_together_are_a_loss_at_both() -> None:
    bench = Bench()
    bench.strike(HeraldOutcome(lost=("alice",)))
    bench.strike(HeraldOutcome(lost=("bob",)))
    mine, yours = bench.ask()
    bench.lab.run()
    assert (bench.heard_ns("alice", mine), bench.heard_ns("bob", yours)) == (2000, 2000)


# --- false heralds --------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [False, True])
def test_both_ends_get_a_qubit_that_knows_nothing_of_the_other(raw: bool) -> None:
    bench = Bench(station_at(0.5))
    bench.strike(HeraldOutcome(false=True))
    mine = bench.lab.issue("alice", Entangle, "bob", None, raw)
    yours = bench.lab.issue("bob", Entangle, "alice")
    bench.lab.run()
    halves = [bench.qubit("alice", mine), bench.qubit("bob", yours)]
    state = bench.lab.plane.registry.state(halves, bench.lab.clock.now_ns).full()
    assert np.abs(state - np.eye(4) / 4).max() < 1e-12
    assert bench.lab.outcome("alice", mine).value.goodness == bench.link.source.fidelity
    for name, number in (("alice", mine), ("bob", yours)):
        bench.lab.do(name, Discard, [bench.qubit(name, number)])
    assert bench.lab.plane.at_end() == {}


@pytest.mark.parametrize("name", ["auto", "density_matrix", "bell_diagonal", "stabilizer"])
def test_every_formalism_carries_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import qnetem.emulator.quantum.plane as plane_module
    from qnetem.emulator.quantum.formalism import Formalism

    monkeypatch.setattr(plane_module, "formalism_of", lambda *_: Formalism(name))
    bench = Bench()
    bench.strike(*[HeraldOutcome(false=True)] * 60)
    pairs = []
    for _ in range(60):
        mine, yours = bench.ask()
        bench.lab.run()
        pairs.append(bench.fidelity("alice", mine))
        bench.lab.do("alice", Discard, [bench.qubit("alice", mine)])
        bench.lab.do("bob", Discard, [bench.qubit("bob", yours)])
    assert np.mean(pairs) == pytest.approx(0.25, abs=0.17 if name == "stabilizer" else 1e-12)


# --- when and how often ---------------------------------------------------------------------------


def test_what_is_emitted_before_it_begins_or_as_it_heals_keeps_its_fate() -> None:
    """20 km: light is in flight for the last 97.9 us of an attempt of 200 us."""
    quantum = heralding(attempt_ns=200_000, length_km=20.0)
    for begin_ns, end_ns, lost in ((0, 102_000, 0), (102_200, 400_000, 0), (102_000, 102_300, 1)):
        bench = Bench(quantum)
        emitted_ns = min(bench.link.source.timing.emissions_ns)
        assert 102_000 < emitted_ns < 102_200
        struck = Scripted(BOTH)
        plane = bench.lab.plane
        mine, _ = bench.ask()
        bench.lab.at(begin_ns, lambda b=plane, s=struck: b.begin_herald_fault(NAME, s))
        bench.lab.at(end_ns, lambda b=plane, s=struck: b.end_herald_fault(NAME, s))
        bench.lab.run()
        assert bench.heard_ns("alice", mine) == 200_000 * (1 + lost)
        assert struck.asked == lost


@pytest.mark.parametrize("kind", [LostHerald, FalseHerald])
def test_one_number_a_success_whatever_comes_of_it(kind: type[Any]) -> None:
    for probability in (0.0, 0.4, 1.0):
        rng, twin = (Streams(1).of("fault", "0") for _ in range(2))
        verb = "lost_herald" if kind is LostHerald else "false_herald"
        strikes = kind(fault(verb, NAME, 0, probability=probability), rng)
        fates = [strikes.on_success(ENDS) for _ in range(30)]
        numbers = [twin.random() for _ in range(30)]
        assert [fate != HEARD for fate in fates] == [u < probability for u in numbers]
        assert strikes.hits == sum(u < probability for u in numbers)
        assert rng.random() == twin.random()


def test_every_fault_is_asked_about_every_success_whatever_the_others_say() -> None:
    bench = Bench()
    first, second = bench.strike(BOTH, HEARD, BOTH), bench.strike(*[HeraldOutcome(false=True)] * 4)
    bench.ask()
    bench.lab.run()
    assert (first.asked, second.asked) == (2, 2)


def test_each_is_in_the_journal() -> None:
    bench = Bench()
    events: list[tuple[Any, ...]] = []
    write = bench.lab.journal.event
    bench.lab.journal.event = lambda *event: (events.append(event), write(*event))  # type: ignore[method-assign]
    bench.strike(BOTH, HeraldOutcome(lost=("bob",), false=True))
    mine, yours = bench.ask()
    bench.lab.run()
    kinds = [event[1:] for event in events if event[0] == NAME and event[1] != "herald"]
    assert kinds == [
        ("herald_lost", "", mine, yours, 0),
        ("false_herald", f"{NAME}#1"),
        ("herald_lost", f"{NAME}#1", mine, yours, "bob"),
    ]


# --- attempts that leave while heralds are on their way --------------------------------------------

FAR_NS = 489_672


def far(success: float = 1.0) -> Bench:
    return Bench(heralding(success=success, attempt_ns=1000, length_km=100.0))


def test_the_attempts_behind_a_lost_success_have_left_already() -> None:
    bench = far()
    bench.strike(BOTH, BOTH, BOTH)
    mine, _ = bench.ask()
    bench.lab.run()
    assert bench.heard_ns("alice", mine) == FAR_NS + 3 * 1000


def test_what_has_left_before_a_change_is_of_the_link_as_it_was() -> None:
    """The first success is lost; light of the next attempts left before the link changed, and after."""
    never = SimpleLink(0.0, 1.0, 1000, FAR_NS)
    poor = SimpleLink(1.0, 0.5, 1000, FAR_NS)
    for changes, heard_ns, goodness in (
        ({5_500: never}, FAR_NS + 1000, 1.0),
        ({500: never}, None, None),
        ({500: never, 7_500: poor}, FAR_NS + 8_000, 0.5),
        ({500: poor}, FAR_NS + 1000, 0.5),
    ):
        bench = far()
        bench.strike(BOTH)
        mine, _ = bench.ask()
        for at_ns, source in changes.items():
            bench.lab.at(at_ns, lambda b=bench, s=source: b.link.change(s))
        bench.lab.run()
        assert bench.lab.has_ended("alice", mine) == (heard_ns is not None)
        if heard_ns is not None:
            assert bench.heard_ns("alice", mine) == heard_ns
            assert bench.lab.outcome("alice", mine).value.goodness == goodness


@pytest.mark.parametrize(("given_up_ns", "heard_ns"), [(1_001, FAR_NS + 1000), (1_000, None)])
def test_behind_a_lost_success_an_end_hears_what_the_other_had_emitted(
    given_up_ns: int, heard_ns: int | None
) -> None:
    bench = far()
    bench.strike(BOTH)
    mine, yours = bench.ask()
    bench.lab.later(given_up_ns, lambda: bench.lab.plane.withdraw("bob", yours))
    bench.lab.run()
    assert bench.lab.has_ended("alice", mine) == (heard_ns is not None)
    if heard_ns is not None:
        assert bench.heard_ns("alice", mine) == heard_ns
