"""The faults by name: what each is aimed at and which parameters it takes.

Owns the table that the topology's validation reads. What a fault does to the world is in the file of
its name beside this one. To add a fault: a row here, a file there, a row in schedule.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Parameter:
    """A fault's parameter: `dimension` as in units.py, or "word" with the allowed `words`."""

    dimension: str
    required: bool = False
    default: float | str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class FaultKind:
    """A row of the table. `lasting`: takes `for` and is healed at its end."""

    verb: str
    target: Literal["node", "link"]
    lasting: bool
    parameters: dict[str, Parameter] = field(default_factory=dict)


FAULT_KINDS: dict[str, FaultKind] = {
    kind.verb: kind
    for kind in (
        FaultKind("kill", "node", False, {"restart": Parameter("time")}),
        FaultKind(
            "cut",
            "link",
            True,
            {"only": Parameter("word", default=None, words=("quantum", "classical"))},
        ),
        FaultKind("loss", "link", True, {"probability": Parameter("probability", required=True)}),
        FaultKind("delay", "link", True, {"by": Parameter("time", required=True)}),
    )
}
