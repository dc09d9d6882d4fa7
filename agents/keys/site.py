"""Site: the program of a node that does nothing itself, and lives until the run ends, for its services."""

from __future__ import annotations

import asyncio

from ..agent import Agent


class Site(Agent):
    """It waits. In real time a run with such nodes lasts until it is stopped, or to `until`."""

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()
