"""The faults by name: what each is aimed at and which parameters it takes.

Owns the table that the topology's validation, the JSON Schema and random campaigns read. What a fault
does to the world is in the file of its name beside this one. To add a fault: a row here, a file there, a
row in schedule.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

#: "either": a node or a link; "groups": groups of nodes, as a partition takes them.
Aim = Literal["node", "link", "either", "groups"]
Plane = Literal["classical", "process", "quantum", "clock"]


@dataclass(frozen=True)
class Parameter:
    """A fault's parameter.

    `dimension`: as in units.py, or "word" with the allowed `words`, "count", "flag", or "node" (a name, of
    one of the kinds in `words`).
    `low`, `high`: limits in the base unit. `typical`: from where to where a random campaign draws it,
    log-uniformly, in the base unit; a time without it is drawn like a duration, all else is left out.
    """

    dimension: str
    required: bool = False
    default: float | str | None = None
    words: tuple[str, ...] = ()
    low: float = 0.0
    high: float = float("inf")
    above: bool = False
    typical: tuple[float, float] | None = None


@dataclass(frozen=True)
class FaultKind:
    """A row of the table. `lasting`: takes `for` and is healed at its end.

    `random`: a campaign may draw it without being told more than its kind. `some`: parameters of which at
    least one must be given.
    """

    verb: str
    plane: Plane
    target: Aim
    lasting: bool
    parameters: dict[str, Parameter] = field(default_factory=dict)
    random: bool = True
    some: tuple[str, ...] = ()


_ONLY = Parameter("word", words=("quantum", "classical"))
_LOSS = Parameter("loss", required=True, typical=(1.0, 30.0))
_CHANCE = Parameter("probability", required=True, high=1.0, typical=(0.05, 0.8))

FAULT_KINDS: dict[str, FaultKind] = {
    kind.verb: kind
    for kind in (
        # processes
        FaultKind("kill", "process", "node", False, {"restart": Parameter("time")}),
        FaultKind("restart", "process", "node", False, {"after": Parameter("time", default=0)}),
        FaultKind("pause", "process", "node", True, {"signal": Parameter("flag", default=0)}),
        # messages
        FaultKind("cut", "classical", "link", True, {"only": _ONLY}),
        FaultKind("partition", "classical", "groups", True, {"only": _ONLY}),
        FaultKind("loss", "classical", "link", True, {"probability": _CHANCE}),
        FaultKind(
            "delay",
            "classical",
            "link",
            True,
            {"by": Parameter("time", required=True)},
        ),
        FaultKind(
            "jitter",
            "classical",
            "link",
            True,
            {"by": Parameter("time", required=True, above=True)},
        ),
        FaultKind(
            "duplicate",
            "classical",
            "link",
            True,
            {"probability": _CHANCE, "after": Parameter("time", default=0)},
        ),
        FaultKind(
            "reorder",
            "classical",
            "link",
            True,
            {"probability": _CHANCE, "by": Parameter("time", required=True, above=True)},
        ),
        FaultKind(
            "corrupt",
            "classical",
            "link",
            True,
            {
                "probability": _CHANCE,
                "bits": Parameter("count", default=1, low=1, high=64, typical=(1, 8)),
            },
        ),
        FaultKind(
            "bandwidth",
            "classical",
            "link",
            True,
            {"to": Parameter("bandwidth", required=True, low=1.0, typical=(1e4, 1e8))},
        ),
        # light, devices, memories
        FaultKind("loss_db", "quantum", "link", True, {"by": _LOSS}),
        FaultKind(
            "misalignment",
            "quantum",
            "link",
            True,
            {
                "by": Parameter(
                    "angle", required=True, low=-math.pi, high=math.pi, typical=(0.02, 0.8)
                )
            },
        ),
        FaultKind(
            "dark_counts",
            "quantum",
            "either",
            True,
            {"rate": Parameter("frequency", required=True, high=1e9, typical=(10.0, 1e5))},
        ),
        FaultKind("blind", "quantum", "either", True),
        FaultKind("source_off", "quantum", "either", True),
        FaultKind(
            "decohere",
            "quantum",
            "node",
            True,
            {"t2": Parameter("time", required=True, above=True)},
        ),
        FaultKind("memory_reset", "quantum", "node", False),
        FaultKind(
            "lost_herald",
            "quantum",
            "link",
            True,
            {"probability": _CHANCE, "end": Parameter("node")},
        ),
        FaultKind("false_herald", "quantum", "link", True, {"probability": _CHANCE}),
        FaultKind(
            "clouds",
            "quantum",
            "link",
            True,
            {
                "loss": _LOSS,
                "cover": Parameter("probability", required=True, high=1.0, typical=(0.1, 0.9)),
                "passage": Parameter("time", required=True, above=True),
            },
        ),
        # eavesdroppers
        FaultKind(
            "eavesdrop",
            "quantum",
            "link",
            True,
            {
                "by": Parameter("node", required=True, words=("eavesdropper",)),
                "classical": Parameter("word", words=("tap", "intercept")),
            },
            random=False,
        ),
        # clocks
        FaultKind(
            "clock_skew",
            "clock",
            "node",
            True,
            {
                "offset": Parameter("time", default=0, low=-3.6e12, high=3.6e12),
                "ppm": Parameter("number", default=0.0, low=-1e5, high=1e5, typical=(0.1, 1000)),
            },
            some=("offset", "ppm"),
        ),
    )
}
