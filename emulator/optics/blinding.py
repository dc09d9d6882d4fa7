"""Bright light on detectors: they see no single photons any more, and answer to power alone.

Owns when a blinded detector answers. Does not own bright light (pulses.py), nor which eavesdropper sends it
(interception.py).

Model. Under continuous light an avalanche detector is in its linear mode: no dark counts, no afterpulses, no
dead time, and no photon sets it off. A bright pulse does, where the power that meets the detector is above a
threshold. The eavesdropper knows the loss of the line, and sends so much that all of a pulse's power is above
it, and half of it below (Lydersen et al., Nat. Photon. 4, 686 (2010)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..wire.hashed_settings import HashedColumn
from .pulses import Bytes, Floats, Light, Slots

#: The threshold, in the largest power that a faked state brings to one detector.
THRESHOLD = 0.75
#: The setting of bright light that holds a faked state; in other slots detectors are blinded and no more.
LIT = 1


def is_blinding(light: object) -> bool:
    """Whether it is bright light that arrives."""
    return isinstance(light, Light) and light.bright and bool(light.channel.etas.any())


def answers(
    light: Light,
    effects: Floats,
    chosen: Bytes | HashedColumn | None,
    splitting: tuple[float, ...] | None,
) -> tuple[Slots, Bytes]:
    """(slots of the chunk, from 0, and detectors that answer), ascending.

    `chosen` are the bases of an active choice; behind a beam splitter each basis gets its share of the power.
    """
    slots = np.flatnonzero(light.intensities == LIT)
    steps = np.broadcast_to(light.channel.steps_of(slots + light.first_slot), slots.shape)
    arrived = light.channel.etas[steps] > 0
    slots, steps = slots[arrived], steps[arrived]
    on_zero = np.einsum("bp,kpq,sq->ksb", effects, light.channel.maps, light.states)
    shares = on_zero[steps, light.rows(slots)]
    if chosen is None:
        weights = np.array(splitting)
        shares = shares[:, : len(weights)]
        power = np.stack([shares * weights, (1 - shares) * weights], axis=2).reshape(len(slots), -1)
        return _above(slots, power, THRESHOLD * float(weights.max()))
    zero = np.take_along_axis(shares, chosen[slots][:, None].astype(np.int64), axis=1)
    return _above(slots, np.hstack([zero, 1 - zero]), THRESHOLD)


def _above(slots: Slots, power: NDArray[np.float64], threshold: float) -> tuple[Slots, Bytes]:
    at, which = np.nonzero(power >= threshold)
    return slots[at], which.astype(np.uint8)
