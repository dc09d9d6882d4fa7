"""What heralds pairs on a link, made from what the topology says.

Owns the step from the section `entangle:` and the link's fibre to a `HeraldedSource` (heralding/), with
the light of classical channels beside it and with whatever has changed (faults/changes.py); and which drift
of its surroundings acts on its pairs. Does not own the physics of any kind, the section's keys
(topology/model/entangle.py), or requests (quantum/pairs/).

Rule: what a topology says and physics forbids is a TopologyError at its place, before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ...closed_forms.links import dark_probability
from ...errors import InputError, InternalError
from ...faults.changes import NOTHING, Changes
from ...heralding.attempts import Attempts, HeraldedSource, SimpleLink
from ...heralding.double_click import DoubleClick
from ...heralding.midpoint import Arm, MidpointSource, Station, split_fibre
from ...heralding.pair_drift import (
    SECOND,
    PairDrift,
    double_click_drift,
    midpoint_drift,
    on_half,
    single_click_drift,
)
from ...heralding.single_click import SingleClick
from ...optics.fibre import Fibre, FibreLink
from ...optics.free_space import FreeSpaceLink
from ...optics.polarisation import misalignment_map
from ...optics.raman import RamanNoise, click_probability, photons_per_gate
from ...topology.model.entangle import EmitterSpec, EntangleSpec, LatchingSpec
from ...topology.model.topology import LinkSpec, Topology
from ...units import format_ns
from ..formalism import Formalism
from .channels import fibre_of, placed, raman_of

#: Where the station or the source stands, unless the topology says so: half way.
HALF_WAY = 0.5
#: Sources of one link under different changes that are kept at hand.
_KEPT_SOURCES = 16
_NS_PER_PS = 1e-3


def source_of(topology: Topology, link: LinkSpec) -> HeraldedSource | None:
    """What heralds pairs on the link; None if nothing does.

    Raises TopologyError for what cannot be, and for pairs that the formalism cannot carry.
    """
    path = ("links", link.name, "quantum")
    with placed(topology, *path, "coexistence"):
        stray_light(link)
    _check_stabilisation(topology, link)
    try:
        source = heralding(link)
        if source is not None:
            chosen = Formalism(topology.formalism, topology.approximate)
            chosen.check_pair(source.density(), f"pairs on {link.name}")
    except InputError as error:
        problem = f"{'.'.join(path)}.entangle: {error}"
        raise topology.error(problem, *path, "entangle") from error
    return source


def heralding(link: LinkSpec, changes: Changes = NOTHING) -> HeraldedSource | None:
    """As `source_of`, whatever the formalism, and with what has changed about the link.

    Raises InputError, also for a change that means nothing to this kind of link.
    """
    spec, fibre = _spec(link), fibre_of(link)
    if spec is None or fibre is None:
        return None
    if spec.kind == "simple":
        return _simple(spec, link.delay_ns, changes)
    station = _station_of(spec)
    first, second = split_fibre(fibre, station)
    attempts = _MADE[spec.kind](spec, _Parts(first, second, station, stray_light(link), changes))
    return attempts.scaled(changes.heralds)


def changing_source(link: LinkSpec) -> Callable[[Changes], HeraldedSource]:
    """What heralds pairs on the link, which does, under any changes; the latest ones are kept at hand."""

    @lru_cache(_KEPT_SOURCES)
    def changed(changes: Changes) -> HeraldedSource:
        source = heralding(link, changes)
        if source is None:
            raise InternalError(f"nothing heralds pairs on {link.name}")
        return source

    return changed


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


def drift_of(link: LinkSpec, fibre: FibreLink | FreeSpaceLink) -> PairDrift | None:
    """What the surroundings of the link's `fibre` do to its pairs; None if nothing.

    A simple link's pairs are what the topology says, whatever is round the fibre.
    """
    spec = _spec(link)
    if spec is None or spec.kind == "simple" or isinstance(fibre, FreeSpaceLink):
        return None
    station = _station_of(spec)
    if spec.kind == "single_click":
        return single_click_drift(fibre, station, spec.stabilisation_ns)
    if spec.kind == "double_click":
        return double_click_drift(fibre)
    nearer_ns = min(part.delay_ns for part in split_fibre(fibre.fibre, station))
    return midpoint_drift(fibre, nearer_ns)


def clicks_of(link: LinkSpec) -> tuple[float, tuple[float, float, float, float, float] | None]:
    """Bright population and `SingleClick.clicks` of a single-click link; (0, None) of other kinds."""
    spec, fibre = _spec(link), fibre_of(link)
    if spec is None or fibre is None or spec.kind != "single_click":
        return 0.0, None
    station = _station_of(spec)
    parts = _Parts(*split_fibre(fibre, station), station, stray_light(link), NOTHING)
    found = _single_click_link(spec, parts)
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


# --- the kinds ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Parts:
    """The fibre on either side of the station or source, what shines into it, and what has changed."""

    first: Fibre
    second: Fibre
    station: float
    stray: RamanNoise | None
    changes: Changes

    @property
    def lossier(self) -> tuple[Fibre, Fibre]:
        """The fibres with the loss that came on top, shared like what was lost before."""
        loss_db = self.changes.loss_db
        return (
            _with_loss(self.first, loss_db * self.station),
            _with_loss(self.second, loss_db * (1 - self.station)),
        )

    def station_noise_hz(self) -> float:
        """Stray photons per second that reach a station between the fibres."""
        if self.stray is None:
            return 0.0
        return self.stray.station_rate_hz(*self._lengths_km(), self.first.attenuation_db_per_km)

    def end_noise_hz(self) -> tuple[float, float]:
        """Stray photons per second that reach the memories at the ends."""
        if self.stray is None:
            return 0.0, 0.0
        return self.stray.end_rates_hz(*self._lengths_km(), self.first.attenuation_db_per_km)

    def _lengths_km(self) -> tuple[float, float]:
        return self.first.length_km, self.second.length_km


def _with_loss(fibre: Fibre, loss_db: float) -> Fibre:
    return replace(fibre, insertion_loss_db=fibre.insertion_loss_db + loss_db)


def _simple(spec: EntangleSpec, delay_ns: int, changes: Changes) -> HeraldedSource:
    """The loss is one photon's: of whatever a success takes, a link with more loss has that less."""
    assert spec.success is not None and spec.fidelity is not None and spec.attempt_ns is not None
    if changes.dark_count_rate_hz or changes.visibility != 1:
        raise InputError("a simple link has neither detectors nor interference that could change")
    first, second = changes.light
    success = spec.success * 10 ** (-changes.loss_db / 10) * first * second * changes.heralds
    link = SimpleLink(success, spec.fidelity, spec.attempt_ns, delay_ns)
    if not changes.misalignment_rad:
        return link
    return Attempts(success, link.timing, _misaligned(link.density(), changes))


