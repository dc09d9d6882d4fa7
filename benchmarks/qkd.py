"""From pulses to an authenticated secret key: slots/s across processes; and the slow steps of the way alone.

Decoy BB84 with lazy settings over 50 km of fibre, detectors of 10 % and 1 dark count a second, 70 % of the
slots in Z; Cascade, verification, finite-key bound and privacy amplification over a session whose messages
are all authenticated. Time counts from the first grant to the last report. Short trains have too few clicks
for a finite key, and end without one; intensities and Z are chosen so that 10^8 slots give one.

Growth: from 10^8 to 10^11 slots with as many clicks to be expected each time, by the loss of the link.
`python benchmarks/qkd.py growth` prints both tables of trains alone.

Steps, CPU time of this process: privacy amplification of 10^6 bits to half of them; both ends of Cascade,
10^5 bits with 3 % of errors.
"""

from __future__ import annotations

import math
import sys
import time
from functools import partial
from typing import Any, NamedTuple

import networks
import numpy as np
from measure import medians, table, verdict

from qnetem.agents.protocols.qkd.processing.amplification import amplified, seed_bits
from qnetem.agents.protocols.qkd.processing.cascade import VARIANTS, Corrector, Reference

LENGTH_KM, EFFICIENCY, DARK_HZ = 50.0, 0.1, 1.0
MEANS, SHARES, Z = (0.5, 0.15, 2e-4), (0.5, 0.3, 0.2), 0.7
#: A train of 10^10 has more clicks than one message announces.
TRAINS = range(6, 10)
GROWTH, GROWTH_CLICKS = range(8, 12), 1_000_000
AIM = 20e6

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


def trains() -> None:
    """Trains over 50 km, and of as many clicks each, once each."""
    rows = [_row(power, _train(10**power, 0.2 * LENGTH_KM)) for power in TRAINS]
    head = ["slots", "time", "slots/s", "clicks", "sifted", "secret", "rounds", "aim"]
    table(f"pulses to secret key over {LENGTH_KM:g} km, two processes", head, rows)
    mean = sum(share * each for share, each in zip(SHARES, MEANS, strict=True)) * EFFICIENCY
    rows = []
    for power in GROWTH:
        loss_db = 10 * math.log10(mean * 10**power / GROWTH_CLICKS)
        rows.append(_row(power, _train(10**power, loss_db)))
    table(f"some {GROWTH_CLICKS:,} clicks among so many slots, two processes", head, rows)


def _row(power: int, done: Train) -> list[str]:
    rate = 10**power / done.seconds
    counts = [f"{each:,}" for each in (done.clicks, done.sifted, done.secret, done.rounds)]
    aim = f">= {AIM / 1e6:g} M: {verdict(rate >= AIM)}" if power == max(TRAINS) else ""
    return [f"10^{power}", f"{done.seconds:.2f} s", f"{rate / 1e6:,.1f} M", *counts, aim]


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


def main(runs: int) -> None:
    """Measure and print."""
    variants = ("original", "yanetal", "option7")
    cases = {f"Cascade, {name}, 10^5 bits at 3 %": partial(_corrected, name) for name in variants}
    rows = []
    for name, taken_s in medians(
        {"privacy amplification of 10^6 bits": _amplified, **cases}, runs
    ).items():
        aim = f"<= {STEP_AIM_S} s: {verdict(taken_s <= STEP_AIM_S)}"
        rows.append([name, f"{taken_s:.3f} s", aim])
    table("steps of a key, CPU time", ["what", "time", "aim"], rows)
    trains()


if __name__ == "__main__" and sys.argv[1:] == ["growth"]:
    trains()
