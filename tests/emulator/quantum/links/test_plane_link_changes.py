"""Links whose parameters change while attempts run, and links in surroundings that drift."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.errors import InternalError
from qnetem.emulator.heralding.attempts import SimpleLink
from qnetem.emulator.heralding.pair_drift import PairDrift, on_half
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.optics.phase import phase_map
from qnetem.emulator.quantum.pairs.heralded_link import HeraldedLink
from qnetem.emulator.topology.model.entangle import DetectionSpec, EntangleSpec
from qnetem.emulator.topology.model.fibre_sections import EnvironmentSpec
from qnetem.emulator.topology.model.topology import Memory, Quantum
from qnetem.emulator.wire import Discard, Entangle

from ..plane_lab import Lab, link, node

ATTEMPT_NS = 1000
#: Photons are in flight for the latter 600 ns of an attempt.
DELAY_NS = 600
NEVER, SURE = (SimpleLink(success, 1.0, ATTEMPT_NS, DELAY_NS) for success in (0.0, 1.0))
WORSE = SimpleLink(1.0, 0.5, ATTEMPT_NS, DELAY_NS)


class Bench:
    """Two nodes and a link whose source is given, not read from a topology."""

    def __init__(self, source: SimpleLink, seed: int = 1, multiplexing: int = 1) -> None:
        spec = EntangleSpec(
            success=1.0, fidelity=1.0, attempt_ns=ATTEMPT_NS, multiplexing=multiplexing
        )
        quantum = Quantum(length_km=0.0, entangle=spec)
        nodes = [node(name, memory=Memory()) for name in ("alice", "bob")]
        self.lab = Lab(nodes, [link("alice", "bob", quantum)], seed)
        self.link: HeraldedLink = self.lab.plane.heralded_links.by_name["alice-bob"]
        self.link.source = source

    def ask(self) -> tuple[int, int]:
        mine = self.lab.issue("alice", Entangle, "bob")
        return mine, self.lab.issue("bob", Entangle, "alice")

    def change_at(self, t_ns: int, source: SimpleLink) -> None:
        self.lab.at(t_ns, lambda: self.link.change(source))

    def heard_ns(self, mine: int) -> int:
        return self.lab.outcome("alice", mine).t_ns

    def goodness(self, mine: int) -> float:
        return float(self.lab.outcome("alice", mine).value.goodness)


# --- change ---------------------------------------------------------------------------------------


def test_a_change_wakes_attempts_that_could_never_succeed_at_their_next_beginning() -> None:
    bench = Bench(NEVER)
    mine, _ = bench.ask()
    bench.change_at(5 * ATTEMPT_NS + 401, SURE)
    bench.lab.run()
    # The sixth attempt had emitted at 400 ns of it: it fails as it was to; the seventh is the changed link's.
    assert bench.heard_ns(mine) == 7 * ATTEMPT_NS


def test_an_attempt_that_has_not_emitted_yet_is_of_the_changed_link() -> None:
    bench = Bench(NEVER)
    mine, _ = bench.ask()
    bench.change_at(5 * ATTEMPT_NS + 400, SURE)
    bench.lab.run()
    assert bench.heard_ns(mine) == 6 * ATTEMPT_NS


def test_a_change_to_never_schedules_nothing_and_requests_wait() -> None:
    bench = Bench(SURE)
    mine, yours = bench.ask()
    bench.change_at(400, NEVER)
    bench.lab.run()
    assert not bench.lab.has_ended("alice", mine) and not bench.lab.has_ended("bob", yours)
    assert bench.lab.clock.next_instant() is None
    assert "have not succeeded" in bench.lab.plane.pending("alice")[0][1]
    bench.link.change(SURE)
    bench.lab.run()
    assert bench.heard_ns(mine) == ATTEMPT_NS, "the attempt that emits at this very instant"


@pytest.mark.parametrize("after", [WORSE, NEVER])
def test_what_is_in_flight_stays_what_it_was(after: SimpleLink) -> None:
    bench = Bench(SURE)
    mine, _ = bench.ask()
    bench.change_at(401, after)
    bench.lab.run()
    assert bench.heard_ns(mine) == ATTEMPT_NS
    assert bench.goodness(mine) == 1.0, "told as it was emitted"
    half = bench.lab.outcome("alice", mine).value.qubit
    assert bench.lab.plane.registry.fidelity([half], None, ATTEMPT_NS) == pytest.approx(1.0)


def test_a_pair_emitted_after_the_change_is_the_changed_link_s() -> None:
    bench = Bench(SURE)
    mine, _ = bench.ask()
    bench.change_at(400, WORSE)
    bench.lab.run()
    assert bench.heard_ns(mine) == ATTEMPT_NS
    assert bench.goodness(mine) == 0.5
    half = bench.lab.outcome("alice", mine).value.qubit
    assert bench.lab.plane.registry.fidelity([half], None, ATTEMPT_NS) == pytest.approx(0.5)


def test_a_change_between_the_heralds_changes_nothing_about_that_pair() -> None:
    spec = EntangleSpec(
        kind="double_click",
        detection=DetectionSpec(first=1.0, second=1.0),
        station=0.2,
        visibility=0.9,
    )
    quantum = Quantum(length_km=100.0, attenuation_db_per_km=0.0, entangle=spec)
    lab = Lab([node("alice"), node("bob")], [link("alice", "bob", quantum)])
    heralded: HeraldedLink = lab.plane.heralded_links.by_name["alice-bob"]
    mine, yours = lab.issue("alice", Entangle, "bob"), lab.issue("bob", Entangle, "alice")
    while not lab.has_ended("alice", mine):
        lab.step()
    heralded.change(heralded.source)
    lab.run()
    left, right = lab.outcome("alice", mine), lab.outcome("bob", yours)
    assert left.value.pair == right.value.pair == "alice-bob#1"
    assert left.value.goodness == right.value.goodness


def test_changing_to_what_a_link_is_leaves_its_waits_geometric() -> None:
    """However often: here every 700 ns, in the middle of attempts, at which most pairs are redrawn."""
    success, waits = 0.1, []
    for seed in range(400):
        bench = Bench(SimpleLink(success, 1.0, ATTEMPT_NS, DELAY_NS), seed)
        mine, _ = bench.ask()
        while not bench.lab.has_ended("alice", mine):
            bench.lab.run(until_ns=bench.lab.clock.now_ns + 700)
            if not bench.lab.has_ended("alice", mine):
                now_ns = bench.lab.clock.now_ns
                bench.change_at(now_ns + 700, bench.link.source)  # type: ignore[arg-type]
        waits.append(bench.heard_ns(mine))
    assert all(wait % ATTEMPT_NS == 0 for wait in waits), "the rhythm is kept"
    sigma = ATTEMPT_NS * math.sqrt(1 - success) / success / math.sqrt(len(waits))
    assert abs(statistics.fmean(waits) - ATTEMPT_NS / success) < 3 * sigma


def test_a_change_draws_once_for_each_two_requests_matched_in_their_order() -> None:
    some = SimpleLink(0.01, 1.0, ATTEMPT_NS, DELAY_NS)
    bench = Bench(some, multiplexing=2)
    rng = Streams(1).of("link", "alice-bob")
    draws = [some.draw(rng) for _ in range(4)]
    asked = [bench.ask()[0] for _ in range(2)]
    bench.change_at(0, some)
    bench.lab.run()
    for mine, drawn in zip(asked, draws[2:], strict=True):
        assert drawn is not None
        assert bench.heard_ns(mine) == drawn.herald_ns


def test_a_cut_link_may_change_and_is_the_changed_one_when_healed() -> None:
    bench = Bench(NEVER)
    bench.lab.plane.cut("alice-bob")
    mine, _ = bench.ask()
    bench.change_at(5000, WORSE)
    bench.lab.at(6000, lambda: bench.lab.plane.heal("alice-bob"))
    bench.lab.run()
    assert bench.heard_ns(mine) == 6000 + ATTEMPT_NS
    assert bench.goodness(mine) == 0.5


def test_a_link_keeps_its_rhythm() -> None:
    bench = Bench(SURE)
    with pytest.raises(InternalError, match="cannot change its rhythm"):
        bench.link.change(SimpleLink(1.0, 1.0, ATTEMPT_NS + 1, DELAY_NS))


# --- surroundings ---------------------------------------------------------------------------------


def test_a_pair_is_turned_by_the_surroundings_of_its_emission() -> None:
    asked_of: list[int] = []

    def turned(t_ns: int) -> Any:
        asked_of.append(t_ns)
        return phase_map(1.0)

    bench = Bench(SimpleLink(1.0, 0.9, ATTEMPT_NS, DELAY_NS))
    bench.link.drift = PairDrift(0, turned)
    bench.lab.clock.at(3 * ATTEMPT_NS, ("", 0, 0), lambda: None)
    bench.lab.run()
    mine, _ = bench.ask()
    bench.lab.run()
    assert asked_of == [3 * ATTEMPT_NS + 400]
    halves = [bench.lab.outcome("alice", mine).value.qubit, "alice-bob#1@bob"]
    found = bench.lab.plane.registry.state(halves, bench.lab.clock.now_ns).full()
    np.testing.assert_allclose(
        found, on_half(phase_map(1.0), 0, bench.link.source.density()), atol=1e-12
    )


def drifting(environment: EnvironmentSpec | None, names: tuple[str, ...] = ("alice-bob",)) -> Lab:
    spec = EntangleSpec(
        kind="single_click",
        alpha=0.3,
        detection=DetectionSpec(first=0.2, second=0.2),
        preparation_ns=1000,
    )
    quantum = Quantum(length_km=1.0, entangle=spec)
    links = [link("alice", "bob", quantum, name) for name in names]
    links[0] = link(
        "alice", "bob", quantum.model_copy(update={"environment": environment}), names[0]
    )
    return Lab([node("alice"), node("bob")], links, seed=5)


def heard(bench: Lab, name: str, pairs: int = 12) -> list[tuple[int, float]]:
    """When each pair came over a link, and its fidelity."""
    found = []
    for _ in range(pairs):
        mine = bench.issue("alice", Entangle, "bob", name)
        yours = bench.issue("bob", Entangle, "alice", name)
        bench.run()
        halves = [bench.outcome(end, n).value.qubit for end, n in (("alice", mine), ("bob", yours))]
        now_ns = bench.clock.now_ns
        found.append((now_ns, bench.plane.registry.fidelity(halves, None, now_ns)))
        bench.do("alice", Discard, [halves[0]])
        bench.do("bob", Discard, [halves[1]])
    return found


WEATHER = EnvironmentSpec(grid_ns=1000, phase_drift_rad2_per_s=3e4)


def test_surroundings_shift_no_draw_of_their_link_or_another() -> None:
    names = ("alice-bob", "zz-other")
    calm, drift = (drifting(environment, names) for environment in (None, WEATHER))
    here, there = heard(calm, "alice-bob"), heard(drift, "alice-bob")
    assert [t_ns for t_ns, _ in here] == [t_ns for t_ns, _ in there]
    assert [f for _, f in here] != [f for _, f in there]
    assert heard(calm, "zz-other") == heard(drift, "zz-other")


def test_the_same_seed_has_the_same_weather() -> None:
    assert heard(drifting(WEATHER), "alice-bob") == heard(drifting(WEATHER), "alice-bob")
