"""Eavesdroppers: programs for nodes that a fault puts on a link.

Owns what only they can do (`forge`), and the textbook attack on single photons. Attacks on pulse trains
are `intercept` and `split` (docs/programs.md). Rule: nothing is copied. What an eavesdropper measures is
measured, and what it sends on was prepared anew, or was not touched.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..agent import Agent

BASES = "ZX"


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


class InterceptResend(Eavesdropper):
    """Measures each photon between `first` and `second` in a random basis, and sends on what it saw.

    Random bases leave a quarter of the sifted bits wrong (Bennett and Brassard 1984). It runs until it is
    stopped: make it a service.
    """

    async def run(self, first: str, second: str) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(first, second))
            group.create_task(self._take(second, first))

    async def _take(self, source: str, to: str) -> None:
        while True:
            photon = await self.receive_qubit(source)
            basis = BASES[int(self.rng.integers(0, 2))]
            bit = await photon.measure(basis)
            fresh = await self.qubit()
            if bit:
                await fresh.x()
            if basis == "X":
                await fresh.h()
            await self.transmit(fresh, to, port=photon.port)
            self.record("taken", 1)
