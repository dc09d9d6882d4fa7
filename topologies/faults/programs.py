"""Programs for one fault at a time: who talks, who listens, and what is counted before, during and after.

The fault of every file here lasts from 1 s to 2 s. A `Talker` sends 100 numbered messages a second for three
seconds; a `Listener` sorts what comes by when it was sent.
"""

import asyncio
import hashlib
import hmac
from typing import Any

import numpy as np

from qnetem import Agent
from qnetem.agents.roles.eavesdropper import Eavesdropper

EVERY_S = 0.01
EACH = 100
WINDOWS = ("before", "during", "after")


def window(number: int) -> str:
    """In which second a message was sent."""
    return WINDOWS[min(number // EACH, 2)]


class Talker(Agent):
    """Sends 0 to 299, one each 10 ms; `size` pads the body."""

    async def run(self, to: str, size: int = 0) -> dict[str, Any]:
        for number in range(3 * EACH):
            await self.send(to, {"number": number, "pad": "x" * size}, kind="tick")
            await asyncio.sleep(EVERY_S)
        return {"ended_s": self.now_ns / 1e9}


class Listener(Agent):
    """Counts what comes until `until_s`, by the second in which it was sent."""

    async def run(self, until_s: float = 4.0) -> dict[str, Any]:
        heard: dict[str, list[int]] = {name: [] for name in WINDOWS}
        delays: dict[str, list[float]] = {name: [] for name in WINDOWS}
        damaged = overtaken = 0
        latest = -1
        try:
            async with asyncio.timeout_at(until_s):
                while True:
                    message = await self.receive(kind="tick", damaged=True)
                    if message.damaged:
                        damaged += 1
                        continue
                    number = message.body["number"]
                    heard[window(number)].append(number)
                    delays[window(number)].append(self.now_ns / 1e9 - number * EVERY_S)
                    overtaken += number < latest
                    latest = max(latest, number)
        except TimeoutError:
            pass
        return {
            **{name: len(numbers) for name, numbers in heard.items()},
            "doubled": sum(len(numbers) - len(set(numbers)) for numbers in heard.values()),
            "damaged": damaged,
            "overtaken": overtaken,
            **{
                f"delay_{name}_ms": round(float(np.mean(found)) * 1e3, 6) if found else None
                for name, found in delays.items()
            },
        }


class Pairs(Agent):
    """Asks for pairs for three seconds, and counts them by the second in which they came."""

    async def run(self, peer: str) -> dict[str, Any]:
        found = dict.fromkeys(WINDOWS, 0)
        try:
            async with asyncio.timeout_at(3):
                while True:
                    pair = await self.entangle(peer)
                    found[WINDOWS[min(self.now_ns // 10**9, 2)]] += 1
                    await self.probe(WINDOWS[min(self.now_ns // 10**9, 2)], pair)
                    await pair.measure()
        except TimeoutError:
            pass
        return found


class Clock(Agent):
    """Sleeps for a second by its own clock, three times, and says what it showed."""

    async def run(self, to: str) -> dict[str, Any]:
        shown = []
        for _ in range(6):
            await asyncio.sleep(0.5)
            await self.send(to, kind="tock")
            shown.append(round(self.now_ns / 1e9, 9))
        return {"shown_s": " ".join(map(str, shown))}


class Watch(Agent):
    """Says when, by true time, another node's clock had come to each half second."""

    async def run(self) -> dict[str, Any]:
        found = []
        for _ in range(6):
            await self.receive(kind="tock")
            found.append(round(self.now_ns / 1e9, 9))
        return {"true_s": " ".join(map(str, found))}


class Phoenix(Agent):
    """A service that says hello at its birth, and then once each 100 ms."""

    async def run(self, to: str) -> None:
        await self.send(to, {"born_s": self.now_ns / 1e9}, kind="birth")
        while True:
            await asyncio.sleep(0.1)
            await self.send(to, kind="alive")


class Nurse(Agent):
    """Notes births, and how many signs of life came in each second."""

    async def run(self) -> dict[str, Any]:
        births, signs = [], dict.fromkeys(WINDOWS, 0)
        try:
            async with asyncio.timeout_at(3):
                while True:
                    message = await self.receive()
                    if message.kind == "birth":
                        births.append(message.body["born_s"])
                    else:
                        signs[WINDOWS[min(int(message.sent_ns // 10**9), 2)]] += 1
        except TimeoutError:
            pass
        return {"births_s": " ".join(map(str, births)), **signs}


class PhotonSender(Agent):
    """Sends |0>, |1>, |+> or |-> each 10 ms for three seconds; says which when all have left."""

    async def run(self, to: str) -> None:
        sent = []
        for number in range(3 * EACH):
            bit, basis = (int(drawn) for drawn in self.rng.integers(0, 2, 2))
            await asyncio.sleep(number * EVERY_S - self.now_ns / 1e9)
            photon = await self.qubit()
            if bit:
                await photon.x()
            if basis:
                await photon.h()
            await self.transmit(photon, to)
            sent.append([bit, basis])
        await self.send(to, sent, kind="sent")


class PhotonReceiver(Agent):
    """Measures what comes in the sender's basis, as if bases were told before; counts errors by second."""

    async def run(self, source: str) -> dict[str, Any]:
        found: dict[int, tuple[int, int]] = {}

        async def measure() -> None:
            while True:
                photon = await self.receive_qubit(source)
                basis = int(self.rng.integers(0, 2))
                number = int(photon.arrived_ns / 1e9 / EVERY_S + 0.01)
                found[number] = (await photon.measure("ZX"[basis]), basis)

        task = asyncio.create_task(measure())
        sent = (await self.receive(source, kind="sent")).body
        task.cancel()
        errors, sifted = dict.fromkeys(WINDOWS, 0), dict.fromkeys(WINDOWS, 0)
        for number, (bit, basis) in found.items():
            theirs, chosen = sent[number]
            if basis == chosen:
                sifted[window(number)] += 1
                errors[window(number)] += bit != theirs
        return {
            **{f"sifted_{name}": count for name, count in sifted.items()},
            **{f"errors_{name}": count for name, count in errors.items()},
        }


def tag(key: str, body: Any) -> str:
    """A message authentication code of a body."""
    return hmac.new(key.encode(), repr(body).encode(), hashlib.sha256).hexdigest()


class Signer(Agent):
    """Sends 300 numbers, each with a code that proves who says it."""

    async def run(self, to: str, key: str) -> None:
        for number in range(3 * EACH):
            await self.send(to, {"say": number, "tag": tag(key, number)}, kind="signed")
            await asyncio.sleep(EVERY_S)


class Verifier(Agent):
    """Counts what it hears from its peer by second, true and forged."""

    async def run(self, source: str, key: str) -> dict[str, Any]:
        true, forged = dict.fromkeys(WINDOWS, 0), 0
        try:
            async with asyncio.timeout_at(4):
                while True:
                    body = (await self.receive(source, kind="signed")).body
                    if hmac.compare_digest(body["tag"], tag(key, body["say"])):
                        true[window(body["say"])] += 1
                    else:
                        forged += 1
        except TimeoutError:
            return {**true, "forged": forged}


class Mallory(Eavesdropper):
    """Takes every message and sends another one in its place; does not know the key."""

    async def run(self) -> None:
        while True:
            message = await self.receive()
            body = {**message.body, "say": -1}
            await self.forge(message.source, message.destination, body, kind=message.kind)
            self.record("forged", 1)


class Tapper(Eavesdropper):
    """Listens, and says nothing."""

    async def run(self) -> None:
        while True:
            message = await self.receive()
            self.record("overheard", f"{message.source} to {message.destination}")
            self.record("heard", 1)
