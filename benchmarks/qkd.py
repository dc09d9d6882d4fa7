"""From pulses to an authenticated secret key: slots/s across processes; and the slow steps of the way alone.

Decoy BB84 with lazy settings over 50 km of fibre, detectors of 10 % and 1 dark count a second, 70 % of the
slots in Z; Cascade, verification, finite-key bound and privacy amplification over a session whose messages
are all authenticated. Time counts from the first grant to the last report. Short trains have too few clicks
for a finite key, and end without one; intensities and Z are chosen so that 10^8 slots give one.

Growth: from 10^8 to 10^11 slots with as many clicks to be expected each time, by the loss of the link. A
train is run once, whatever `--runs` says.

Steps, CPU time of this process: privacy amplification of 10^6 bits to half of them; both ends of Cascade,
10^5 bits with 3 % of errors.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import networks
import numpy as np
from suite.measure import Plan, measured
from suite.results import Aim, Case, Result, point

from qnetem.agents.protocols.qkd.processing.amplification import amplified, seed_bits
from qnetem.agents.protocols.qkd.processing.cascade import VARIANTS, Corrector, Reference

LENGTH_KM, EFFICIENCY, DARK_HZ = 50.0, 0.1, 1.0
MEANS, SHARES, Z = (0.5, 0.15, 2e-4), (0.5, 0.3, 0.2), 0.7
#: A train of 10^10 has more clicks than one message announces.
TRAINS = [10**power for power in range(6, 10)]
GROWTH, GROWTH_CLICKS = [10**power for power in range(8, 12)], 1_000_000
AIMS = [Aim(case="rate", at_least=20e6)]

AMPLIFIED_BITS = 1_000_000
CORRECTED_BITS, ERRORS = 100_000, 0.03
STEP_AIM_S = 0.5


class Train(NamedTuple):
    """What became of a train."""

    seconds: float
    clicks: int
    sifted: int
    secret: int
    rounds: int


def _train(slots: int, loss_db: float) -> Train:
    """One train of two node processes, and its key. Raises RuntimeError unless both ends agree on it."""
    both = {"lazy": True, "z": Z, "distil": {}}
    nodes: dict[str, dict[str, Any]] = {
        name: {
            "program": f"qnetem.agents.protocols.qkd.decoy:{role}",
            "with": {**options, **both},
            "source": {"rate": "1 GHz", "intensities": MEANS, "probabilities": SHARES},
            "detector": {"efficiency": EFFICIENCY, "dark_count_rate": f"{DARK_HZ} Hz"},
        }
        for name, role, options in (
            ("alice", "Sender", {"peer": "bob", "pulses": slots}),
            ("bob", "Receiver", {"peer": "alice"}),
        )
    }
    attenuation = f"{loss_db / LENGTH_KM} dB/km"
    quantum = {"length": f"{LENGTH_KM} km", "attenuation": attenuation, "depolarising": 0.03}
    link = {"between": ["alice", "bob"], "quantum": quantum}
    outcome = networks.run(networks.write("qkd", {"nodes": nodes, "links": [link]}))
    mine, theirs = (outcome["results"][name] for name in ("alice", "bob"))
    key = mine["key"]
    if mine["status"] != "confirmed" or key["secret"] != theirs["key"]["secret"]:
        raise RuntimeError(f"{slots} slots: {mine['status']}, keys {key['secret']}")
    seconds = float(outcome["wall_time_s"])
    return Train(seconds, mine["clicks"], key["sifted"], key["length"], key["rounds"])


def _table(title: str, trains: Mapping[int, Train]) -> Result:
    """What became of trains of growing length."""
    columns: dict[str, tuple[str, dict[int, float]]] = {
        "time": ("s", {slots: train.seconds for slots, train in trains.items()}),
        "rate": ("slots/s", {slots: slots / train.seconds for slots, train in trains.items()}),
        "clicks": ("", {slots: train.clicks for slots, train in trains.items()}),
        "sifted": ("bits", {slots: train.sifted for slots, train in trains.items()}),
        "secret": ("bits", {slots: train.secret for slots, train in trains.items()}),
        "Cascade": ("rounds", {slots: train.rounds for slots, train in trains.items()}),
    }
    cases = [
        Case(name, unit, [point([value], slots) for slots, value in values.items()])
        for name, (unit, values) in columns.items()
    ]
    return Result(title, "slots", cases, AIMS)


def _trains(plan: Plan) -> list[Result]:
    """Trains over 50 km, and of as many clicks each."""
    mean = sum(share * each for share, each in zip(SHARES, MEANS, strict=True)) * EFFICIENCY
    near = {slots: _train(slots, 0.2 * LENGTH_KM) for slots in plan.sizes(TRAINS)}
    far = {
        slots: _train(slots, 10 * math.log10(mean * slots / GROWTH_CLICKS))
        for slots in plan.sizes(GROWTH)
    }
    return [
        _table(f"pulses to secret key over {LENGTH_KM:g} km, two processes", near),
        _table(f"some {GROWTH_CLICKS:,} clicks among so many slots, two processes", far),
    ]


def _amplified() -> float:
    rng = np.random.Generator(np.random.PCG64(1))
    key = rng.integers(0, 2, AMPLIFIED_BITS, dtype=np.uint8)
    length = AMPLIFIED_BITS // 2
    seed = rng.integers(0, 2, seed_bits(len(key), length), dtype=np.uint8)
    began = time.process_time()
    amplified(key, seed, length)
    return time.process_time() - began


def _corrected(variant: str) -> float:
    rng = np.random.Generator(np.random.PCG64(1))
    right = rng.integers(0, 2, CORRECTED_BITS, dtype=np.uint8)
    wrong = right.copy()
    wrong[rng.permutation(CORRECTED_BITS)[: round(ERRORS * CORRECTED_BITS)]] ^= 1
    began = time.process_time()
    corrector = Corrector(wrong, VARIANTS[variant], ERRORS, 1)
    reference = Reference(right, corrector.sizes, 1)
    for question in corrector.questions():
        corrector.take(reference.answer(question))
    taken_s = time.process_time() - began
    if not np.array_equal(corrector.key, right):
        raise RuntimeError(f"{variant}: the keys differ")
    return taken_s


def main(plan: Plan) -> list[Result]:
    """Measure."""
    variants = ("original", "yanetal", "option7")
    cases: dict[str, Callable[[], float]] = {
        f"Cascade, {name}, 10^5 bits at 3 %": partial(_corrected, name) for name in variants
    }
    cases |= {"privacy amplification of 10^6 bits": _amplified}
    aims = [Aim(case=name, at_most=STEP_AIM_S) for name in cases]
    steps = measured("steps of a key", "s of CPU", cases, plan, aims)
    return [steps, *_trains(plan)]
