"""What heralds pairs on a link, made from what the topology says.

Owns the way from the section `entangle:` and the link's fibre to a `HeraldedSource` of channels/. Does
not own the physics of any kind, the section's keys (topology/entangle.py), or requests (requests.py).

Rule: what a topology says and physics forbids is a TopologyError at its place, before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..channels.double_click import DoubleClick
from ..channels.fibre import Fibre
from ..channels.heralded import Attempts, HeraldedSource, SimpleLink
from ..channels.midpoint import Arm, MidpointSource, Station, split_fibre
from ..channels.single_click import SingleClick
from ..errors import InputError
from ..topology.entangle import EmitterSpec, EntangleSpec
from ..topology.model import LinkSpec, Topology
from .formalism import Formalism
from .links import fibre_of

#: Where the station or the source stands, unless the topology says so: half way.
HALF_WAY = 0.5
_NS_PER_PS = 1e-3


def source_of(topology: Topology, link: LinkSpec) -> HeraldedSource | None:
    """What heralds pairs on the link; None if nothing does.

    Raises TopologyError for what cannot be, and for pairs that the formalism cannot carry.
    """
    path = ("links", link.name, "quantum", "entangle")
    try:
        source = heralding(link)
        if source is not None:
            chosen = Formalism(topology.formalism, topology.approximate)
            chosen.check_pair(source.density(), f"pairs on {link.name}")
    except InputError as error:
        raise topology.error(f"{'.'.join(path)}: {error}", *path) from error
    return source


def heralding(link: LinkSpec) -> HeraldedSource | None:
    """As `source_of`, whatever the formalism. Raises InputError."""
    spec, fibre = _spec(link), fibre_of(link)
    if spec is None or fibre is None:
        return None
    if spec.kind != "simple":
        return attempts_of(spec, fibre)
    assert spec.success is not None and spec.fidelity is not None and spec.attempt_ns is not None
    return SimpleLink(spec.success, spec.fidelity, spec.attempt_ns, link.delay_ns)


def attempts_of(spec: EntangleSpec, fibre: Fibre) -> Attempts:
    """Attempts of every kind but the simple one, over that fibre. Raises InputError."""
    station = HALF_WAY if spec.station is None else spec.station
    first, second = split_fibre(fibre, station)
    return _MADE[spec.kind](spec, first, second)


def multiplexing_of(link: LinkSpec) -> int:
    """How many requests the link serves side by side."""
    spec = _spec(link)
    return 1 if spec is None else spec.multiplexing


def _spec(link: LinkSpec) -> EntangleSpec | None:
    return None if link.quantum is None else link.quantum.entangle


# --- the kinds ------------------------------------------------------------------------------------


def _single_click(spec: EntangleSpec, first: Fibre, second: Fibre) -> Attempts:
    assert spec.alpha is not None
    link = SingleClick.between(
        *_arms(spec, first, second),
        _station(spec),
        spec.alpha,
        **_given(
            preparation_ns=spec.preparation_ns,
            visibility=spec.visibility,
            phase_noise_rad=spec.phase_noise_rad,
            double_excitation=spec.double_excitation,
            incoherent_darks=spec.incoherent_darks,
        ),
    )
    return link.attempts()


def _double_click(spec: EntangleSpec, first: Fibre, second: Fibre) -> Attempts:
    link = DoubleClick.between(
        *_arms(spec, first, second),
        _station(spec),
        **_given(
            preparation_ns=spec.preparation_ns,
            visibility=spec.visibility,
            depolarising=spec.depolarising,
        ),
    )
    return link.attempts()


def _midpoint_source(spec: EntangleSpec, first: Fibre, second: Fibre) -> Attempts:
    assert spec.clock_ns is not None and spec.pair_probability is not None
    latching = spec.latching
    link = MidpointSource.between(
        first,
        second,
        spec.clock_ns,
        spec.pair_probability,
        **_given(
            first_latching=latching and latching.first,
            second_latching=latching and latching.second,
            pair_fidelity=spec.pair_fidelity,
            dark_probability=spec.dark_probability,
        ),
    )
    return link.attempts()


_MADE: dict[str, Callable[[EntangleSpec, Fibre, Fibre], Attempts]] = {
    "single_click": _single_click,
    "double_click": _double_click,
    "midpoint_source": _midpoint_source,
}


def _given(**values: Any) -> dict[str, Any]:
    """Those that the topology gives: all else is the kind's to say."""
    return {name: value for name, value in values.items() if value is not None}


def _arms(spec: EntangleSpec, first: Fibre, second: Fibre) -> tuple[Arm, Arm]:
    """What the ends send along their fibres. `detection` stands for all the factors, the fibre's too."""
    if spec.detection is not None:
        return (
            Arm(_lossless(first), spec.detection.first),
            Arm(_lossless(second), spec.detection.second),
        )
    default = spec.emitter or EmitterSpec()
    return _arm(spec.first or default, first), _arm(spec.second or default, second)


def _arm(emitter: EmitterSpec, fibre: Fibre) -> Arm:
    return Arm(
        fibre,
        emitter.emission,
        emitter.zero_phonon,
        emitter.collection,
        emitter.conversion,
        None if emitter.lifetime_ps is None else emitter.lifetime_ps * _NS_PER_PS,
    )


def _lossless(fibre: Fibre) -> Fibre:
    return replace(fibre, attenuation_db_per_km=0.0, insertion_loss_db=0.0)


def _station(spec: EntangleSpec) -> Station:
    detector = spec.detector
    if detector is None:  # with `detection` alone: no darks, so the window does not matter
        return Station(1.0)
    efficiency = 1.0 if detector.efficiency is None else detector.efficiency
    return Station(detector.window_ps * _NS_PER_PS, efficiency, detector.dark_count_rate_hz)
