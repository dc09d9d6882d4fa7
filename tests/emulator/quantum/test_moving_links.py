"""Light and messages over links whose ends move: never early, never past each other, and only in contacts."""

from __future__ import annotations

import math
from functools import cache, partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.classical.plane import ClassicalPlane
from qnetem.emulator.closed_forms import LIGHT_KM_PER_S
from qnetem.emulator.closed_forms.free_space import gaussian_capture
from qnetem.emulator.kernel.conductor import FAULT, Conductor
from qnetem.emulator.kernel.ports import Surroundings
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.loading import Topology, parse_topology
from qnetem.emulator.places import geometry_of
from qnetem.emulator.quantum.pairs.heralded_pair import Request
from qnetem.emulator.quantum.plane import QuantumPlane
from qnetem.emulator.record.journal import Journal
from qnetem.emulator.record.metrics import Metrics
from qnetem.emulator.space.contacts import Geometry
from qnetem.emulator.space.vectors import minus, norm
from qnetem.emulator.wire import Entangle, Send

S = 10**9
NETWORK = """
name: downlink
time: {until: 20 h, epoch: 2026-03-20T00:00:00Z}
nodes:
  sat: {orbit: {altitude: 500 km, inclination: 97.4 deg, anomaly: 20 deg}}
  ogs: {position: {latitude: 40.4 deg, longitude: 180 deg}}
  home: {}
links:
  - between: [sat, ogs]
    quantum:
      medium: free_space
      beam: {wavelength: 850 nm, divergence: {half_angle: 5 urad}}
      telescope: {aperture: 1 m}
  - {between: [ogs, home], length: 5 km}
"""


@cache
def network() -> Topology:
    return parse_topology(NETWORK)


def geometry() -> Geometry:
    found = geometry_of(network(), network().links["sat-ogs"])
    assert found is not None
    return found


@cache
def contact() -> tuple[int, int]:
    first = geometry().passes(0, 3600 * S)[0]
    return first.since_ns, first.until_ns


BEGIN_NS, END_NS = contact()
MOMENTS = st.integers(BEGIN_NS, END_NS - 1)


def surroundings(clock: Conductor) -> Surroundings:
    return Surroundings(clock, Journal(clock), Metrics(), Streams(1))


def earliest_ns(source: str, left_ns: int, came_ns: int) -> float:
    """When light could have come that left `source` then: a straight way to where the other end is."""
    places = geometry().places
    source_place, target = places if source == "sat" else places[::-1]
    start = source_place.position_km(geometry().unix_s(left_ns))
    way_km = norm(minus(target.position_km(geometry().unix_s(came_ns)), start))
    return left_ns + way_km / LIGHT_KM_PER_S * 1e9


def never_early(source: str, left_ns: int, came_ns: int) -> bool:
    return came_ns >= earliest_ns(source, left_ns, came_ns) - 0.01  # the clock's own rounding


# --- photons --------------------------------------------------------------------------------------


@given(st.lists(MOMENTS, min_size=2, max_size=6), st.sampled_from(["sat", "ogs"]))
@settings(max_examples=60, deadline=None)
def test_photons_come_never_early_and_in_order(moments: list[int], source: str) -> None:
    plane = QuantumPlane(network(), surroundings(Conductor()))
    channel = plane.photon_links.by_name["sat-ogs"].faulted.channel
    came = [t + channel.at(t, source).delay_ns for t in sorted(moments)]
    for left_ns, came_ns in zip(sorted(moments), came, strict=True):
        assert never_early(source, left_ns, came_ns)
        assert came_ns - earliest_ns(source, left_ns, came_ns) < 1.01
    assert came == sorted(came)


def test_a_photon_is_lost_without_a_contact() -> None:
    plane = QuantumPlane(network(), surroundings(Conductor()))
    channel = plane.photon_links.by_name["sat-ogs"].faulted.channel
    lit = [channel.at(t, "sat").survival > 0 for t in (BEGIN_NS - 1, BEGIN_NS, END_NS - 1, END_NS)]
    assert lit == [False, True, True, False]


# --- trains ---------------------------------------------------------------------------------------


@given(
    MOMENTS,
    st.lists(st.integers(1, 30 * S), min_size=2, max_size=8),
    st.sampled_from(["sat", "ogs"]),
)
@settings(max_examples=60, deadline=None)
def test_blocks_of_a_train_come_when_the_light_of_their_end_does(
    start_ns: int, lengths_ns: list[int], source: str
) -> None:
    plane = QuantumPlane(network(), surroundings(Conductor()))
    train = plane.pulses.links["sat-ogs"].open(source, source, start_ns, 1000)
    assert never_early(source, start_ns, train.arrives_ns)
    end_ns, latest_ns = start_ns, train.arrives_ns
    for length_ns in lengths_ns:
        end_ns += length_ns
        came_ns = train.comes_ns(end_ns)
        assert never_early(source, end_ns, came_ns)
        assert latest_ns <= came_ns
        assert abs(train.left_ns(came_ns) - end_ns) <= 1
        latest_ns = came_ns


