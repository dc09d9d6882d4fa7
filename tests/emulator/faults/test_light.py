"""Faults of light, sources and detectors: photons, trains of pulses, and pairs, exact at their instants."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from qnetem import Agent
from qnetem.emulator.devices.detectors import Detector
from qnetem.emulator.devices.sources import WeakCoherent
from qnetem.emulator.faults.changes import Changes, NodeChanges
from qnetem.emulator.optics.detection import PulseReceiver, Receiver, Trouble
from qnetem.emulator.optics.pulses import CHUNK_SLOTS, PulseTrain
from qnetem.emulator.quantum.pulses.trains import Train
from qnetem.emulator.topology.model.topology import Memory, Quantum
from qnetem.emulator.wire import Apply, Entangle, Transmit

from ... import harness
from ...harness import fault, network, node
from ..quantum.plane_lab import Lab, heralding, link
from ..quantum.plane_lab import node as plain_node
from ..quantum.pulses.test_trains import PERIOD_PS, Bench


class Struck:
    def __init__(self) -> None:
        self.hits = 0


# --- photons --------------------------------------------------------------------------------------

FIBRE = Quantum(length_km=10.0)


class Photons:
    """Photons of alice's, one a microsecond; which came, and as what."""

    def __init__(self, quantum: Quantum = FIBRE, seed: int = 1) -> None:
        nodes = [plain_node(name, Memory(slots=1000)) for name in ("alice", "bob")]
        self.lab = Lab(nodes, [link("alice", "bob", quantum)], seed)
        self.link = self.lab.plane.fault_histories.links["alice-bob"]
        self.sent = 0

    def disturb(self, begin_ns: int, end_ns: int | None, changes: Changes) -> Struck:
        struck = Struck()
        self.lab.at(begin_ns, lambda: self.link.begin(struck, changes))
        if end_ns is not None:
            self.lab.at(end_ns, lambda: self.link.end(struck))
        return struck

    def send(self, count: int, source: str = "alice", to: str = "bob") -> None:
        for _ in range(count):
            qubit = self.lab.qubit(source)
            self.lab.issue(source, Transmit, qubit, to)
            self.lab.later(self.lab.clock.now_ns + 1000, lambda: None)
            self.lab.run(until_ns=self.lab.clock.now_ns + 1000)

    def arrived(self) -> set[str]:
        self.lab.run()
        return {arrival.qubit for _, _, arrival in self.lab.arrivals}


def one_photon(launch_ns: int, begin_ns: int, end_ns: int) -> bool:
    """Whether a photon gets through that leaves then, 1,000 dB being on the way from begin to end."""
    photons = Photons(Quantum(length_km=10.0, attenuation_db_per_km=0.0))
    qubit = photons.lab.qubit("alice")
    photons.disturb(begin_ns, end_ns, Changes(loss_db=1000.0))
    photons.lab.later(launch_ns, lambda: photons.lab.issue("alice", Transmit, qubit, "bob"))
    return bool(photons.arrived())


def test_a_photon_meets_what_is_so_as_it_leaves() -> None:
    assert not one_photon(5000, 5000, 5001)
    assert one_photon(4999, 5000, 90_000), "in flight for 49 us"
    assert one_photon(5001, 5000, 5001)


def test_more_loss_takes_some_of_those_that_came_and_brings_none() -> None:
    plain, lossy = Photons(), Photons()
    struck = lossy.disturb(0, None, Changes(loss_db=3.0))
    for photons in (plain, lossy):
        photons.send(400)
    came, left = plain.arrived(), lossy.arrived()
    assert left < came, "one number a photon, whatever the loss"
    eta = 10 ** (-(2 + 3) / 10)
    assert abs(len(left) - 400 * eta) < 3 * math.sqrt(400 * eta * (1 - eta))
    assert struck.hits == 400


def test_two_losses_add_up_and_each_heals_by_itself() -> None:
    photons = Photons()
    first, second = (
        photons.disturb(b, e, Changes(loss_db=d)) for b, e, d in ((1, 5, 3.0), (2, 9, 4.0))
    )
    photons.lab.run()
    assert [photons.link.at(t).changes.loss_db for t in (0, 1, 2, 5, 9)] == [0, 3, 7, 4, 0]
    assert (first.hits, second.hits) == (0, 0)


