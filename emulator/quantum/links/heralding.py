"""What heralds pairs on a link, made from what the topology says.

Owns the step from the section `entangle:` and what lies between the link's ends to a `HeraldedSource`
(heralding/), with the light of classical channels beside it and with whatever has changed
(faults/changes.py); and which drift of its surroundings acts on its pairs. Does not own the kinds
(heralded_kinds.py), beams (beams.py), the section's keys (topology/model/entangle.py), or requests
(quantum/pairs/).

Rule: what a topology says and physics forbids is a TopologyError at its place, before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ...errors import InputError, InternalError
from ...faults.changes import NOTHING, Changes
from ...heralding.attempts import HeraldedSource
from ...heralding.midpoint import split_fibre
from ...heralding.pair_drift import (
    PairDrift,
    double_click_drift,
    midpoint_drift,
    single_click_drift,
)
from ...kernel.streams import Streams
from ...optics.fibre import FibreLink
from ...optics.free_space import FreeSpaceLink
from ...optics.raman import RamanNoise
from ...topology.model.entangle import EntangleSpec
from ...topology.model.topology import LinkSpec, Topology
from ...units import format_ns
from ..formalism import Formalism
from .beams import Beams, beams_of
from .channels import fibre_of, placed, raman_of
from .heralded_kinds import attempts_of, fibre_parts, simple, single_click_link

#: Where the station or the source stands, unless the topology says so: half way.
HALF_WAY = 0.5
#: Sources of one link under different changes that are kept at hand.
_KEPT_SOURCES = 16


def source_of(topology: Topology, link: LinkSpec) -> HeraldedSource | None:
    """What heralds pairs on the link; None if nothing does.

    Raises TopologyError for what cannot be, and for pairs that the formalism cannot carry.
    """
    changing = changing_source(topology, link, Streams(topology.seed))
    return None if changing is None else changing(NOTHING)


def changing_source(
    topology: Topology, link: LinkSpec, streams: Streams
) -> Callable[[Changes], HeraldedSource] | None:
    """What heralds pairs on the link under any changes, of which the latest are kept; None if nothing does.

    Raises TopologyError as `source_of`.
    """
    if _spec(link) is None:
        return None
    path = ("links", link.name, "quantum")
    with placed(topology, *path, "coexistence"):
        stray_light(link)
    _check_stabilisation(topology, link)
    with placed(topology, *path, "background"):
        _check_sky(link)
    with placed(topology, *path, "entangle"):
        beams = beams_of(topology, link, streams)

    @lru_cache(_KEPT_SOURCES)
    def changed(changes: Changes) -> HeraldedSource:
        source = heralding(link, changes, beams)
        if source is None:
            raise InternalError(f"nothing heralds pairs on {link.name}")
        return source

    try:
        chosen = Formalism(topology.formalism, topology.approximate)
        chosen.check_pair(changed(NOTHING).density(), f"pairs on {link.name}")
    except InputError as error:
        problem = f"{'.'.join(path)}.entangle: {error}"
        raise topology.error(problem, *path, "entangle") from error
    return changed


def heralding(
    link: LinkSpec, changes: Changes = NOTHING, beams: Beams | None = None
) -> HeraldedSource | None:
    """As `source_of`, whatever the formalism, and with what has changed about the link.

    `beams`: what lies between the ends of a link through free space. Raises InputError, also for a change
    that means nothing to this kind of link.
    """
    spec, fibre = _spec(link), fibre_of(link)
    if spec is None or fibre is None:
        return None
    if beams is not None:
        return beams.source(changes)
    if link.quantum is not None and link.quantum.medium == "free_space":
        raise InternalError(f"the beams of {link.name} are not known")
    if spec.kind == "simple":
        return simple(spec, link.delay_ns, changes)
    return attempts_of(spec, fibre_parts(fibre, _station_of(spec), stray_light(link), changes))


def stray_light(link: LinkSpec) -> RamanNoise | None:
    """The light of classical channels that station or memories see; None without, or on a simple link.

    Raises InputError if the topology does not say how much of it they would count.
    """
    spec = _spec(link)
    if spec is None or spec.kind == "simple" or link.quantum is None:
        return None
    noise = raman_of(link.quantum)
    if noise is not None and spec.kind == "midpoint_source":
        if spec.latching is None or spec.latching.window_ps is None:
            raise InputError(
                "how long a memory is open to the light of classical channels is not known: expected "
                "'window' in the 'latching' of 'entangle'"
            )
    elif noise is not None and spec.detection is not None:
        raise InputError(
            "how much of the light of classical channels the detectors count is not known, since "
            "'detection' holds their efficiency and more: expected 'emitter' and 'detector' in 'entangle'"
        )
    return noise


def _check_sky(link: LinkSpec) -> None:
    """Raises InputError if the topology does not say how much light of the sky is counted."""
    spec = _spec(link)
    if spec is None or spec.kind == "simple" or link.quantum is None:
        return
    if link.quantum.background is None:
        return
    if spec.kind == "midpoint_source":
        if spec.latching is None or spec.latching.window_ps is None:
            raise InputError(
                "how long a memory is open to the light of the sky is not known: expected 'window' in the "
                "'latching' of 'entangle'"
            )
    elif spec.detection is not None:
        raise InputError(
            "how much light of the sky the detectors count is not known, since 'detection' holds their "
            "efficiency and more: expected 'emitter' and 'detector' in 'entangle'"
        )


def drift_of(link: LinkSpec, medium: FibreLink | FreeSpaceLink) -> PairDrift | None:
    """What the surroundings of the link's `medium` do to its pairs; None if nothing.

    A simple link's pairs are what the topology says, whatever is round the fibre; a beam does not drift.
    """
    spec = _spec(link)
    if spec is None or spec.kind == "simple" or isinstance(medium, FreeSpaceLink):
        return None
    station = _station_of(spec)
    if spec.kind == "single_click":
        return single_click_drift(medium, station, spec.stabilisation_ns)
    if spec.kind == "double_click":
        return double_click_drift(medium)
    nearer_ns = min(part.delay_ns for part in split_fibre(medium.fibre, station))
    return midpoint_drift(medium, nearer_ns)


def clicks_of(
    link: LinkSpec, beams: Beams | None = None
) -> tuple[float, tuple[float, float, float, float, float] | None]:
    """Bright population and `SingleClick.clicks` of a single-click link; (0, None) of other kinds."""
    spec, fibre = _spec(link), fibre_of(link)
    if spec is None or fibre is None or spec.kind != "single_click":
        return 0.0, None
    if beams is not None:
        return beams.clicks()
    found = single_click_link(spec, fibre_parts(fibre, _station_of(spec), stray_light(link)))
    return found.alpha, found.clicks()


def multiplexing_of(link: LinkSpec) -> int:
    """How many requests the link serves side by side."""
    spec = _spec(link)
    return 1 if spec is None else spec.multiplexing


def _spec(link: LinkSpec) -> EntangleSpec | None:
    return None if link.quantum is None else link.quantum.entangle


def _station_of(spec: EntangleSpec) -> float:
    return HALF_WAY if spec.station is None else spec.station


def _check_stabilisation(topology: Topology, link: LinkSpec) -> None:
    """The phase moves from cell to cell: one set anew within a cell would never move at all."""
    spec, environment = _spec(link), link.quantum.environment if link.quantum else None
    if spec is None or environment is None or spec.stabilisation_ns is None:
        return
    if spec.stabilisation_ns < environment.grid_ns:
        raise topology.error(
            f"a phase set anew every {format_ns(spec.stabilisation_ns)}, expected at least the "
            f"environment's grid of {format_ns(environment.grid_ns)}: a finer grid shows what it does",
            *("links", link.name, "quantum", "entangle", "stabilisation"),
        )
