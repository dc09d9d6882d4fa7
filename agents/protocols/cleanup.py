"""Holding: what is given back when a program is interrupted while it holds qubits.

Owns the rule that a protocol which is cancelled, or fails, leaves no slot taken:

    async with Holding(pair) as holding:
        qubit = holding.add(await self.qubit())
        ...                                     # may be cancelled at any await

Rule: leaving the block in the ordinary way gives nothing back, because then the protocol has used what
it held, or hands it on. A qubit that is gone already (measured by an operation that ran to its end) is
no error.
"""

from __future__ import annotations

from types import TracebackType
from typing import TypeVar

from ...emulator.errors import QubitError
from ..qubits import Pair, Qubit

_Held = TypeVar("_Held", Qubit, Pair)


class Holding:
    """Discards what it holds when its block is left by an exception."""

    def __init__(self, *held: Qubit | Pair) -> None:
        self._held: list[Qubit | Pair] = list(held)

    def add(self, held: _Held) -> _Held:
        """Hold this too; returns it."""
        self._held.append(held)
        return held

    async def __aenter__(self) -> Holding:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and kind is not GeneratorExit:  # the latter: the node was killed
            await give_back(*self._held)


async def give_back(*held: Qubit | Pair) -> None:
    """Discard each of them that is still here."""
    for item in held:
        try:
            await item.discard()
        except QubitError:
            pass  # an operation under way had consumed it