@pytest.mark.parametrize("way", [("alice", "bob"), ("bob", "alice")])
def test_a_misalignment_turns_the_frames_further_whichever_way_light_goes(
    way: tuple[str, str],
) -> None:
    static = Quantum(length_km=1.0, attenuation_db_per_km=0.0, misalignment_rad=math.radians(10))
    photons = Photons(static)
    photons.disturb(0, None, Changes(misalignment_rad=math.radians(20)))
    photons.send(1, *way)
    (qubit,) = photons.arrived()
    error = photons.lab.plane.registry.fidelity([qubit], [0, 1], photons.lab.clock.now_ns)
    assert error == pytest.approx(math.sin(math.radians(30)) ** 2, abs=1e-12)


def test_nothing_is_left_of_it_when_it_has_healed() -> None:
    photons = Photons(Quantum(length_km=1.0, attenuation_db_per_km=0.0))
    photons.disturb(0, 500, Changes(loss_db=1000.0, misalignment_rad=1.0))
    photons.lab.run()
    photons.send(1)
    (qubit,) = photons.arrived()
    assert photons.lab.plane.registry.fidelity([qubit], [1, 0], photons.lab.clock.now_ns) == 1.0


# --- trains on their way --------------------------------------------------------------------------


def etas(train: Train, first: int, end: int) -> list[float]:
    """What each slot meets, of those from `first` to before `end` of a train."""
    met = train.link.channel(train, first, end)
    steps = np.broadcast_to(met.steps_of(np.arange(first, end)), end - first)
    found: list[float] = met.etas[steps].tolist()
    return found


def leaves_ps(slot: int, start_ns: int = 0) -> int:
    return start_ns * 1000 + slot * PERIOD_PS


@pytest.mark.parametrize("environment", ["", ", environment: {grid: 40 ns, phase_drift: 1 rad2/s}"])
@pytest.mark.parametrize("start_ns", [0, 33])
def test_each_slot_meets_the_loss_of_the_time_at_which_it_leaves(
    environment: str, start_ns: int
) -> None:
    bench = Bench(f", attenuation: 0 dB/km{environment}")
    train = bench.train(start_ns=start_ns)
    path, struck = bench.fault_histories.links["alice-bob"], Struck()
    for t_ns, begins in ((100, True), (217, False)):
        bench.clock.now_ns = t_ns
        path.begin(struck, Changes(loss_db=3.0)) if begins else path.end(struck)
    found = etas(train, 5, 400)
    times_ps = [leaves_ps(slot, start_ns) for slot in range(5, 400)]
    struck_slots = [100_000 <= t < 217_000 for t in times_ps]
    assert found == pytest.approx([10**-0.3 if s else 1.0 for s in struck_slots])
    assert struck.hits == sum(struck_slots)


def test_slots_of_a_source_that_is_off_are_dark_and_only_its_own() -> None:
    bench = Bench(", attenuation: 0 dB/km")
    train, other, onward = (
        bench.link.open(source, origin, 0, PERIOD_PS)
        for source, origin in (("alice", "alice"), ("bob", "bob"), ("alice", "stranger"))
    )
    source, struck = bench.fault_histories.nodes["alice"], Struck()
    for t_ns, begins in ((100, True), (200, False)):
        bench.clock.now_ns = t_ns
        source.begin(struck, NodeChanges(source_off=True)) if begins else source.end(struck)
    wanted = [0.0 if 100_000 <= leaves_ps(slot) < 200_000 else 1.0 for slot in range(400)]
    assert etas(train, 0, 400) == wanted
    assert struck.hits == wanted.count(0.0)
    assert etas(other, 0, 400) == [1.0] * 400
    assert etas(onward, 0, 400) == [1.0] * 400, "what alice merely passes on"


def test_pulses_are_turned_while_it_lasts() -> None:
    bench = Bench(", attenuation: 0 dB/km")
    train, path = bench.train(), bench.fault_histories.links["alice-bob"]
    bench.clock.now_ns = 100
    path.begin(Struck(), Changes(misalignment_rad=math.radians(30)))
    met = bench.link.channel(train, 0, 400)
    before, after = met.maps
    assert before[3, 3] == 1.0
    assert (1 - after[3, 3]) / 2 == pytest.approx(0.25), "the error of |0>"


# --- detectors ------------------------------------------------------------------------------------

SLOTS = 2 * CHUNK_SLOTS + 1000
#: In the middle of a chunk, and across the end of it.
LOW, HIGH = CHUNK_SLOTS - 20_000, CHUNK_SLOTS + 60_000


