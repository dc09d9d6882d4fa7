"""Pairs through free space against what optics and orbits say: rates, states, and when each end hears."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.closed_forms import LIGHT_KM_PER_S, free_space
from qnetem.emulator.closed_forms.links import dark_probability
from qnetem.emulator.faults.changes import Changes
from qnetem.emulator.heralding.attempts import Attempts, HeraldedSource, SimpleLink
from qnetem.emulator.heralding.double_click import DoubleClick
from qnetem.emulator.heralding.hazard import ChangingAttempts
from qnetem.emulator.heralding.timing import Timing
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.loading import Topology, parse_topology
from qnetem.emulator.places import geometry_of
from qnetem.emulator.quantum.links.heralding import changing_source, source_of
from qnetem.emulator.quantum.links.heralding_facts import heralding_facts
from qnetem.emulator.space.contacts import Geometry
from qnetem.emulator.space.vectors import minus, norm

S = 10**9
DOUBLE = (
    "kind: double_click, emitter: {{collection: 0.5}}, station: {station}, visibility: 0.9, "
    "detector: {{efficiency: 0.8, dark_count_rate: 100 Hz, window: 10 ns}}"
)
KINDS = {
    "simple": "success: 0.5, fidelity: 0.95, attempt: 3 ms",
    "fast": "success: 0.1, fidelity: 0.95, attempt: 1 us",
    "down": DOUBLE.format(station=1),
    "up": DOUBLE.format(station=0),
    "single": "kind: single_click, alpha: 0.1, station: 1, emitter: {collection: 0.5}, "
    "detector: {efficiency: 0.8, window: 10 ns}",
    "midpoint": "kind: midpoint_source, station: 0, clock: 1 us, pair_probability: 0.01, latching: {}",
    "received": "kind: midpoint_source, station: 1, clock: 10 ms, pair_probability: 0.3, latching: {}",
}
SAT = "{orbit: {altitude: 500 km, inclination: 97.4 deg, anomaly: 20 deg}}"
OTHER = "{orbit: {altitude: 900 km, inclination: 60 deg, anomaly: 10 deg}}"
OGS = "{position: {latitude: 40.4 deg, longitude: 180 deg}}"


def text(entangle: str, sat: str = SAT, ogs: str = OGS, more: str = "", until: str = "20 h") -> str:
    return f"""
name: pairs
time: {{until: {until}, epoch: 2026-03-20T00:00:00Z}}
nodes: {{sat: {sat}, ogs: {ogs}}}
links:
  - between: [sat, ogs]
    quantum:
      medium: free_space
      beam: {{wavelength: 850 nm, divergence: {{half_angle: 5 urad}}}}
      telescope: {{aperture: 1 m}}
      entangle: {{{entangle}}}
      {more}
