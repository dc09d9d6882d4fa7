"""The kinds of heralded links, from the section `entangle:` and what lies between the ends.

Owns the step from the section's keys to the physics of a kind (heralding/), with whatever has changed
(faults/changes.py). Does not own what lies between the ends (heralding.py for fibres, beams.py for free
space).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ...closed_forms.links import dark_probability
from ...errors import InputError
from ...faults.changes import NOTHING, Changes
from ...heralding.attempts import Attempts, SimpleLink
from ...heralding.double_click import DoubleClick
from ...heralding.midpoint import Arm, MidpointSource, Station, split_fibre
from ...heralding.pair_drift import SECOND, on_half
from ...heralding.single_click import SingleClick
from ...optics.fibre import Fibre
from ...optics.polarisation import misalignment_map
from ...optics.raman import RamanNoise, click_probability, photons_per_gate
from ...topology.model.entangle import EmitterSpec, EntangleSpec, LatchingSpec

_NS_PER_PS = 1e-3


@dataclass(frozen=True, slots=True)
class Parts:
    """What lies on either side of the station or source, what shines into it, and what has changed.

    `more_loss_db`: what each side loses that the section does not hold, whatever it says: clouds, and all of
    a beam whose ends move. `station_noise_hz`: stray photons per second that reach a station, `end_noise_hz`:
    that reach the memories at the ends.
    """

    first: Fibre
    second: Fibre
    station: float
    changes: Changes = NOTHING
    more_loss_db: tuple[float, float] = (0.0, 0.0)
    station_noise_hz: float = 0.0
    end_noise_hz: tuple[float, float] = (0.0, 0.0)

    @property
    def lossier(self) -> tuple[Fibre, Fibre]:
        """The fibres with the loss that came on top; that of faults is shared like what was lost before."""
        loss_db, (more_db, other_db) = self.changes.loss_db, self.more_loss_db
        return (
            _with_loss(self.first, loss_db * self.station + more_db),
            _with_loss(self.second, loss_db * (1 - self.station) + other_db),
        )


def fibre_parts(
    fibre: Fibre, station: float, stray: RamanNoise | None, changes: Changes = NOTHING
) -> Parts:
    """Of a fibre cut in two at the station. Raises InputError."""
    first, second = split_fibre(fibre, station)
    if stray is None:
        return Parts(first, second, station, changes)
    lengths_km = first.length_km, second.length_km
    return Parts(
        first,
        second,
        station,
        changes,
        station_noise_hz=stray.station_rate_hz(*lengths_km, fibre.attenuation_db_per_km),
        end_noise_hz=stray.end_rates_hz(*lengths_km, fibre.attenuation_db_per_km),
    )


def attempts_of(spec: EntangleSpec, parts: Parts) -> Attempts:
    """What attempts come to, of any kind but the simple one. Raises InputError."""
    return _MADE[spec.kind](spec, parts).scaled(parts.changes.heralds)


def _with_loss(fibre: Fibre, loss_db: float) -> Fibre:
    return replace(fibre, insertion_loss_db=fibre.insertion_loss_db + loss_db)


def simple(
    spec: EntangleSpec, delay_ns: int, changes: Changes, more_loss_db: float = 0.0
) -> Attempts | SimpleLink:
    """The loss is one photon's: of whatever a success takes, a link with more loss has that less."""
    assert spec.success is not None and spec.fidelity is not None and spec.attempt_ns is not None
    if changes.dark_count_rate_hz or changes.visibility != 1:
        raise InputError("a simple link has neither detectors nor interference that could change")
    first, second = changes.light
    loss_db = changes.loss_db + more_loss_db
    success = spec.success * 10 ** (-loss_db / 10) * first * second * changes.heralds
    link = SimpleLink(success, spec.fidelity, spec.attempt_ns, delay_ns)
    if not changes.misalignment_rad:
        return link
    return Attempts(success, link.timing, _misaligned(link.density(), changes))


def _single_click(spec: EntangleSpec, parts: Parts) -> Attempts:
    return single_click_link(spec, parts).attempts()


def single_click_link(spec: EntangleSpec, parts: Parts) -> SingleClick:
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


def _double_click(spec: EntangleSpec, parts: Parts) -> Attempts:
    visibility = 1.0 if spec.visibility is None else spec.visibility
    link = DoubleClick.between(
        *_arms(spec, parts),
        _station(spec, parts),
        visibility=visibility * parts.changes.interference,
        **_given(preparation_ns=spec.preparation_ns, depolarising=spec.depolarising),
    )
    return link.attempts()


def _midpoint_source(spec: EntangleSpec, parts: Parts) -> Attempts:
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


_MADE: dict[str, Callable[[EntangleSpec, Parts], Attempts]] = {
    "single_click": _single_click,
    "double_click": _double_click,
    "midpoint_source": _midpoint_source,
}


def _false_latches(latching: LatchingSpec, parts: Parts) -> tuple[float, float]:
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
    rates_hz, efficiencies = parts.end_noise_hz, (latching.first, latching.second)
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


def _arms(spec: EntangleSpec, parts: Parts) -> tuple[Arm, Arm]:
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


def _station(spec: EntangleSpec, parts: Parts) -> Station:
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
        parts.station_noise_hz,
    )
