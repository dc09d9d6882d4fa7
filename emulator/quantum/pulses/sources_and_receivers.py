"""What nodes send and detect pulse trains with, made from what the topology says.

Owns the step from a node's `source:` and `detector:` to the source table and the receiver. Does not own
what they do (devices/, optics/detection.py). Rule: what the topology cannot know before a train comes
(how long its slots are) is refused here, as an OperationError.
"""

from __future__ import annotations

from ...devices.detectors import Detector
from ...devices.sources import AtomicEmitter, Pairs, SinglePhoton, Source, WeakCoherent, decoy_table
from ...errors import InputError, OperationError
from ...optics.detection import Receiver
from ...optics.dispersion import overlap_ps
from ...topology.model.pulse_sections import MOST_COUNTS, DetectorSpec, SourceSpec
from ...topology.model.topology import NodeSpec
from ...wire import MOST_SETTINGS

#: What an eavesdropper measures with unless its node says otherwise: nothing stops her.
IDEAL = DetectorSpec()


def source_table(spec: NodeSpec, means: list[float] | None) -> tuple[Source, ...]:
    """The settings that a train of the node points into: its own, or lasers of these `means`.

    Raises OperationError for a node without a source or with one of pairs, and for means that it cannot
    send.
    """
    source = _source(spec)
    if source.kind == "spdc":
        raise OperationError(
            why=f"the source of {spec.name} is spdc: it sends pairs, by pair_pulses"
        )
    if means is None:
        return _table(source)
    if source.kind != "weak_coherent":
        raise OperationError(
            why=f"the source of {spec.name} is {source.kind}: only weak_coherent pulses have a mean "
            "photon number to choose"
        )
    if not 1 <= len(means) <= MOST_SETTINGS:
        raise OperationError(why=f"{len(means)} mean photon numbers, expected 1 to {MOST_SETTINGS}")
    try:
        return tuple(WeakCoherent(mean) for mean in means)
    except InputError as error:
        raise OperationError(why=str(error)) from error


def pair_source(spec: NodeSpec) -> tuple[Pairs, float]:
    """(pairs per slot, fidelity of a pair alone). Raises OperationError for a node that sends none."""
    source = _source(spec)
    if source.kind != "spdc":
        raise OperationError(
            why=f"the source of {spec.name} is {source.kind}: pairs come from one of kind spdc"
        )
    return _pairs(source), 1.0 if source.fidelity is None else source.fidelity


def mean_photon_numbers(source: SourceSpec) -> list[float]:
    """What a node knows of its settings: means of a laser, P(1) of a single emitter, pairs a slot."""
    if source.kind == "weak_coherent":
        return source.table
    if source.kind == "spdc":
        return [_pairs(source).mean_pairs]
    return [float(each.photons()[1]) for each in _table(source)]


def _source(spec: NodeSpec) -> SourceSpec:
    if spec.source is None:
        raise OperationError(why=f"{spec.name} has no source: give it a `source:` in the topology")
    return spec.source


def _table(source: SourceSpec) -> tuple[Source, ...]:
    if source.kind == "single_photon":
        brightness = 1.0 if source.brightness is None else source.brightness
        return (SinglePhoton(brightness, source.g2 or 0.0),)
    if source.kind == "emitter":
        return (_emitter(source),)
    return decoy_table(*source.table)


def _emitter(source: SourceSpec) -> AtomicEmitter:
    """Of a photon that is longer than its window, which is the slot by default, the rest is lost."""
    window_ps = source.period_ps if source.window_ps is None else source.window_ps
    return AtomicEmitter(
        collection=source.collection or 0.0,
        lifetime_ns=None if source.lifetime_ps is None else source.lifetime_ps / 1e3,
        window_ns=window_ps / 1e3,
        double_excitation=source.double_excitation or 0.0,
    )


def _pairs(source: SourceSpec) -> Pairs:
    return Pairs(source.mean_pairs or 0.0, source.statistics or "polarisation")


def receiver(
    spec: DetectorSpec, period_ps: int, noise_rate_hz: float, link_gate_ps: float | None = None
) -> Receiver:
    """The node's receiver for slots of `period_ps`.

    `noise_rate_hz` counts photons that come out of the fibre besides the signal (Raman light): those that
    pass the link's gate, if there is one, and meet an open gate of the detectors. Raises OperationError for
    a detector's gate that is longer than a slot, and for more noise than MOST_COUNTS.
    """
    detector = Detector(
        efficiency=spec.efficiency,
        dark_count_rate_hz=spec.dark_count_rate_hz,
        dead_time_ps=round(spec.dead_time_ps),
        paralysable=spec.paralysable,
        afterpulse_probability=spec.afterpulse_probability,
        afterpulse_decay_ps=spec.afterpulse_decay_ps,
        jitter_fwhm_ps=spec.jitter_fwhm_ps,
        gate_ps=None if spec.gate_ps is None else max(1, round(spec.gate_ps)),
    )
    try:
        open_ps: float = detector.open_ps(period_ps)
    except InputError as error:
        raise OperationError(why=str(error)) from error
    if link_gate_ps is not None and link_gate_ps < period_ps:
        open_ps = overlap_ps(link_gate_ps, open_ps, detector.jitter_sigma_ps(), period_ps)
    noise_photons = noise_rate_hz * open_ps * 1e-12
    splitting = None if spec.splitting is None else tuple(spec.splitting)
    found = Receiver(detector, spec.transmittance, noise_photons, splitting)
    counts = float(found.background(period_ps).max())
    if counts > MOST_COUNTS:
        raise OperationError(
            why=f"{counts:.3g} noise counts in each slot of a detector: expected at most {MOST_COUNTS}"
        )
    return found
