"""Both ends of nested-chain.yaml: pairs over the whole chain, one after the other."""

from __future__ import annotations

from qnetem import Agent
from qnetem.agents.protocols.swapping import LongPairs


class End(Agent):
    """Gets `pairs` pairs with `peer`, measures them, and waits for the other end's word before the next.

    Records for how many `attempt_s` each has taken (`attempts`), and has the recorder note its fidelity
    (`pair`). Returns how often both ends had the same bit.
    """

    async def run(self, peer: str, attempt_s: float, pairs: int = 60) -> int:
        source, equal = LongPairs(self, peer), 0
        for _ in range(pairs):
            begun_ns = self.now_ns
            pair = await source.obtain()
            self.record("attempts", (self.now_ns - begun_ns) / 1e9 / attempt_s)
            await self.probe("pair", pair, parties=pair.ends)
            bit = await pair.measure()
            await self.send(peer, bit, kind="bit")
            equal += bit == (await self.receive(peer, kind="bit")).body
        return equal
