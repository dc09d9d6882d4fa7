"""Two ends that authenticate what they say, with a secret that both have from the start."""

import asyncio
from typing import Any

import numpy as np

from qnetem import Agent
from qnetem.agents.protocols.qkd.processing.authentication import Authenticator
from qnetem.emulator.errors import InputError

MESSAGES = 100
#: Bits of the secret: a point and two pads a message.
SECRET_BITS = 61 * (1 + 2 * MESSAGES)


def authenticator(secret: int) -> Authenticator:
    """Of both ends alike; `secret` stands for the bits that they have agreed on before."""
    bits = np.random.Generator(np.random.PCG64(secret)).integers(0, 2, SECRET_BITS, dtype=np.uint8)
    return Authenticator(bits, "chat", "alice", "bob")


class Sender(Agent):
    """Sends numbers, each with its tag."""

    async def run(self, to: str, secret: int) -> None:
        tags = authenticator(secret)
        for number in range(MESSAGES):
            said = int(self.rng.integers(1000))
            tag = tags.tag(self.name, number, str(said).encode())
            await self.send(to, {"index": number, "say": said, "tag": tag.hex()}, kind="said")
            await asyncio.sleep(1e-3)


class Receiver(Agent):
    """Counts what is genuine, and what it refuses, until it has heard as much as there is."""

    async def run(self, source: str, secret: int) -> dict[str, Any]:
        tags, genuine, refused = authenticator(secret), 0, 0
        for _ in range(MESSAGES):
            body = (await self.receive(source, kind="said")).body
            try:
                said, tag = str(body["say"]).encode(), bytes.fromhex(body["tag"])
                good = tags.is_genuine(source, body["index"], said, tag)
            except (InputError, ValueError):  # no pad of that number, no tag at all
                good = False
            genuine, refused = genuine + good, refused + (not good)
        return {"genuine": genuine, "refused": refused}
