"""What the two ends of a link say to each other about requests.

Owns the messages of the link layer, which request makes sense, and the reading of its weights and bases. Does
not own how messages get through (channel.py) nor what follows from them (link_end.py).

Rule: every message names its link, and the requests and pairs that it is about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from ...emulator.errors import InputError
from ...emulator.wire import MOST_SETTINGS
from .channel import Life

KEEP, MEASURE, OUTCOMES = "keep", "measure", "outcomes"
#: Pairs in a block of outcomes, at most.
LARGEST_BLOCK = 1 << 15
_Axis = tuple[float, float, float]


class Asked(msgspec.Struct, tag="asked", omit_defaults=True):
    """A request, from its source. `axes` and `weights`: how pairs are measured, `bases`: at the other end.

    Of outcomes in arrays: up to `block` pairs are one number, and take `longest_ns` at most.
    """

    id: str
    link: str
    count: int
    kind: str = KEEP
    purpose: str = ""
    priority: int = 0
    alpha: float | None = None
    confirmed: bool = False
    fidelity: float = 0.0
    axes: list[_Axis] = []
    weights: list[float] | None = None
    bases: list[int] = []
    block: int = 1
    longest_ns: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether it can be a request of a link layer: who forges messages shall not end this one."""
        kinds, axes = (KEEP, MEASURE, OUTCOMES), len(self.axes)
        measured = self.kind == KEEP or 0 < axes <= MOST_SETTINGS
        weighed = self.weights is None or _are_shares(self.weights, axes)
        indexed = all(0 <= basis < axes for basis in self.bases)
        counted = self.count > 0 and 0 < self.block <= LARGEST_BLOCK and self.longest_ns >= 0
        return self.kind in kinds and measured and weighed and indexed and counted


class Serve(msgspec.Struct, tag="serve"):
    """From the link's master: the next pairs are these of the request."""

    link: str
    id: str
    first: int
    count: int


class Ready(msgspec.Struct, tag="ready"):
    """Whether this end takes more pairs of the request."""

    link: str
    id: str
    ready: bool


class Under(msgspec.Struct, tag="under"):
    """These pairs are still awaited here."""

    link: str
    pairs: list[tuple[str, int]]


class Over(msgspec.Struct, tag="over"):
    """These are not awaited any more at this end."""

    link: str
    pairs: list[tuple[str, int]]


class Heard(msgspec.Struct, tag="heard"):
    """This end has heard of the pair; only of requests whose pairs are confirmed."""

    link: str
    id: str
    number: int


class Lost(msgspec.Struct, tag="lost"):
    """This end has no such halves, or none any more."""

    link: str
    id: str
    numbers: list[int]


class Gaps(msgspec.Struct, tag="gaps"):
    """Of this block this end has not heard of these pairs."""

    link: str
    id: str
    number: int
    rows: list[int]


class Withdraw(msgspec.Struct, tag="withdraw"):
    """The request is no more."""

    link: str
    id: str
    why: str


class Check(msgspec.Struct, tag="check"):
    """Of a measured request: say `Checked` once no pair up to this number is awaited there."""

    link: str
    id: str
    upto: int


class Checked(msgspec.Struct, tag="checked"):
    """None is; what was lost here has been said."""

    link: str
    id: str
    upto: int


class Finished(msgspec.Struct, tag="finished"):
    """The source has all pairs of its request."""

    link: str
    id: str


Item = (
    Asked
    | Serve
    | Ready
    | Under
    | Over
    | Heard
    | Lost
    | Gaps
    | Withdraw
    | Check
    | Checked
    | Finished
)


class Packet(msgspec.Struct, omit_defaults=True):
    """What travels, see channel.py."""

    number: int
    acknowledged: int
    life: int
    to: Life
    item: Item | None = None


def _are_shares(weights: list[float], count: int) -> bool:
    return len(weights) == count and min(weights) >= 0 and abs(math.fsum(weights) - 1) < 1e-9


def shares_of(weights: Sequence[float] | None, count: int) -> list[float] | None:
    """How often each of `count` axes is drawn; None: all alike. Raises InputError."""
    if weights is None:
        return None
    total = sum(weights)
    if len(weights) != count or not total > 0 or min(weights) < 0:
        raise InputError(f"expected {count} weights of 0 or more, found {list(weights)}")
    return [float(weight) / total for weight in weights]


def indices_of(bases: Sequence[int] | None, count: int) -> list[int]:
    """Bases as indices of `count` axes. Raises InputError."""
    found = [] if bases is None else [int(basis) for basis in bases]
    if any(not 0 <= basis < count for basis in found):
        raise InputError(f"bases are indices of {count} axes, found {found}")
    return found