def test_a_train_that_kept_its_first_delay_would_come_too_early() -> None:
    """What the property guards against: over half a pass the range grows by hundreds of kilometres."""
    middle_ns = (BEGIN_NS + END_NS) // 2
    kept_ns = END_NS + geometry().delay_ns(middle_ns)
    assert not never_early("sat", END_NS, kept_ns)
    assert earliest_ns("sat", END_NS, kept_ns) - kept_ns > 2e6


def test_a_train_is_dark_where_the_contact_ends_and_dimmer_towards_it() -> None:
    plane = QuantumPlane(network(), surroundings(Conductor()))
    start_ns = END_NS - 20 * S
    train = plane.pulses.links["sat-ogs"].open("sat", "sat", start_ns, 10**6)  # slots of 1 us
    channel = plane.pulses.links["sat-ogs"].channel(train, 0, 40_000_000)
    lit = [eta for eta in channel.etas.tolist() if eta > 0]
    assert lit == sorted(lit, reverse=True) and len(lit) >= 20
    assert channel.etas[-1] == 0.0
    dark_from = int(channel.starts[channel.etas.tolist().index(0.0)])
    assert dark_from == math.ceil((END_NS - start_ns) / 1000)


# --- messages -------------------------------------------------------------------------------------


class Mail:
    """The classical plane of the network, with nodes that listen for ever."""

    def __init__(self) -> None:
        self.clock = Conductor()
        self.came: list[tuple[int, str, int]] = []
        self.lost: list[str] = []
        around = surroundings(self.clock)
        self.plane = ClassicalPlane(network(), self.clock, around, self)
        self.plane._journal.event = self._event  # type: ignore[method-assign]
        self._sent = 0

    def receiver(self, name: str, port: str | None = None) -> int | None:
        return 1

    def is_background(self, name: str, port: str) -> bool:
        return False

    def listens(self, name: str) -> bool:
        return True

    def publish(self, src: str, inc: int, seq: int, to: str) -> None:
        """No payloads here."""

    def _event(self, entity: str, kind: str, *fields: object) -> None:
        if kind == "undelivered":
            self.lost.append(str(fields[-1]))

    def send_at(self, t_ns: int, src: str, dst: str) -> None:
        self._sent += 1
        send = Send(dst, self._sent, "", 10, b"12345678")
        order = (0, self._sent)
        self.clock.at(t_ns, order, lambda: self.plane.send(src, 1, send), FAULT)

    def run(self) -> Mail:
        while (instant := self.clock.next_instant()) is not None:
            self.clock.enter(*instant)
            while self.clock.run_phases():
                pass
            for name in self.clock.take_due():
                for copy in self.plane.deliveries.pop(name, []):
                    self.came.append((instant[0], name, copy.seq))
            self.plane.taken()
        return self


@given(st.lists(MOMENTS, min_size=2, max_size=10), st.booleans())
@settings(max_examples=60, deadline=None)
def test_messages_come_never_early_and_none_overtakes_another(moments: list[int], up: bool) -> None:
    mail, (src, dst) = Mail(), (("ogs", "sat") if up else ("sat", "ogs"))
    for t_ns in sorted(moments):
        mail.send_at(t_ns, src, dst)
    mail.run()
    assert [seq for *_, seq in mail.came] == list(range(1, len(moments) + 1))
    for (came_ns, *_), left_ns in zip(mail.came, sorted(moments), strict=True):
        assert never_early(src, left_ns, came_ns)


def test_messages_find_a_path_in_contacts_only_and_are_lost_otherwise() -> None:
    mail = Mail()
    for t_ns in (BEGIN_NS - 1, BEGIN_NS, END_NS - 1, END_NS):
        mail.send_at(t_ns, "sat", "home")
    mail.run()
    assert [seq for *_, seq in mail.came] == [2, 3]
    assert mail.lost == ["no path from sat to home"] * 2


def test_a_cut_and_the_end_of_a_contact_are_two_reasons() -> None:
    mail = Mail()
    mail.clock.at(BEGIN_NS - 10 * S, (0,), lambda: mail.plane.cut("sat-ogs"), FAULT)
    mail.clock.at(BEGIN_NS + 10 * S, (0,), lambda: mail.plane.heal("sat-ogs"), FAULT)
    for t_ns in (BEGIN_NS - 5 * S, BEGIN_NS + 5 * S, BEGIN_NS + 15 * S, END_NS + S):
        mail.send_at(t_ns, "sat", "ogs")
    mail.run()
    assert [seq for *_, seq in mail.came] == [3]


