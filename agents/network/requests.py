"""Requests for pairs over one link: what the two ends say of them, and what one end knows of each.

Owns the messages of the link layer, the state of a request at one end, and what is handed over (`LinkPair`,
`LinkOutcomes`). Does not own what makes pairs (link_end.py) or whose turn it is (scheduling.py).

A request is named by its source, the incarnation of that, and a number: `alice.1.7`. Its pairs are numbered
from 1, alike at both ends, and `alice.1.7#3` names a pair for as long as the run lasts. A number that came to
nothing, at either end, is lost: it is never used again, and another takes its place.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...emulator.wire import MOST_SETTINGS
from ..qubits import Pair
from .channel import Life
from .errors import NetworkError

KEEP, MEASURE, OUTCOMES = "keep", "measure", "outcomes"
#: Pairs in a block of outcomes, at most.
LARGEST_BLOCK = 1 << 15
_Axis = tuple[float, float, float]


# --- what the ends say to each other --------------------------------------------------------------


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


# --- what is handed over --------------------------------------------------------------------------


class LinkPair(Pair):
    """A pair of a request, at one of its ends: a `Pair`, and which one it is.

    Attributes:
        request: the request's id, alike at both ends.
        number: the pair's number in its request, alike at both ends, from 1.
        purpose: what the request is for.
        fidelity: what the link promises, at the time when both ends have heard.
    """

    __slots__ = ("fidelity", "number", "purpose", "request")

    def __init__(
        self, pair: Pair, request: str, number: int, purpose: str, fidelity: float
    ) -> None:
        super().__init__(
            pair._node, pair.id, pair.peer, pair.link, pair.qubit, pair.emitted_ns, pair.goodness,
            pair.bell,
        )  # fmt: skip
        self.request, self.number = request, number
        self.purpose, self.fidelity = purpose, fidelity

    @property
    def label(self) -> str:
        """Names the pair alike at both ends: `alice.1.7#3`."""
        return f"{self.request}#{self.number}"

    def __repr__(self) -> str:
        return f"<LinkPair {self.label} with {self.peer}>"


@dataclass(frozen=True)
class LinkOutcomes:
    """What one end has measured of a request; row by row alike at both ends.

    Attributes:
        request: the request's id.
        purpose: what it is for.
        numbers: the pairs' numbers in the request, ascending.
        bases: of each pair the index of the axis it was measured along at this end.
        bits: of each pair the outcome at this end.
    """

    request: str
    purpose: str
    numbers: NDArray[np.int64]
    bases: NDArray[np.uint8]
    bits: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.numbers)


# --- a request at one end -------------------------------------------------------------------------


class Request:
    """What one end knows of a request. `own`: it is the source.

    `limit`: how many halves may lie here before the program takes one. `bases`: of measured pairs, by number,
    the index of this end's axis; those that are missing are drawn.
    """

    def __init__(
        self,
        asked: Asked,
        own: bool,
        limit: int,
        rng: np.random.Generator,
        bases: Sequence[int] = (),
    ) -> None:
        self.asked, self.own, self.limit = asked, own, limit
        self._rng, self._bases = rng, bases
        #: Numbers up to this one have been scheduled.
        self.scheduled = 0
        #: What has come to nothing, at either end.
        self.lost: set[int] = set()
        #: Halves that lie here until they are handed over, by number.
        self.halves: dict[int, LinkPair] = {}
        #: Numbers that the other end has heard of, where it says so.
        self.heard_there: set[int] = set()
        self.handed = 0
        #: Number -> (basis, bit), of a measured request.
        self.outcomes: dict[int, tuple[int, int]] = {}
        self.ready_here = self.ready_there = False
        #: Numbers up to which the other end awaits nothing.
        self.checked = 0
        self.check_asked = 0
        self.finished = False
        self.failure: NetworkError | None = None
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def id(self) -> str:
        """Its name."""
        return self.asked.id

    @property
    def measures(self) -> bool:
        """Whether its pairs are measured at once."""
        return self.asked.kind != KEEP

    @property
    def rows(self) -> int:
        """How many pairs this end has measured, of those that count."""
        return len(self.outcomes)

    @property
    def is_over(self) -> bool:
        """Whether nothing is made for it any more."""
        return self.finished or self.failure is not None

    @property
    def lacking(self) -> int:
        """How many numbers are still to be scheduled."""
        return self.asked.count - (self.scheduled - len(self.lost))

    @property
    def has_room(self) -> bool:
        """Whether more of its halves may come to lie here."""
        return self.measures or len(self.halves) < self.limit

    def setting(self, number: int) -> tuple[int, _Axis]:
        """Along which of its axes this end measures the pair of that number: as asked, or drawn."""
        axes, bases = self.asked.axes, self._bases
        if number <= len(bases):
            basis = bases[number - 1]
        elif len(axes) == 1:
            basis = 0
        else:
            basis = int(self._rng.choice(len(axes), p=self.asked.weights))
        return basis, axes[basis]

    def next_half(self) -> LinkPair | None:
        """Take the next half that may be handed over; None while there is none."""
        for number in self.halves:
            if not self.asked.confirmed or number in self.heard_there:
                return self.halves.pop(number)
        return None

    def lose(self, numbers: list[int]) -> list[LinkPair]:
        """These have come to nothing: the halves that lie here."""
        fresh = [number for number in numbers if number not in self.lost]
        self.lost.update(fresh)
        for number in fresh:
            self.outcomes.pop(number, None)
        return [self.halves.pop(number) for number in fresh if number in self.halves]

    def table(self) -> LinkOutcomes:
        """Its outcomes, in the order of the numbers."""
        numbers = sorted(self.outcomes)
        bases, bits = [], []
        for number in numbers:
            basis, bit = self.outcomes[number]
            bases.append(basis)
            bits.append(bit)
        return LinkOutcomes(
            self.id,
            self.asked.purpose,
            np.array(numbers, dtype=np.int64),
            np.array(bases, dtype=np.uint8),
            np.array(bits, dtype=np.uint8),
        )

    # --- waiting for what changes ---

    async def change(self) -> None:
        """Wait until something about it has changed. Raises the error that it has failed with."""
        if self.failure is not None:
            raise self.failure
        future = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        try:
            await future
        finally:
            if future in self._waiters:  # cancelled: it waits no more
                self._waiters.remove(future)
        if self.failure is not None:
            raise self.failure

    def wake(self) -> None:
        """Something has changed."""
        while self._waiters:
            future = self._waiters.popleft()
            if not future.done():
                future.set_result(None)
