"""Programs for faults of light, devices and memories: what is counted before, during and after.

As in programs.py the fault of every file here lasts from 1 s to 2 s, unless `until_s` says otherwise. Qubits
and pulses are all |0>, looked at in Z: whatever is a 1 is an error.
"""

import asyncio
from typing import Any

import numpy as np

from qnetem import Agent

WINDOWS = ("before", "during", "after")


def window(t_s: float, until_s: float) -> str:
    """Before the fault, during it, or after."""
    return WINDOWS[(t_s >= 1) + (t_s >= until_s)]


class Flashes(Agent):
    """Sends a qubit in |0> each `every_s`, until a second after the fault."""

    async def run(self, to: str, every_s: float = 0.001, until_s: float = 2) -> None:
        for _ in range(round((until_s + 1) / every_s)):
            await self.transmit(await self.qubit(), to)
            await asyncio.sleep(every_s)


class Sees(Agent):
    """Measures the qubits that come, and counts them and what is wrong with them by when they came."""

    async def run(self, source: str, until_s: float = 2) -> dict[str, Any]:
        seen, wrong = dict.fromkeys(WINDOWS, 0), dict.fromkeys(WINDOWS, 0)
        try:
            async with asyncio.timeout_at(until_s + 1):
                while True:
                    qubit = await self.receive_qubit(source)
                    when = window(self.now_ns / 1e9, until_s)
                    wrong[when] += await qubit.measure()
                    seen[when] += 1
        except TimeoutError:
            pass
        return counted(seen, wrong)


class Train(Agent):
    """Sends one train from 0 s on, `rate_hz` slots a second, until a second after the fault."""

    async def run(self, to: str, rate_hz: int = 100_000, until_s: float = 2) -> None:
        await self.receive(to)
        zeros = np.zeros(round(rate_hz * (until_s + 1)), dtype=np.uint8)
        await self.pulses(to, zeros, zeros, zeros)


class Counts(Agent):
    """Detects a train, and counts clicks and wrong bits by when they came."""

    async def run(self, source: str, rate_hz: int = 100_000, until_s: float = 2) -> dict[str, Any]:
        await self.send(source)
        clicks = await self.detect(source, np.zeros(round(rate_hz * (until_s + 1)), dtype=np.uint8))
        times_s = clicks.start_ns / 1e9 + clicks.slots / rate_hz
        which = (times_s >= 1).astype(int) + (times_s >= until_s)
        seen = {name: int((which == at).sum()) for at, name in enumerate(WINDOWS)}
        wrong = {name: int(clicks.bits[which == at].sum()) for at, name in enumerate(WINDOWS)}
        return counted(seen, wrong)


def counted(seen: dict[str, int], wrong: dict[str, int]) -> dict[str, Any]:
    """Counts by window, and the error rate of each in which there was something."""
    rates = {f"qber_{name}": wrong[name] / count for name, count in seen.items() if count}
    return {**seen, **rates}


class Keeps(Agent):
    """Keeps a pair through the fault, and asks for another one after it.

    Fidelities: "before" just before the fault, "during" as it ends, "kept" a second later, "after" of the
    other pair, then a second old.
    """

    async def run(self, peer: str) -> dict[str, Any]:
        pair = await self.entangle(peer)
        for name, at_s in (("before", 0.999999), ("during", 2.0)):
            await asyncio.sleep(at_s - self.now_ns / 1e9)
            await self.probe(name, pair)
        other = await self.entangle(peer)
        await asyncio.sleep(3 - self.now_ns / 1e9)
        await self.probe("kept", pair)
        await self.probe("after", other)
        return {"bit": await pair.measure()}
