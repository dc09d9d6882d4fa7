"""GroundStation: a node on the ground whose services work in contacts.

Owns the program of nodes of that kind that have none of their own. Does not own what happens in a contact:
that is the services' (space/tracking.py finds the other end, protocols/qkd/key_link.py makes keys).
"""

from __future__ import annotations

import asyncio
from typing import Any

from ...emulator.errors import ServiceError
from ..agent import Agent

#: So much before the end of the last contact, which may be the end of the run.
_BEFORE_NS = 1000


class GroundStation(Agent):
    """Keeps its services at work through all contacts that are planned; without services, returns at once."""

    async def run(self) -> dict[str, Any] | None:
        """Returns the `summary()` of each service that has one."""
        if not list(self.services):
            return None
        ends = [each.contacts[-1] for each in self.links if each.contacts]
        last_ns = max(ends, default=0) - _BEFORE_NS
        await asyncio.sleep(max(0, last_ns - self.now_ns) / 1e9)
        return self._summaries()

    def _summaries(self) -> dict[str, Any]:
        found = {}
        for name in self.services:
            try:
                found[name] = getattr(self.services, name).summary()
            except ServiceError:  # it has no such word
                continue
        return found
