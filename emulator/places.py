"""Where a topology's nodes are, and the geometry of its links between them.

Owns the step from positions and orbits of a topology to those of space/. Does not own what they do. Rule: one
geometry serves both planes of a link, and one run what another has computed of the same places.
"""

from __future__ import annotations

from functools import lru_cache

from .errors import InputError
from .space.contacts import DAY_NS, Geometry, Place
from .space.earth import EQUATOR_KM, Station
from .space.mean_elements import orbit_of_omm, orbit_of_tle
from .space.orbits import KeplerOrbit
from .topology.model.space_sections import OrbitSpec
from .topology.model.topology import LinkSpec, NodeSpec, Topology

#: Contacts are planned ahead up to the run's end or for a day without one, and not for longer than that.
MOST_DAYS = 32


def geometry_of(topology: Topology, link: LinkSpec, above_deg: float = 0.0) -> Geometry | None:
    """Where the link's ends are; None where the topology does not say it of both. Raises TopologyError.

    `above_deg`: so much over its least elevation a station sees a satellite.
    """
    places = [place_of(topology, topology.nodes[end]) for end in link.ends]
    first, second = places
    if first is None or second is None:
        return None
    positions = [topology.nodes[end].position for end in link.ends]
    least = [0.0 if spec is None else spec.least_elevation_deg + above_deg for spec in positions]
    return _geometry(first, second, topology.time.epoch_ns * 1e-9, least[0], least[1])


def moving_geometry(topology: Topology, link: LinkSpec) -> Geometry | None:
    """Where the ends are of a link whose messages take as long as light between them; else None."""
    if link.classical is None or not link.classical.moving:
        return None
    return geometry_of(topology, link)


def planned_contacts(topology: Topology, link: LinkSpec) -> list[int] | None:
    """Begins and ends in turn of the contacts of a link that moves; None of one that stays."""
    if link.quantum is None or link.quantum.medium != "free_space":
        return None
    geometry = geometry_of(topology, link)
    if geometry is None or not geometry.moves:
        return None
    until_ns = min(topology.time.until_ns or DAY_NS, MOST_DAYS * DAY_NS)
    return [t for each in geometry.passes(0, until_ns) for t in (each.since_ns, each.until_ns)]


@lru_cache(64)
def _geometry(
    first: Place, second: Place, epoch_s: float, first_deg: float, second_deg: float
) -> Geometry:
    """One for each pair of places: contacts are computed once."""
    return Geometry(first, second, epoch_s, (first_deg, second_deg))


def place_of(topology: Topology, node: NodeSpec) -> Place | None:
    """Where a node is; None if that is not said. Raises TopologyError."""
    if node.position is not None:
        spec = node.position
        return Station(spec.latitude_deg, spec.longitude_deg, spec.altitude_km)
    if node.orbit is None:
        return None
    try:
        return _orbit(node.orbit.model_dump_json(), topology.time.epoch_ns * 1e-9)
    except InputError as error:
        path = ("nodes", node.name, "orbit")
        raise topology.error(f"{'.'.join(path)}: {error}", *path) from error


@lru_cache(64)
def _orbit(written: str, epoch_s: float) -> Place:
    """The orbit of a section, which is not hashable itself."""
    spec = OrbitSpec.model_validate_json(written)
    if spec.tle is not None:
        return orbit_of_tle(spec.lines)
    if spec.omm is not None:
        return orbit_of_omm(spec.omm)
    circle_km = None if spec.altitude_km is None else spec.altitude_km + EQUATOR_KM
    axis_km = spec.semi_major_axis_km if circle_km is None else circle_km
    assert axis_km is not None
    return KeplerOrbit(
        axis_km,
        spec.eccentricity or 0.0,
        spec.inclination_deg or 0.0,
        spec.node_deg or 0.0,
        spec.perigee_deg or 0.0,
        spec.anomaly_deg or 0.0,
        epoch_s,
    )
