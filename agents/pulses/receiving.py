"""Receiving pulse trains, block after block: what `Agent.detect`, `intercept` and `split` do.

Owns asking for a train in blocks, one operation a block, so that one of any length comes in bounded memory.
Does not own the handles (pulses.py). Bases that a program leaves to its node are drawn from the node's own
generator, per block and a fixed amount.

Cancelling: a receiver is off from then.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ...emulator.errors import OperationError
from ...emulator.wire import BLOCK_SLOTS, Clicked, Detect, Intercept, Kept, Split
from .trains import Bytes, Clicks, Stored, as_column, plane

if TYPE_CHECKING:
    from ..node.node import Node


class Receiver:
    """Block after block of a train: which slots, and in which bases. `passive`: a splitter chooses."""

    def __init__(
        self, node: Node, bases: ArrayLike | None, count: int | None, passive: bool
    ) -> None:
        self._node, self._passive = node, passive
        if passive and bases is not None:
            raise OperationError("a beam splitter chooses the bases here: expected bases=None")
        if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
            raise OperationError(f"count: expected a whole number, found {count!r}")
        if count is not None and count < 1:
            raise OperationError(f"count: {count} slots, expected at least 1")
        self._given: Bytes | None = None
        self._count = count
        if bases is not None:
            size = len(np.atleast_1d(np.asarray(bases)))
            self._count = size if count is None else count
            self._given = as_column("bases", bases, 2, self._count)

    def blocks(self) -> Iterator[dict[str, Any]]:
        """The fields `first`, `slots`, `more`, `bases` of one operation after the other."""
        first = 0
        while self._count is None or first < self._count:
            left = BLOCK_SLOTS if self._count is None else self._count - first
            size = min(left, BLOCK_SLOTS)
            given = None if self._given is None else self._given[first : first + size]
            bases = None if self._passive else plane(self._node, given, size)
            more = left > size or self._count is None
            yield {"first": first, "slots": size, "more": more, "bases": bases}
            first += size


async def detect(
    node: Node,
    source: str,
    link: str | None,
    bases: ArrayLike | None,
    count: int | None,
) -> Clicks:
    """`Agent.detect`: block after block."""
    passive = node.welcome.optics.detects == "passive"
    if not node.welcome.optics.detects:
        raise OperationError(
            f"{node.welcome.name} has no detectors: give it a `detector:` in the topology"
        )
    found: list[Clicked] = []
    for fields in Receiver(node, bases, count, passive).blocks():
        make = partial(Detect, source=source, link=link, **fields)
        found.append(await node.operate(make))
        if found[-1].over:
            break
    return Clicks(found)


async def intercept(
    node: Node,
    source: str,
    to: str,
    bases: ArrayLike | None,
    fraction: float,
) -> Clicks:
    """`Agent.intercept`: block after block."""
    passive = node.welcome.optics.detects == "passive"
    found: list[Clicked] = []
    for fields in Receiver(node, bases, None, passive).blocks():
        make = partial(Intercept, source=source, to=to, fraction=float(fraction), **fields)
        found.append(await node.operate(make))
        if found[-1].over:
            break
    return Clicks(found)


async def split(node: Node, source: str, to: str, forward_singles: float) -> Stored:
    """`Agent.split`: block after block."""
    found: list[Kept] = []
    while not found or not found[-1].over:
        make = partial(
            Split,
            source=source,
            to=to,
            first=len(found) * BLOCK_SLOTS,
            slots=BLOCK_SLOTS,
            more=True,
            forward_singles=float(forward_singles),
        )
        found.append(await node.operate(make))
    return Stored(node, found)
