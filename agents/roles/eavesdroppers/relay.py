"""An eavesdropper that passes on what it takes: light untouched, messages as they came.

Owns the ways through an eavesdropper. Does not own what is changed or kept back: that is the attack's.
"""

from __future__ import annotations

import asyncio

from ....emulator.errors import LinkError, OperationError
from ...messages import Message
from .base import Eavesdropper


class Relay(Eavesdropper):
    """Base of attacks on messages: passes on what it takes between two ends (`classical: intercept`)."""

    #: Whether light is passed on, else it ends here.
    passes_light = True

    async def relay(self, first: str, second: str) -> None:
        """For ever, both ways."""
        async with asyncio.TaskGroup() as group:
            for source, to in ((first, second), (second, first)):
                group.create_task(self._photons(source, to))
                if self.passes_light:
                    group.create_task(self._trains(source, to))
            group.create_task(self._messages())

    async def on_message(self, message: Message) -> None:
        """A message was taken: this one passes it on."""
        await self.pass_on(message, message.body)

    async def pass_on(self, message: Message, body: object) -> None:
        """Send a message on with this body, as its sender's."""
        await self.forge(
            message.source, message.destination, body, kind=message.kind, port=message.port
        )

    async def _messages(self) -> None:
        while True:
            await self.on_message(await self.receive())

    async def _photons(self, source: str, to: str) -> None:
        while True:
            photon = await self.receive_qubit(source)
            if self.passes_light:
                await self.transmit(photon, to, port=photon.port)
            else:
                await photon.discard()
                self.record("blocked_photons", 1)

    async def _trains(self, source: str, to: str) -> None:
        try:
            while True:
                await self.intercept(source, to, fraction=0.0)
        except (LinkError, OperationError) as no_light:
            self.log.info("no trains from %s to %s: %s", source, to, no_light)