def _single_click(spec: EntangleSpec, parts: _Parts) -> Attempts:
    return _single_click_link(spec, parts).attempts()


def _single_click_link(spec: EntangleSpec, parts: _Parts) -> SingleClick:
    """The single-click link that the section describes."""
    assert spec.alpha is not None
    visibility = 1.0 if spec.visibility is None else spec.visibility
    return SingleClick.between(
        *_arms(spec, parts),
        _station(spec, parts),
        spec.alpha,
        visibility=visibility * parts.changes.interference,
        **_given(
            preparation_ns=spec.preparation_ns,
            phase_noise_rad=spec.phase_noise_rad,
            double_excitation=spec.double_excitation,
            incoherent_darks=spec.incoherent_darks,
        ),
    )


def _double_click(spec: EntangleSpec, parts: _Parts) -> Attempts:
    visibility = 1.0 if spec.visibility is None else spec.visibility
    link = DoubleClick.between(
        *_arms(spec, parts),
        _station(spec, parts),
        visibility=visibility * parts.changes.interference,
        **_given(preparation_ns=spec.preparation_ns, depolarising=spec.depolarising),
    )
    return link.attempts()


def _midpoint_source(spec: EntangleSpec, parts: _Parts) -> Attempts:
    assert spec.clock_ns is not None and spec.pair_probability is not None
    changes, latching = parts.changes, spec.latching or LatchingSpec()
    if changes.visibility != 1:
        raise InputError("a midpoint source has no interference whose visibility could change")
    near, far = changes.light
    noise, other_noise = _false_latches(latching, parts)
    link = MidpointSource.between(
        *parts.lossier,
        spec.clock_ns,
        spec.pair_probability,
        latching.first * near,
        latching.second * far,
        first_noise=noise,
        second_noise=other_noise,
        **_given(pair_fidelity=spec.pair_fidelity, dark_probability=spec.dark_probability),
    )
    attempts = link.attempts()
    if not changes.misalignment_rad:
        return attempts
    return replace(attempts, pair=_misaligned(attempts.density(), changes))