def test_a_message_over_two_links_takes_both_their_times() -> None:
    mail = Mail()
    mail.send_at(BEGIN_NS, "sat", "home")
    ((came_ns, *_),) = mail.run().came
    fibre = network().links["ogs-home"].classical
    assert fibre is not None
    assert came_ns == BEGIN_NS + geometry().delay_ns(BEGIN_NS) + fibre.latency_ns
    assert pytest.approx(1730, abs=30) == geometry().range_km(BEGIN_NS)


# --- pairs ----------------------------------------------------------------------------------------

KINDS = {
    "double_click": "kind: double_click, station: 1, emitter: {collection: 1}, detector: {window: 10 ns}",
    "single_click": "kind: single_click, alpha: 0.5, station: 0, emitter: {}, detector: {window: 10 ns}",
    "midpoint_source": "kind: midpoint_source, station: 0, clock: 1 ms, pair_probability: 1, latching: {}",
    "simple": "success: 1, fidelity: 1, attempt: 2 ms",
}


@cache
def pairs(kind: str) -> Topology:
    entangle = f"      entangle: {{{KINDS[kind]}}}\n  - {{between: [ogs, home]"
    return parse_topology(NETWORK.replace("  - {between: [ogs, home]", entangle))


class Heralds:
    """The pairs' link of the network; notes when each end hears, and since when its half exists."""

    def __init__(self, kind: str) -> None:
        self.clock = Conductor()
        self.plane = QuantumPlane(pairs(kind), surroundings(self.clock))
        self.heard: dict[str, list[tuple[int, int]]] = {"sat": [], "ogs": []}
        link = self.plane.heralded_links.by_name["sat-ogs"]
        give = link.give

        def noted(request: Request, herald: Any, refusal: Any = None) -> None:
            if herald is not None:
                times = self.clock.now_ns, herald.emitted_ns
                self.heard[request.devices.name].append(times)
            give(request, herald, refusal)

        link.give = noted

    def ask_at(self, t_ns: int, number: int) -> None:
        for name, peer in (("sat", "ogs"), ("ogs", "sat")):
            ask = partial(self.plane.issue, name, 1, Entangle(number, peer))
            self.clock.at(t_ns, (name, number), ask, FAULT)

    def run(self) -> Heralds:
        while (instant := self.clock.next_instant()) is not None:
            self.clock.enter(*instant)
            while self.clock.run_phases():
                pass
            self.clock.take_due()
        return self


@given(st.lists(MOMENTS, min_size=1, max_size=4), st.sampled_from(sorted(KINDS)))
@settings(max_examples=25, deadline=None)
def test_no_end_hears_of_a_pair_before_light_has_come_from_the_other(
    moments: list[int], kind: str
) -> None:
    bench = Heralds(kind)
    for number, t_ns in enumerate(sorted(moments)):
        bench.ask_at(t_ns, number)
    heard = bench.run().heard
    assert len(heard["sat"]) == len(heard["ogs"])
    assert heard["sat"] or min(moments) > END_NS - 60 * S
    for there, here in zip(heard["sat"], heard["ogs"], strict=True):
        for source, left_ns, came_ns in (("sat", there[1], here[0]), ("ogs", here[1], there[0])):
            assert never_early(source, left_ns, came_ns)
            assert geometry().contact_at(left_ns).open and geometry().contact_at(came_ns).open


# --- between satellites ---------------------------------------------------------------------------


def test_a_train_between_satellites_is_lit_in_their_contacts_and_comes_with_its_light() -> None:
    text = NETWORK.replace(
        "position: {latitude: 40.4 deg, longitude: 180 deg}",
        "orbit: {altitude: 900 km, inclination: 60 deg, anomaly: 10 deg}",
    )
    topology = parse_topology(text)
    place = geometry_of(topology, topology.links["sat-ogs"])
    assert place is not None
    first = place.passes(0, 20 * 3600 * S)[1]
    plane = QuantumPlane(topology, surroundings(Conductor()))
    start_ns = first.until_ns - 10 * S
    train = plane.pulses.links["sat-ogs"].open("sat", "sat", start_ns, 10**6)
    channel = plane.pulses.links["sat-ogs"].channel(train, 0, 20_000_000)
    dark_from = int(channel.starts[channel.etas.tolist().index(0.0)])
    assert dark_from == math.ceil((first.until_ns - start_ns) / 1000)
    lit = channel.etas[: channel.etas.tolist().index(0.0)]
    middle_km = place.range_km(first.until_ns - 5 * S)
    assert lit.mean() == pytest.approx(gaussian_capture(5.0, middle_km, 1.0), rel=0.01)
    assert train.comes_ns(first.until_ns) == first.until_ns + place.delay_ns(first.until_ns)
