"""Where a topology's nodes are, and the geometry of its links between them.

Owns the step from positions and orbits of a topology to those of space/. Does not own what they do. Rule: one
geometry serves both planes of a link, and one run what another has computed of the same places.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

from .errors import InputError
from .space.contacts import DAY_NS, Geometry, Place
from .space.earth import EQUATOR_KM, Station
from .space.mean_elements import orbit_of_omm, orbit_of_tle
from .space.orbits import KeplerOrbit
from .space.sun import in_shadow, sun_elevation_deg
from .topology.model.space_sections import OrbitSpec
from .topology.model.topology import LinkSpec, NodeSpec, Topology

#: Contacts are planned ahead up to the run's end or for a day without one, and not for longer than that.
MOST_DAYS = 32
#: How often a contact is looked at for sunlight.
_LOOK_NS = 10 * 10**9


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
    planned = geometry.passes(0, planned_until_ns(topology))
    return [t for each in planned for t in (each.since_ns, each.until_ns)]


def planned_sunlight(topology: Topology, link: LinkSpec) -> tuple[list[int], list[float]] | None:
    """In planned contacts: sunlight on satellites, begins and ends in turn, and the elevation of the sun.

    In degrees over the link's station where contacts begin and end. None of a link that stays, and without an
    epoch.
    """
    contacts = planned_contacts(topology, link)
    geometry = geometry_of(topology, link)
    if contacts is None or geometry is None or "epoch_ns" not in topology.time.model_fields_set:
        return None
    passes = zip(contacts[::2], contacts[1::2], strict=True)
    lit = [t for since, until in passes for t in _sunlit(geometry, since, until)]
    stations = [place for place in geometry.places if isinstance(place, Station)]
    heights = [sun_elevation_deg(each, geometry.unix_s(t)) for each in stations for t in contacts]
    return lit, heights


def _sunlit(geometry: Geometry, since_ns: int, until_ns: int) -> list[int]:
    """Begins and ends in turn of the sunlight in a contact, to a ms: all satellites of the link are in it."""
    orbits = [place for place in geometry.places if not isinstance(place, Station)]

    def is_lit(t_ns: int) -> bool:
        unix_s = geometry.unix_s(t_ns)
        return not any(in_shadow(each.position_km(unix_s), unix_s) for each in orbits)

    times, found = [*range(since_ns, until_ns, _LOOK_NS), until_ns], []
    lit = is_lit(since_ns)
    if lit:
        found.append(since_ns)
    for low_ns, high_ns in pairwise(times):
        if is_lit(high_ns) != lit:
            found.append(_change(is_lit, low_ns, high_ns))
            lit = not lit
    return [*found, until_ns] if lit else found


def _change(is_lit: Callable[[int], bool], low_ns: int, high_ns: int) -> int:
    was = is_lit(low_ns)
    while high_ns - low_ns > 10**6:
        middle_ns = (low_ns + high_ns) // 2
        if is_lit(middle_ns) == was:
            low_ns = middle_ns
        else:
            high_ns = middle_ns
    return high_ns


def planned_until_ns(topology: Topology) -> int:
    """How far contacts are planned ahead."""
    return min(topology.time.until_ns or DAY_NS, MOST_DAYS * DAY_NS)


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
