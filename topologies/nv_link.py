"""Both ends of nv-link.yaml: pairs over each link in turn, and what they came to."""

from __future__ import annotations

from qnetem import Agent


class Centre(Agent):
    """One of two nitrogen-vacancy centres; `recording` is said to one of them.

    Records per link how long a pair took (`<link>.wait_s`) and has the recorder note its fidelity
    (`<link>.fidelity`). Returns the rates.
    """

    async def run(
        self, peer: str, links: list[str], pairs: int = 100, recording: bool = False
    ) -> dict[str, float]:
        rates_hz = {}
        for link in links:
            begun_ns = self.now_ns
            for _ in range(pairs):
                asked_ns = self.now_ns
                pair = await self.entangle(peer, link=link)
                if recording:
                    self.record(f"{link}.wait_s", (self.now_ns - asked_ns) * 1e-9)
                    await self.probe(link, pair)
                await pair.discard()
            rates_hz[link] = pairs * 1e9 / (self.now_ns - begun_ns)
        return rates_hz
