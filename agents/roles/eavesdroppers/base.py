"""What every eavesdropper can do: forge messages, and listen to what the ends of a protocol say in public.

Owns the words that only eavesdroppers have. Does not own attacks, which are a file each beside this one.
Rule: nothing is copied. What an eavesdropper measures is measured, and what it sends on was prepared anew,
or was not touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....emulator.errors import ProgramError
from ...agent import Agent
from .discussion import Announced, Discussion


class Eavesdropper(Agent):
    """Base of programs that listen on a link; write `run`.

    `await self.receive(...)` gets what it overhears: `message.source` and `message.destination` are those of
    the message, as its sender meant it. `await self.receive_qubit("alice")` gets what alice sends;
    `await self.transmit(qubit, "bob")` sends it on, and bob takes it for alice's.
    """

    async def forge(
        self, source: str, destination: str, body: Any = None, *, kind: str = "", port: str = ""
    ) -> None:
        """Send a message that passes as `source`'s; from the link this node listens on.

        `port`: the mailbox it is for, as `message.port` of what was overheard. While no fault lets it listen,
        the message is lost. Raises MessageError and LinkError as `send` does.
        """
        self._node.send(destination, body, kind, claims=source, port=port)


class Overhearing(Eavesdropper):
    """An eavesdropper that learns from public announcements, where `classical: tap` lets it hear them.

    Of each key exchange that it hears to its end it records `guessed`: the share of the bits compared in
    public that it would have guessed. A bit of which it has nothing counts as 1/2.
    """

    async def both_ways(
        self,
        first: str,
        second: str,
        take: Callable[[str, str], Coroutine[Any, Any, None]],
        learn: Callable[[Announced], Awaitable[None]],
    ) -> None:
        """For ever: `take` what goes from `first` to `second`, and back, and `overhear`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(take(first, second))
            group.create_task(take(second, first))
            group.create_task(self.overhear(learn))

    async def overhear(self, learn: Callable[[Announced], Awaitable[None]]) -> None:
        """Listen for ever; `learn` is awaited with each key exchange that has come to its end."""
        discussion = Discussion()
        while True:
            announced = discussion.hear(await self.receive())
            if announced is not None:
                await learn(announced)

    def record_guesses(
        self, announced: Announced, slots: NDArray[np.int64], bits: NDArray[np.uint8]
    ) -> None:
        """Record `guessed`, by what was found out: `bits` of these `slots`, which ascend."""
        wanted = announced.slots[announced.compared]
        if not len(wanted):
            return
        right = np.full(len(wanted), 0.5)
        if len(slots):
            at = np.minimum(np.searchsorted(slots, wanted), len(slots) - 1)
            known = slots[at] == wanted
            right[known] = bits[at[known]] == announced.bits[known]
        self.record("guessed", float(right.mean()))


def checked_share(name: str, share: float) -> float:
    """An option that is a share. Raises ProgramError."""
    if not 0 <= share <= 1:
        raise ProgramError(f"{name} must be in [0, 1], not {share}")
    return share
