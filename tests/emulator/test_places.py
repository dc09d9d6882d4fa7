"""What programs learn ahead of the sun over links that move."""

from __future__ import annotations

import pytest

from qnetem.emulator.loading import Topology, parse_topology
from qnetem.emulator.places import geometry_of, place_of, planned_contacts, planned_sunlight
from qnetem.emulator.space.earth import Station
from qnetem.emulator.space.sun import in_shadow, sun_km

NETWORK = """
name: light
time: {until: 24 h, %s}
nodes:
  sat: {orbit: {altitude: 500 km, inclination: 97.4 deg, anomaly: 20 deg, ascending_node: 40 deg}}
  ogs: {position: {latitude: 40.4 deg, longitude: 180 deg}}
links:
  - between: [sat, ogs]
    quantum:
      medium: free_space
      beam: {wavelength: 850 nm, divergence: {half_angle: 5 urad}}
      telescope: {aperture: 1 m}
"""


def network(epoch: str = "epoch: 2026-03-20T00:00:00Z") -> Topology:
    return parse_topology(NETWORK % epoch)


def test_sunlight_is_told_for_each_contact_to_a_millisecond() -> None:
    topology = network()
    link = topology.links["sat-ogs"]
    contacts, geometry = planned_contacts(topology, link), geometry_of(topology, link)
    found, sat = planned_sunlight(topology, link), place_of(topology, topology.nodes["sat"])
    assert contacts and geometry and found and sat
    lit, _ = found
    stretches = [*zip(lit[::2], lit[1::2], strict=True)]

    def in_the_sun(t_ns: int) -> bool:
        unix_s = geometry.unix_s(t_ns)
        return not in_shadow(sat.position_km(unix_s), unix_s)

    told = []
    for begin, end in zip(contacts[::2], contacts[1::2], strict=True):
        for t in range(begin + 2_000_000, end, 7_000_000_000):
            told.append(any(a <= t <= b for a, b in stretches))
            near = any(abs(t - border) < 2_000_000 for border in lit)
            assert told[-1] == in_the_sun(t) or near
    assert len(set(told)) == 2, "some of the contacts are dark"


def test_the_suns_height_is_told_where_contacts_begin_and_end() -> None:
    topology = network()
    link = topology.links["sat-ogs"]
    contacts, found = planned_contacts(topology, link), planned_sunlight(topology, link)
    geometry, station = geometry_of(topology, link), place_of(topology, topology.nodes["ogs"])
    assert contacts and found and geometry and isinstance(station, Station)
    moments = [geometry.unix_s(t) for t in contacts]
    assert found[1] == pytest.approx([station.elevation_deg(sun_km(t), t) for t in moments])


def test_without_a_date_nothing_is_told_of_the_sun() -> None:
    topology = network("speed: 1")
    assert planned_sunlight(topology, topology.links["sat-ogs"]) is None
