"""DrawnKeys: key blocks from the run's seed in place of a quantum link, for tests of software that uses keys.

Owns nothing but the blocks: both ends compute the same ones, at the same instants, from the seed, the names
of the two sites and a number. Does not own what becomes of them. Rule: it is no model of any link; where
rates and outages matter, use `KeyLink`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

from ...emulator.errors import ProgramError
from ..options.values import Seconds
from ..protocols.qkd.processing.estimation import Epsilons
from ..protocols.qkd.processing.key_block import KeyBlock
from ..secret import Secret
from ..service import Service, offered

EPSILONS = Epsilons(1e-9, 1e-15)


class DrawnKeys(Service):
    """A block of `bits` shared with the same service at `peer`, each `every`; `most` blocks at most."""

    other_end = "peer"

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._made: asyncio.Queue[KeyBlock] = asyncio.Queue()

    async def run(  # type: ignore[override]  # with options
        self, peer: str, bits: int = 1 << 16, every: Seconds = 1.0, most: int | None = None
    ) -> None:
        if bits < 8 or every <= 0:
            raise ProgramError("drawn keys: expected at least 8 bits, and a time above 0")
        period_ns = round(every * 1e9)
        number = -(
            -self.now_ns // period_ns
        )  # one that was restarted continues where the other end is
        while most is None or number < most:
            await asyncio.sleep((number * period_ns - self.now_ns) / 1e9)
            self._made.put_nowait(self._block(peer, number, bits))
            number += 1

    def _block(self, peer: str, number: int, bits: int) -> KeyBlock:
        ends = "-".join(sorted((self.name, peer)))
        id = f"{self.tenant}/{ends}/{number}"
        drawn = hashlib.shake_256(self._node.welcome.hash_key + f"drawn\x1f{id}".encode())
        secret = Secret(drawn.digest(-(-bits // 8)), label="key", id=id)[:bits]
        return KeyBlock(peer, id, secret, EPSILONS, spent=0, made_s=self.now_ns / 1e9)

    @offered
    async def blocks(self) -> AsyncIterator[KeyBlock]:
        """The blocks, one after the other, for ever."""
        while True:
            yield await self._made.get()
