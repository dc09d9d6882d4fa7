"""Reach: when messages to another node may pass, where links are there in contacts only."""

from __future__ import annotations

import asyncio

from ..agent import Agent


async def in_reach(agent: Agent, peer: str, least_s: float = 0.0) -> int | None:
    """Wait until messages to a peer may pass for so long; when that ends, in ns. None: they always may.

    A peer without a link to this node counts as always in reach. Raises LinkError once no more contacts are
    planned.
    """
    links = [each for each in agent.links if each.peer == peer]
    if not links or not all(each.light_only for each in links):
        return None
    while True:
        ends_ns = await agent.contact(peer)
        if ends_ns is None or agent.now_ns + round(least_s * 1e9) <= ends_ns:
            return ends_ns
        await asyncio.sleep((ends_ns - agent.now_ns) / 1e9)
