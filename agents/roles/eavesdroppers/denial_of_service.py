"""Denial of service: what the ends send each other ends here."""

from __future__ import annotations

from ...messages import Message
from .base import checked_share
from .relay import Relay


class DenialOfService(Relay):
    """Takes light (`light`) and a share of the messages (`messages`) between `first` and `second`.

    What is not taken passes untouched. The ends get no key: with a `timeout` they give up, `incomplete`. Its
    fault needs `classical: intercept` to take messages. It runs until it is stopped: make it a service.
    Records `blocked_photons` and `blocked_messages`, 1 for each.
    """

    async def run(self, first: str, second: str, light: bool = True, messages: float = 1.0) -> None:
        self.passes_light, self._share = not light, checked_share("messages", messages)
        await self.relay(first, second)

    async def on_message(self, message: Message) -> None:
        if self.rng.random() < self._share:
            self.record("blocked_messages", 1)
        else:
            await super().on_message(message)
