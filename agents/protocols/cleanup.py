"""What a protocol ends when it is interrupted: the qubits it holds, and the tasks it waits for side by side.

Rule: a protocol that is cancelled, or fails, leaves no slot taken and no task running:

    async with DiscardOnError(pair) as held:
        qubit = held.add(await self.qubit())
        ...                                     # may be cancelled at any await

A block that is left without an exception discards nothing, because then the protocol has used what it held,
or hands it on. A qubit that is gone already (an operation that ran to its end has consumed it) is no error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ...emulator.errors import QubitError
from ..qubits import Pair, Qubit

_Held = TypeVar("_Held", Qubit, Pair)


class DiscardOnError:
    """Discards what it holds when its block is left by an exception."""

    def __init__(self, *held: Qubit | Pair) -> None:
        self._held: list[Qubit | Pair] = list(held)

    def add(self, held: _Held) -> _Held:
        """Hold this too; returns it."""
        self._held.append(held)
        return held

    async def __aenter__(self) -> DiscardOnError:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and kind is not GeneratorExit:  # the latter: the node was killed
            await discard_held(*self._held)


async def discard_held(*held: Qubit | Pair) -> None:
    """Discard each of them that is still held."""
    for item in held:
        try:
            await item.discard()
        except QubitError:
            pass  # an operation under way had consumed it


async def first_of(*coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run them side by side until one is done, and cancel the others.

    Returns the results in their order, None for what was cancelled; raises what one of them raised. When it
    returns, or is cancelled, none of them is still running.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return [task.result() if task in done else None for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