def seen(mean: float, troubles: list[Trouble], blocks: int = 1, **detector: Any) -> np.ndarray:
    """Slots in which two detectors behind an active choice click."""
    device = Detector(**{"efficiency": 1.0, **detector})
    receiver = PulseReceiver(Receiver(device), 1_000_000, np.random.default_rng(3))
    zeros = np.zeros(SLOTS, dtype=np.uint8)
    train = PulseTrain(zeros, zeros, zeros, [WeakCoherent(mean)], 1_000_000)
    found, at = [], 0
    for block in train.blocks(CHUNK_SLOTS if blocks > 1 else SLOTS):
        size = len(block)
        found.append(receiver.detect(block, zeros[at : at + size], (), troubles).slots)
        at += size
    return np.concatenate(found)


def inside(slots: np.ndarray) -> np.ndarray:
    return (slots >= LOW) & (slots < HIGH)


def test_more_dark_counts_come_in_those_slots_and_shift_no_other_click() -> None:
    trouble = Trouble(LOW, HIGH, dark_count_rate_hz=10_000.0)
    plain, dark = seen(0.05, []), seen(0.05, [trouble])
    assert set(plain.tolist()) <= set(dark.tolist())
    more = np.setdiff1d(dark, plain)
    assert inside(more).all()
    expected = 1 - math.exp(-0.05 - 2 * 0.01)
    size = HIGH - LOW
    count = int(inside(dark).sum())
    assert abs(count - size * expected) < 3 * math.sqrt(size * expected * (1 - expected))


def test_they_start_dead_times_as_others_do() -> None:
    """Each detector is dead for 50 slots after a count: R/(1 + R tau) of them, at a tenth a slot."""
    trouble = Trouble(LOW, HIGH, dark_count_rate_hz=100_000.0)
    dark = seen(0.0, [trouble], dead_time_ps=50_000_000)
    assert inside(dark).all()
    per_slot = 1 - math.exp(-0.1)
    each = per_slot / (1 + per_slot * 49) * (HIGH - LOW)
    assert len(dark) == pytest.approx(2 * each, rel=0.04)


def test_dark_counts_know_nothing_of_the_efficiency_but_the_gate() -> None:
    trouble = Trouble(LOW, HIGH, dark_count_rate_hz=50_000.0)
    for efficiency, gate_ps, share in ((0.1, None, 1.0), (1.0, 200_000, 0.2)):
        dark = seen(0.0, [trouble], efficiency=efficiency, gate_ps=gate_ps)
        expected = (1 - math.exp(-2 * 0.05 * share)) * (HIGH - LOW)
        assert abs(len(dark) - expected) < 3 * math.sqrt(expected)


@pytest.mark.parametrize("afterpulse", [0.0, 0.3])
@pytest.mark.parametrize("dead_ps", [0, 5_000_000])
def test_blind_detectors_count_nothing_and_come_back_as_they_were(
    afterpulse: float, dead_ps: int
) -> None:
    rest = {
        "afterpulse_probability": afterpulse,
        "afterpulse_decay_ps": 3e6,
        "dead_time_ps": dead_ps,
    }
    blind = seen(0.3, [Trouble(LOW, HIGH, blind=True)], dark_count_rate_hz=1000.0, **rest)
    plain = seen(0.3, [], dark_count_rate_hz=1000.0, **rest)
    assert not inside(blind).any() and inside(plain).any()
    assert np.array_equal(blind[blind < LOW], plain[plain < LOW])
    late, usual = (int((slots >= HIGH + 100).sum()) for slots in (blind, plain))
    assert late == pytest.approx(usual, rel=0.02)
    if not afterpulse and not dead_ps:
        assert np.array_equal(blind[blind >= HIGH], plain[plain >= HIGH])


def test_blind_and_dark_at_once_is_blind() -> None:
    both = Trouble(LOW, HIGH, dark_count_rate_hz=50_000.0, blind=True)
    assert len(seen(0.0, [both])) == 0


def test_how_a_train_is_cut_into_blocks_makes_no_difference() -> None:
    troubles = [Trouble(LOW, HIGH, 10_000.0), Trouble(HIGH, HIGH + 50, blind=True)]
    rest: dict[str, Any] = {
        "afterpulse_probability": 0.2,
        "afterpulse_decay_ps": 1e7,
        "dead_time_ps": 3_000_000,
    }
    assert np.array_equal(seen(0.1, troubles, 1, **rest), seen(0.1, troubles, 3, **rest))


# --- pairs ----------------------------------------------------------------------------------------


