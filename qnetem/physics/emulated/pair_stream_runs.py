"""BBM92 on pairs without a clock as a whole network: a published system, the library's programs.

Owns the topology of such a run and how its counts become samples; it is played once, however many vectors
look at it. Does not own what must come out (sections/protocols.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ..vectors import Sample, frequency
from .runs import play

_BBM92 = "qnetem.agents.protocols.qkd.bbm92"
#: How long the source shines.
SECONDS = 2


@lru_cache(maxsize=1)
def _played() -> Mapping[str, Any]:
    """What both ends of arXiv:2505.24851 counted; see `bbm92.Exchange.summary()`. V = 0.94 errs with 0.03."""
    eyes = {
        "efficiency": 0.6,
        "dead_time": "45 ns",
        "jitter": "1.149 ns",
        "splitting": [0.5, 0.5],
    }
    nodes: dict[str, Any] = {
        "charlie": {
            "program": f"{_BBM92}:Source",
            "with": {"alice": "alice", "bob": "bob", "duration": f"{SECONDS} s"},
            "source": {"kind": "spdc_cw", "pair_rate": "1.5 MHz", "fidelity": 0.955},
        },
        "alice": {
            "program": f"{_BBM92}:Alice",
            "with": {"peer": "bob", "source": "charlie", "sample": 1.0, "window": "2 ns"},
            "detector": {**eyes, "dark_count_rate": "125 Hz"},
        },
        "bob": {
            "program": f"{_BBM92}:Bob",
            "with": {"peer": "alice", "source": "charlie"},
            "detector": {**eyes, "dark_count_rate": "450 Hz"},
        },
    }
    arm = {"length": "1 km", "attenuation": "0 dB/km", "insertion_loss": "12 dB"}
    links = [{"between": ["charlie", end], "quantum": arm} for end in ("alice", "bob")]
    counted: Mapping[str, Any] = play(nodes, links).results["bob"]
    return counted


def sifted_hz(expected_hz: float) -> Sample:
    """Sifted bits a second: a Poisson process, counted second by second."""
    return Sample(_played()["sifted_hz"], SECONDS, math.sqrt(expected_hz))


def qber() -> Sample:
    """Errors per compared bit."""
    return frequency(_played()["errors"], _played()["compared"])