_MADE: dict[str, Callable[[EntangleSpec, _Parts], Attempts]] = {
    "single_click": _single_click,
    "double_click": _double_click,
    "midpoint_source": _midpoint_source,
}


def _false_latches(latching: LatchingSpec, parts: _Parts) -> tuple[float, float]:
    """Probabilities that an open memory latches stray light, or nothing more often than it did."""
    if latching.window_ps is None:
        if parts.changes.dark_count_rate_hz:
            raise InputError(
                "how long a memory is open to more dark counts is not known: expected 'window' in the "
                "'latching' of 'entangle'"
            )
        return 0.0, 0.0
    window_ns = latching.window_ps * _NS_PER_PS
    dark = dark_probability(parts.changes.dark_count_rate_hz, window_ns)
    rates_hz, efficiencies = parts.end_noise_hz(), (latching.first, latching.second)
    first, second = (
        click_probability(photons_per_gate(rate_hz, window_ns, efficiency=efficiency))
        for rate_hz, efficiency in zip(rates_hz, efficiencies, strict=True)
    )
    return first + (1 - first) * dark, second + (1 - second) * dark


def _misaligned(pair: Any, changes: Changes) -> Any:
    """The pair whose halves' frames stand at an angle."""
    return on_half(misalignment_map(changes.misalignment_rad), SECOND, pair)


def _given(**values: Any) -> dict[str, Any]:
    """Those that the topology gives: all else is the kind's to say."""
    return {name: value for name, value in values.items() if value is not None}


def _arms(spec: EntangleSpec, parts: _Parts) -> tuple[Arm, Arm]:
    """What the ends send along their fibres. `detection` stands for all the factors, the fibre's too."""
    (first, second), (near, far) = parts.lossier, parts.changes.light
    if spec.detection is not None:
        bare = replace(parts, first=_lossless(parts.first), second=_lossless(parts.second))
        first, second = bare.lossier
        return (
            Arm(first, spec.detection.first * near),
            Arm(second, spec.detection.second * far),
        )
    default = spec.emitter or EmitterSpec()
    return _arm(spec.first or default, first, near), _arm(spec.second or default, second, far)


def _arm(emitter: EmitterSpec, fibre: Fibre, light: float) -> Arm:
    return Arm(
        fibre,
        emitter.emission * light,
        emitter.zero_phonon,
        emitter.collection,
        emitter.conversion,
        None if emitter.lifetime_ps is None else emitter.lifetime_ps * _NS_PER_PS,
    )


def _lossless(fibre: Fibre) -> Fibre:
    return replace(fibre, attenuation_db_per_km=0.0, insertion_loss_db=0.0)


def _station(spec: EntangleSpec, parts: _Parts) -> Station:
    detector, more_hz = spec.detector, parts.changes.dark_count_rate_hz
    if detector is None:  # with `detection` alone: no darks, so the window does not matter
        if more_hz:
            raise InputError("more dark counts of no detector: expected 'detector' in 'entangle'")
        return Station(1.0)
    efficiency = 1.0 if detector.efficiency is None else detector.efficiency
    return Station(
        detector.window_ps * _NS_PER_PS,
        efficiency,
        detector.dark_count_rate_hz + more_hz,
        parts.station_noise_hz(),
    )
