"""Endpoint: a node with users. Without a program of its own it does nothing."""

from __future__ import annotations

from ..agent import Agent


class Endpoint(Agent):
    """The program of nodes that were given none."""

    async def run(self) -> None:
        """Return at once."""
