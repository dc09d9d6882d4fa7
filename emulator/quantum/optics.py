"""What nodes send and see pulse trains with, made from what the topology says.

Owns the way from a node's `source:` and `detector:` to the source table and the receiver. Does not own
what they do (devices/, channels/detection.py). Rule: what the topology cannot know before a train comes
(how long its slots are) is refused here, as an OperationError.
"""

from __future__ import annotations

from ..channels.detection import Receiver
from ..devices.detectors import Detector
from ..devices.sources import SinglePhoton, Source, WeakCoherent, decoy_table
from ..errors import InputError, OperationError
from ..topology.model import NodeSpec
from ..topology.pulse_sections import MOST_SETTINGS, DetectorSpec, SourceSpec

#: What an eavesdropper measures with unless its node says otherwise: nothing stops her.
IDEAL = DetectorSpec()


def source_table(spec: NodeSpec, means: list[float] | None) -> tuple[Source, ...]:
    """The settings that a train of the node points into: its own, or lasers of these `means`.

    Raises OperationError for a node without a source, and for means that it cannot send.
    """
    source = spec.source
    if source is None:
        raise OperationError(why=f"{spec.name} has no source: give it a `source:` in the topology")
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


def _table(source: SourceSpec) -> tuple[Source, ...]:
    if source.kind == "single_photon":
        return (SinglePhoton(source.brightness, source.g2),)
    return decoy_table(*source.intensities)


def receiver(spec: DetectorSpec, period_ps: int, noise_rate_hz: float) -> Receiver:
    """The node's receiver for slots of `period_ps`.

    `noise_rate_hz` counts photons that reach its input besides the signal (Raman light): those in an
    open gate meet the detectors. Raises OperationError for a gate that is longer than a slot.
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
        noise_photons = noise_rate_hz * detector.open_ps(period_ps) * 1e-12
    except InputError as error:
        raise OperationError(why=str(error)) from error
    splitting = None if spec.splitting is None else tuple(spec.splitting)
    return Receiver(detector, spec.transmittance, noise_photons, splitting)
