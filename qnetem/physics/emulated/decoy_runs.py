"""BB84 with decoys as whole networks: a published system's devices, its fibre, the library's programs.

Owns the topology of such a run and how its counts become samples; each is played once, however many
vectors look at it. Does not own the devices (topology/reading/presets.py), nor what must come out.

`foreseen` asks the same link and the same receiver without drawing anything: where a system clicks once in
a hundred million pulses, that is what a tolerance of 1e-3 can be held to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...emulator.errors import InternalError
from ...emulator.kernel.streams import Streams
from ...emulator.loading import Topology
from ...emulator.optics.pulses import EFFECTS, STATES
from ...emulator.quantum.links.channels import light_channel_of
from ...emulator.quantum.pulses.reception import receiver
from ...emulator.quantum.pulses.sending import source_table
from ..vectors import SEED, Sample, frequency
from .runs import play, topology_of

_DECOY = "qnetem.agents.protocols.qkd.decoy"


@dataclass(frozen=True)
class DecoyRun:
    """One distance of a system: a hardware preset, the loss of the fibre in all, and its error.

    `error` is the part of the light that errs; `sent` the pulses of a run. `intensities` and
    `probabilities` replace the preset's.
    """

    hardware: str
    length_km: float
    loss_db: float
    error: float
    sent: int
    intensities: tuple[float, ...] | None = None
    probabilities: tuple[float, ...] | None = None

    def nodes(self) -> dict[str, Any]:
        """As under `nodes:`."""
        replaced = {"intensities": self.intensities, "probabilities": self.probabilities}
        source = {key: list(value) for key, value in replaced.items() if value is not None}
        sender, receiving = ({"hardware": self.hardware, "program": f"{_DECOY}:{role}"}
                             for role in ("Sender", "Receiver"))  # fmt: skip
        given: dict[str, Any] = {"peer": "bob", "pulses": self.sent, "sample": 1.0}
        return {
            "alice": {**sender, "with": given, "source": source},
            "bob": {**receiving, "with": {"peer": "alice"}},
        }

    def links(self) -> list[dict[str, Any]]:
        """As under `links:`. Depolarising by p errs with p/2."""
        fibre = {
            "length": f"{self.length_km} km",
            "attenuation": "0 dB/km",
            "insertion_loss": f"{self.loss_db} dB",
            "depolarising": 2 * self.error,
        }
        return [{"between": ["alice", "bob"], "quantum": fibre}]


# --- drawn ----------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _played(run: DecoyRun) -> Mapping[str, Any]:
    """What the receiver counted; see `Exchange.summary()`."""
    counted: Mapping[str, Any] = play(run.nodes(), run.links()).results["bob"]
    return counted


def gain(run: DecoyRun, setting: str = "signal") -> Sample:
    """Clicks per pulse of that intensity."""
    counted = _played(run)[setting]
    return frequency(counted["clicks"], counted["sent"])


def qber(run: DecoyRun, setting: str = "signal") -> Sample:
    """Errors per compared bit of that intensity."""
    counted = _played(run)[setting]
    return frequency(counted["errors"], counted["compared"])


def mean_gain(run: DecoyRun) -> Sample:
    """Clicks per pulse, all intensities together."""
    counted = _played(run)
    return frequency(counted["clicks"], counted["pulses"])


def mean_qber(run: DecoyRun) -> Sample:
    """Errors per compared bit, all intensities together."""
    counted = _played(run)
    settings = [each for each in counted.values() if isinstance(each, dict)]
    errors, compared = (sum(each[key] for each in settings) for key in ("errors", "compared"))
    return frequency(errors, compared)


def sifted(run: DecoyRun) -> Sample:
    """Sifted signal bits per pulse: all of them are compared."""
    counted = _played(run)
    return frequency(counted["signal"]["compared"], counted["pulses"])


def sifted_hz(run: DecoyRun) -> float:
    """Sifted signal bits a second, at the source's rate."""
    source = _topology(run).nodes["alice"].source
    if source is None:
        raise InternalError(f"{run.hardware} has no source")
    return sifted(run).value * source.rate_hz


# --- foreseen -------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _topology(run: DecoyRun) -> Topology:
    return topology_of(run.nodes(), run.links())


@lru_cache(maxsize=64)
def foreseen(run: DecoyRun) -> tuple[float, float]:
    """(gain, QBER) of the signal, by the link's transmittance and map and the receiver's background.

    Two detectors meet Poisson light and background; two clicks at once are a random bit. Without
    afterpulses and dead times, which depend on what came before.
    """
    topology = _topology(run)
    source, detectors = topology.nodes["alice"].source, topology.nodes["bob"].detector
    way = light_channel_of(topology, topology.links["alice-bob"], Streams(SEED))
    if source is None or detectors is None or way is None:
        raise InternalError(f"{run.hardware} lacks a source, detectors or a fibre")
    crossing, seen = way.at(0, "alice"), receiver(detectors, source.period_ps, 0.0)
    eta = crossing.survival * seen.transmittance * seen.all_detectors[0].efficiency
    light = -math.log(source_table(topology.nodes["alice"], None)[0].surviving(eta)[0])
    turned = STATES[0] if crossing.noise is None else crossing.noise @ STATES[0]
    right_share = float(EFFECTS[0] @ turned)
    right_dark, wrong_dark = seen.background(source.period_ps).tolist()
    right = light * right_share + right_dark
    wrong = light * (1 - right_share) + wrong_dark
    clicked = -math.expm1(-right - wrong)
    both = math.expm1(-right) * math.expm1(-wrong)
    return clicked, (-math.expm1(-wrong) - both / 2) / clicked
