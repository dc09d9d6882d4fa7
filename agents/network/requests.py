"""Requests for pairs over one link: what one end knows of each.

Owns the state of a request at one end, and what is handed over (`LinkPair`, `LinkOutcomes`). Does not own
what the ends say of it (link_messages.py), what makes pairs (link_end.py) or whose turn it is
(scheduling.py).

A request is named by its source, the incarnation of that, and a number: `alice.1.7`. Its pairs are numbered
from 1, alike at both ends, and `alice.1.7#3` names a pair for as long as the run lasts. A number that came to
nothing, at either end, is lost: it is never used again, and another takes its place.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..qubits import Pair
from .errors import NetworkError
from .link_messages import KEEP, Asked

_Axis = tuple[float, float, float]


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
