"""A pulse train through the whole stack in one process, beside the kernel alone and bare numpy: pulses/s.

Whole stack: the sender draws its bases, bits and intensities, packs and sends them; the emulator unpacks,
applies the fibre, detects; the receiver draws and packs its bases and unpacks the clicks. Kernel: sending
and detection on arrays that are there. Bare numpy draw: one Poisson number of photons for each slot of the
signal's mean. Pairs: entangled pairs, an arm over the same fibre to each of two nodes that detect and sift;
slots/s, each of which two receivers see. Time counts from the first grant to the last report.

Growth: the same stack with lazy settings at both ends, from 10^6 to 10^11 slots, the loss such that as many
clicks are to be expected each time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import networks
import numpy as np
from suite.measure import Plan, grown, measured
from suite.results import Aim, Result

from qnetem.emulator.devices.detectors import Detector
from qnetem.emulator.devices.sources import decoy_table
from qnetem.emulator.optics.detection import PulseReceiver, Receiver
from qnetem.emulator.optics.pulses import PulseTrain, pulse_channel

SLOTS = 10_000_000
LENGTH_KM, EFFICIENCY, DARK_HZ = 50.0, 0.8, 20.0
MEANS, SHARES = (0.5, 0.1, 0.0), (0.8, 0.1, 0.1)
PERIOD_PS = 1000
STACK = "whole stack, in process"
LAZY = "whole stack, in process, lazy settings"
PAIRS = "pairs to two nodes, whole stack"
MEAN_PAIRS = 0.05
AIMS = [Aim(case=STACK, at_least=5e6), Aim(case=LAZY, at_least=20e6)]
GROWTH = [10**power for power in range(6, 12)]
GROWTH_CLICKS = 10_000


def _decoy(slots: int, loss_db: float, lazy: bool) -> float:
    """Seconds that a train takes through the whole stack."""
    nodes = {
        name: {
            "program": f"qnetem.agents.protocols.qkd.decoy:{role}",
            "with": {**options, "lazy": lazy},
            "hardware": "snspd",
            "source": {"rate": "1 GHz", "intensities": MEANS, "probabilities": SHARES},
        }
        for name, role, options in (
            ("alice", "Sender", {"peer": "bob", "pulses": slots}),
            ("bob", "Receiver", {"peer": "alice"}),
        )
    }
    quantum = {"length": f"{LENGTH_KM} km", "attenuation": f"{loss_db / LENGTH_KM} dB/km"}
    link = {"between": ["alice", "bob"], "quantum": quantum}
    topology = networks.write("train", {"nodes": nodes, "links": [link]})
    return float(networks.run(topology, "--in-process")["wall_time_s"])


def _whole() -> float:
    return SLOTS / _decoy(SLOTS, 0.2 * LENGTH_KM, lazy=False)


def _lazy() -> float:
    return SLOTS / _decoy(SLOTS, 0.2 * LENGTH_KM, lazy=True)


def _growing(slots: int) -> float:
    """Slots a second at the same number of clicks, by the loss."""
    mean = sum(share * each for share, each in zip(SHARES, MEANS, strict=True)) * EFFICIENCY
    loss_db = 10 * math.log10(mean * slots / GROWTH_CLICKS)
    return slots / _decoy(slots, loss_db, lazy=True)


def _pairs() -> float:
    protocol = "qnetem.agents.protocols.qkd.bbm92"
    ends = {
        name: {
            "program": f"{protocol}:{name.capitalize()}",
            "with": {"peer": peer, "source": "charlie"},
            "hardware": "snspd",
        }
        for name, peer in (("alice", "bob"), ("bob", "alice"))
    }
    charlie = {
        "program": f"{protocol}:Source",
        "with": {"alice": "alice", "bob": "bob", "slots": SLOTS},
        "source": {"kind": "spdc", "rate": "1 GHz", "mean_pairs": MEAN_PAIRS},
    }
    quantum = {"length": f"{LENGTH_KM} km"}
    links = [{"between": ["charlie", name], "quantum": quantum} for name in ends]
    topology = networks.write("pairs", {"nodes": {**ends, "charlie": charlie}, "links": links})
    return float(SLOTS / networks.run(topology, "--in-process")["wall_time_s"])


def _kernel() -> Callable[[], float]:
    rng = np.random.Generator(np.random.PCG64(1))
    bases, bits, chosen = rng.integers(0, 2, (3, SLOTS), dtype=np.uint8)
    intensities = rng.choice(3, SLOTS, p=SHARES).astype(np.uint8)
    receiver = Receiver(Detector(EFFICIENCY, DARK_HZ))

    def case() -> float:
        began = time.perf_counter()
        train = PulseTrain(bases, bits, intensities, decoy_table(*MEANS), PERIOD_PS)
        at_work = PulseReceiver(receiver, PERIOD_PS, rng)
        fibre, clicks = pulse_channel(10 ** (-0.02 * LENGTH_KM)), 0
        for block in train.through(fibre).blocks():
            part = slice(block.first_slot, block.first_slot + len(block))
            clicks += len(at_work.detect(block, chosen[part]).slots)
        return SLOTS / (time.perf_counter() - began)

    return case


def _bare() -> float:
    rng = np.random.Generator(np.random.PCG64(1))
    mean = 0.5 * 10 ** (-0.02 * LENGTH_KM) * EFFICIENCY
    began = time.perf_counter()
    for _ in range(SLOTS // 1_000_000):
        counts = rng.poisson(mean, 1_000_000)
        np.flatnonzero(counts)
    return SLOTS / (time.perf_counter() - began)


def main(plan: Plan) -> list[Result]:
    """Measure."""
    cases = {
        STACK: _whole,
        LAZY: _lazy,
        PAIRS: _pairs,
        "kernel alone": _kernel(),
        "bare numpy draw": _bare,
    }
    title = f"a train of {SLOTS:,} slots over {LENGTH_KM:g} km"
    train = measured(title, "slots/s", cases, plan, AIMS)
    title = f"some {GROWTH_CLICKS:,} clicks among so many slots"
    lazy = {"lazy settings": _growing}
    return [train, grown(title, "slots/s", ("slots", GROWTH), lazy, plan)]