def pair_at(changes: Changes, begin_ns: int, end_ns: int, wanted_ns: int) -> float:
    """A pair asked for at 0 on a link of 20 km, heard of at `wanted_ns`; its fidelity then."""
    quantum = heralding(attempt_ns=200_000, length_km=20.0)
    lab = Lab([plain_node("alice"), plain_node("bob")], [link("alice", "bob", quantum)])
    history, struck = lab.plane.fault_histories.links["alice-bob"], Struck()
    mine, _ = lab.issue("alice", Entangle, "bob"), lab.issue("bob", Entangle, "alice")
    lab.at(begin_ns, lambda: history.begin(struck, changes))
    lab.at(end_ns, lambda: history.end(struck))
    lab.run()
    outcome = lab.outcome("alice", mine)
    assert outcome.t_ns == wanted_ns
    return lab.plane.registry.fidelity([outcome.value.qubit], None, wanted_ns)


def test_no_pair_is_emitted_while_nothing_is_heralded() -> None:
    blind = Changes(heralds=0.0)
    assert pair_at(blind, 102_000, 102_300, 400_000) == pytest.approx(1.0)
    assert pair_at(blind, 102_200, 300_000, 200_000) == pytest.approx(1.0), "emitted before"
    assert pair_at(blind, 0, 102_000, 200_000) == pytest.approx(1.0), "healed before"


def test_a_pair_is_turned_that_is_emitted_while_frames_are() -> None:
    turned = Changes(misalignment_rad=math.radians(30))
    assert pair_at(turned, 102_000, 102_300, 200_000) == pytest.approx(0.75)
    assert pair_at(turned, 102_200, 300_000, 200_000) == pytest.approx(1.0), "emitted before"


# --- clouds ---------------------------------------------------------------------------------------

S = 10**9


async def waits(me: Agent) -> None:
    await asyncio.sleep(300)


def clouds(seed: int = 1, **parameters: Any) -> harness.Run:
    given = {"loss": 20.0, "cover": 0.3, "passage": S // 10} | parameters
    there = fault("clouds", "alice-bob", S, 200 * S, **given)
    wired = harness.link("alice", "bob", length_km=1.0)
    topology = network(
        {"alice": node("alice", waits), "bob": node("bob", waits)}, [wired], [there], seed=seed
    )
    return harness.run(topology)


def stretches_s(run: harness.Run) -> tuple[list[float], list[float]]:
    """How long it was clear and cloudy each time, but for the last."""
    events = run.of("alice-bob", "clouds")
    found: tuple[list[float], list[float]] = ([], [])
    for here, there in pairwise(events):
        assert here[5] != there[5], "they alternate"
        found[here[5]].append((there[0] - here[0]) / S)
    return found


def test_cloudy_and_clear_stretches_are_exponential_and_cover_their_share() -> None:
    clear, cloudy = stretches_s(clouds())
    for lengths, mean in ((cloudy, 0.1), (clear, 0.1 * 0.7 / 0.3)):
        assert abs(np.mean(lengths) - mean) < 3 * mean / math.sqrt(len(lengths))
        tail = np.mean(np.array(lengths) > mean)
        assert abs(tail - math.exp(-1)) < 3 * math.sqrt(0.24 / len(lengths))


def test_it_begins_cloudy_as_often_as_it_is_cloudy() -> None:
    began = [clouds(seed, passage=10 * S).of("alice-bob", "clouds")[0][5] for seed in range(60)]
    assert abs(sum(began) - 18) < 3 * math.sqrt(60 * 0.3 * 0.7)


def test_they_are_over_when_they_heal_and_nothing_of_them_is_left_on_the_agenda() -> None:
    run = clouds()
    assert run.of("alice-bob", "clouds")[-1][0] < 201 * S
    assert run.world.quantum.fault_histories.links["alice-bob"].now.changes == Changes()
    assert run.world.conductor.next_instant() is None


@pytest.mark.parametrize(("cover", "cloudy"), [(0.0, False), (1.0, True)])
def test_a_sky_that_is_always_clear_or_never(cover: float, cloudy: bool) -> None:
    events = clouds(cover=cover).of("alice-bob", "clouds")
    assert [event[5] for event in events] == [cloudy]


def test_they_are_drawn_from_the_seed_alone() -> None:
    assert clouds(3).outcome.digest == clouds(3).outcome.digest != clouds(4).outcome.digest


def test_the_gate_of_a_node_is_no_light_and_meets_nothing() -> None:
    photons = Photons()
    struck = photons.disturb(0, None, Changes(loss_db=3.0))
    qubit = photons.lab.qubit("alice")
    photons.lab.do("alice", Apply, "x", [qubit])
    assert struck.hits == 0