"""


@cache
def network(entangle: str, more: str = "", ogs: str = OGS) -> Topology:
    return parse_topology(text(entangle, more=more, ogs=ogs))


@cache
def of_kind(kind: str) -> tuple[ChangingAttempts, Geometry]:
    topology = network(KINDS[kind])
    return moving(topology), geometry(topology)


def moving(topology: Topology) -> ChangingAttempts:
    found = source_of(topology, topology.links["sat-ogs"])
    assert isinstance(found, ChangingAttempts)
    return found


def geometry(topology: Topology) -> Geometry:
    found = geometry_of(topology, topology.links["sat-ogs"])
    assert found is not None
    return found


@cache
def contacts() -> list[tuple[int, int]]:
    passes = geometry(network(KINDS["down"])).passes(0, 20 * 3600 * S)
    return [(each.since_ns, each.until_ns) for each in passes]


BEGIN_NS, END_NS = contacts()[0]


# --- rates ----------------------------------------------------------------------------------------


def hazard_since_begin(topology: Topology) -> tuple[np.ndarray, np.ndarray]:
    """Times over the first two contacts, in s, and the hazard -log(1 - p)/T up to them, by trapezoids."""
    place = geometry(topology)
    times, hazards, total = [], [], 0.0
    for since_ns, until_ns in contacts()[:2]:
        grid = np.linspace(since_ns, until_ns, 400)
        rates = []
        for t in grid:
            range_km = place.range_km(round(t))
            light = free_space.gaussian_capture(5.0, range_km, 1.0)
            success = (0.5 * 0.8 * light) * (0.5 * 0.8) / 2
            rates.append(-math.log1p(-success) / (2 * range_km / LIGHT_KM_PER_S))
        steps = np.diff(grid) * 1e-9 * (np.array(rates)[1:] + np.array(rates)[:-1]) / 2
        times += (grid * 1e-9).tolist()
        hazards += (total + np.concatenate([[0.0], np.cumsum(steps)])).tolist()
        total = hazards[-1]
    return np.array(times), np.array(hazards)


def test_successes_come_as_the_integral_of_the_hazard_says() -> None:
    """Kolmogorov and Smirnov: u = 1 - exp(-hazard) of the times of success is even."""
    silent = KINDS["down"].replace("dark_count_rate: 100 Hz, ", "").replace("0.9", "1")
    topology = network(silent)
    source, rng = moving(topology), np.random.default_rng(8)
    found = [source.draw(rng, BEGIN_NS) for _ in range(4000)]
    begins = np.array([BEGIN_NS + each.begins_ns for each in found if each is not None]) * 1e-9
    times, hazards = hazard_since_begin(topology)
    u = np.sort(-np.expm1(-np.interp(begins, times, hazards)))
    even = (np.arange(len(u)) + 0.5) / len(u)
    assert len(u) == len(found) and np.abs(u - even).max() * math.sqrt(len(u)) < 1.95  # 0.1 %
    mean = -np.log1p(-u).mean()
    assert abs(mean - 1) < 4 / math.sqrt(len(u))


def test_a_contact_that_fails_leaves_the_rest_to_the_next_one() -> None:
    """With a hazard of about 1/2 in each contact, successes stop where one ends and continue in the next."""
    rare = KINDS["down"].replace("collection: 0.5", "collection: 0.033")
    source, rng = moving(network(rare)), np.random.default_rng(3)
    found = [source.draw(rng, BEGIN_NS) for _ in range(150)]
    begins = [BEGIN_NS + each.begins_ns for each in found if each is not None]
    inside = [[a <= t < b for t in begins] for a, b in contacts()]
    assert all(any(row) for row in zip(*inside, strict=True))
    assert all(sum(row) > least for row, least in zip(inside, (20, 1, 10), strict=True))
    assert len(begins) < len(found), "and some never come"


@pytest.mark.parametrize("kind", ["simple", "single", "midpoint"])
def test_the_light_of_the_moment_is_in_the_chances_of_every_kind(kind: str) -> None:
    source, place = of_kind(kind)
    for t_ns in (BEGIN_NS + S // 2, (BEGIN_NS + END_NS) // 2):
        cell = t_ns // S * S
        middle = (max(cell, BEGIN_NS) + cell + S) // 2
        light = free_space.gaussian_capture(5.0, place.range_km(middle), 1.0)
        success = source.way.stretch(t_ns).attempts
        assert success is not None
        p, q = 0.4 * light, 0.4
        expected = {
            "simple": 0.5 * light,
            "midpoint": 0.01 * light,
            "single": 2 * 0.1 * 0.9 * (p + q) / 2 + 0.01 * (p + q - p * q),
        }[kind]
        assert success.success == pytest.approx(expected, rel=5e-4)  # that light is far away


def test_what_the_link_says_of_itself_is_the_mean_over_its_first_contact() -> None:
    topology = network(KINDS["down"])
    facts = heralding_facts(topology, topology.links["sat-ogs"])
    source = moving(topology)
    assert facts is not None
    made = [source.way.stretch(t).attempts for t in range(BEGIN_NS, END_NS - 50_000_000, S)]
    chances = [each.success for each in made if each is not None]
    assert facts.success == pytest.approx(np.mean(chances), rel=0.01)
    assert min(chances) < facts.success < max(chances)
    longest = max(each.attempt_ns for each in made if each is not None)
    assert longest <= facts.attempt_ns < 1.01 * longest


# --- states ---------------------------------------------------------------------------------------

SKY = "background: {radiance: 0.01, field_of_view: 100 urad, filter: 1 nm}"


def test_the_pair_is_that_of_the_light_at_its_time_with_the_sky_in_the_detectors() -> None:
    topology = network(KINDS["down"], SKY)
    source, place = moving(topology), geometry(topology)
    noise_hz = free_space.background_rate_hz(0.01, 100, 1.0, 1.0, 850)
    dark = dark_probability(100 + noise_hz * 0.8 / 2, 10)
    fidelities = []
    for t_ns in (BEGIN_NS + 5 * S, BEGIN_NS + 60 * S, (BEGIN_NS + END_NS) // 2):
        middle = t_ns // S * S + S // 2
        light = free_space.gaussian_capture(5.0, place.range_km(middle), 1.0)
        link = DoubleClick(0.4 * light, 0.4, Timing(1, (0, 0), (0, 0)), dark, 0.9).attempts()
        made = source.way.stretch(t_ns).attempts
        assert made is not None
        assert made.fidelity == pytest.approx(link.fidelity, rel=1e-4)
        assert made.success == pytest.approx(link.success, rel=5e-4)
        fidelities.append(made.fidelity)
    assert fidelities[0] + 0.003 < fidelities[1] < fidelities[2] - 0.003


def test_a_fault_changes_chances_and_leaves_the_rhythm() -> None:
    topology = network(KINDS["down"])
    changed = changing_source(topology, topology.links["sat-ogs"], Streams(1))
    assert changed is not None
    plain, lossy = changed(Changes()), changed(Changes(loss_db=10.0))
    assert isinstance(plain, ChangingAttempts) and isinstance(lossy, ChangingAttempts)
    assert plain.timing == lossy.timing
    middle = (BEGIN_NS + END_NS) // 2
    before, after = (each.way.stretch(middle).attempts for each in (plain, lossy))
    assert before is not None and after is not None
    assert after.success == pytest.approx(before.success / 10, rel=0.01)
    assert after.timing == before.timing


def test_a_beam_that_points_past_its_receiver_heralds_less() -> None:
    topology = network(KINDS["midpoint"])
    changed = changing_source(topology, topology.links["sat-ogs"], Streams(1))
    assert changed is not None
    steady, off = changed(Changes()), changed(Changes(pointing_urad=5.0, loss_db=3.0))
    assert isinstance(steady, ChangingAttempts) and isinstance(off, ChangingAttempts)
    before, after = (each.way.stretch(BEGIN_NS + 5 * S).attempts for each in (steady, off))
    assert before is not None and after is not None
    expected = free_space.pointing_transmittance(5, 0, 5) * 10**-0.3
    assert after.success / before.success == pytest.approx(expected, rel=0.01)


# --- times ----------------------------------------------------------------------------------------


def earliest_ns(place: Geometry, end: int, left_ns: int, came_ns: int) -> float:
    """When light could have come that left an end then: a straight way to where the other end is."""
    source, target = place.places[end], place.places[1 - end]
    start = source.position_km(place.unix_s(left_ns))
    way_km = norm(minus(target.position_km(place.unix_s(came_ns)), start))
    return left_ns + way_km / LIGHT_KM_PER_S * 1e9


@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(BEGIN_NS - S, END_NS - S // 10),
    st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_no_end_hears_before_light_has_come_from_the_other(
    kind: str, start: int, seed: int
) -> None:
    source, place = of_kind(kind)
    success = source.draw(np.random.default_rng(seed), start)
    if success is None:
        return
    emissions = [start + each for each in success.emissions_ns]
    heralds = [start + each for each in success.heralds_ns]
    for end in (0, 1):
        came_ns, left_ns = heralds[end], emissions[1 - end]
        assert came_ns >= earliest_ns(place, 1 - end, left_ns, came_ns) - 0.01
        assert heralds[end] >= emissions[end]
    begins = start + success.begins_ns
    assert start <= begins <= min(emissions)
    open_ns = place.contact_at(begins)
    assert open_ns.open and max(heralds) <= open_ns.until_ns


@pytest.mark.parametrize("kind", ["down", "up", "single"])
def test_light_meets_at_the_station_and_the_far_end_hears_a_way_later(kind: str) -> None:
    """To the ns: nothing waits for a longest way but the next attempt."""
    source, place = of_kind(kind)
    near = 0 if kind == "up" else 1
    success = source.draw(np.random.default_rng(4), BEGIN_NS)
    assert success is not None
    leaves = BEGIN_NS + success.emissions_ns[1 - near]
    comes = leaves + place.delay_ns(leaves, near == 0)
    assert BEGIN_NS + success.emissions_ns[near] == comes == BEGIN_NS + success.heralds_ns[near]
    answer = comes + place.delay_ns(comes, near == 1)
    assert BEGIN_NS + success.heralds_ns[1 - near] == answer
    after = source.after(BEGIN_NS, success)
    assert answer <= after < answer + 100_000


@given(st.integers(BEGIN_NS, END_NS - S), st.sampled_from(["down", "up", "received"]))
@settings(max_examples=60, deadline=None)
def test_no_attempt_laps_the_one_before(start: int, kind: str) -> None:
    source, _ = of_kind(kind)
    made = source.way.stretch(start).attempts
    assert made is not None
    times = source.way.times(start, made)
    assert max(times.heralds_ns) <= start + max(made.attempt_ns, *made.timing.heralds_ns)
    assert min(times.emissions_ns) == start + made.timing.emission_ns


# --- between satellites, and between ends that stand still ---------------------------------------------


def test_satellites_herald_pairs_in_contacts_of_their_own() -> None:
    topology = parse_topology(text(KINDS["midpoint"], ogs=OTHER))
    source, place = moving(topology), geometry(topology)
    rng, t = np.random.default_rng(1), 0
    for _ in range(5):
        success = source.draw(rng, t)
        assert success is not None
        assert place.contact_at(t + success.emission_ns).open
        t += success.herald_ns + 900 * S
    assert source.ends_ns == place.passes(0, 20 * 3600 * S)[-1].until_ns


STILL = "{{position: {{latitude: {lat} deg, longitude: 0 deg}}{weather}}}"


def still(entangle: str, weather: str = "", more: str = "") -> HeraldedSource:
    sites = [STILL.format(lat=lat, weather=weather if lat == 10.5 else "") for lat in (10, 10.5)]
    topology = parse_topology(text(entangle, *sites, more=more))
    found = source_of(topology, topology.links["sat-ogs"])
    assert found is not None
    return found


def test_a_station_between_ends_that_stand_still_has_two_beams() -> None:
    middle = still(DOUBLE.format(station=0.25), more="insertion_loss: 4 dB")
    assert isinstance(middle, Attempts)
    length_km = 55.3
    shares = [
        free_space.gaussian_capture(5.0, length_km * share, 1.0) * 10 ** (-0.4 * share)
        for share in (0.25, 0.75)
    ]
    bright = DoubleClick(0.4 * shares[0], 0.4 * shares[1], middle.timing, 1e-6, 0.9).attempts()
    assert middle.success == pytest.approx(bright.success, rel=0.01)
    assert middle.attempt_ns == pytest.approx(2 * 0.75 * length_km / LIGHT_KM_PER_S * 1e9, rel=0.01)


def test_a_simple_link_that_stands_still_is_what_its_section_says() -> None:
    assert isinstance(still(KINDS["simple"]), SimpleLink)
    assert still(KINDS["simple"]).success == 0.5


@pytest.mark.parametrize("entangle", [KINDS["simple"], DOUBLE.format(station=0.5)])
def test_clouds_over_an_end_that_stands_still_take_their_loss(entangle: str) -> None:
    record = ", weather: {record: [{at: 0 s, loss: 0 dB}, {at: 5 s, loss: 20 dB}]}"
    clear, cloudy = still(entangle), still(entangle, record)
    assert isinstance(cloudy, ChangingAttempts) and cloudy.ends_ns is None
    before, after = (cloudy.way.stretch(t * S) for t in (4, 5))
    assert before.until_ns == 5 * S and before.attempts is not None and after.attempts is not None
    assert before.attempts.success == pytest.approx(clear.success, rel=1e-9)
    assert after.attempts.success == pytest.approx(clear.success / 100, rel=0.02)
    assert cloudy.timing == clear.timing
