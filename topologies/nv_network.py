"""Three nitrogen-vacancy centres in a row, whose middle one has one electron spin for both links.

Programs of nv-three-nodes.yaml and nv-teleportation.yaml, on a link layer: the middle one asks for a pair
with one neighbour, moves its half to a nuclear spin, and tries for so many attempts to get another one.
"""

from __future__ import annotations

import math
from typing import Any

from qnetem import Agent
from qnetem.agents.network.errors import DeadlinePassed
from qnetem.agents.network.link_layer import LinkLayer
from qnetem.agents.network.requests import LinkPair

#: Polar angle and azimuth of the six cardinal states.
CARDINAL = [(0.0, 0.0), (math.pi, 0.0), *((math.pi / 2, turn * math.pi / 2) for turn in range(4))]


class Middle(Agent):
    """Makes `rounds` of each of `states` ("ghz", "swapped"), between `first` and `second` and itself.

    `attempts`: of the second link, after which the stored half is given up. Records how long each state took
    (`<state>.wait_s`) and how many stored halves it took (`<state>.stored`).
    """

    async def run(
        self, first: str, second: str, states: list[str], rounds: int, attempts: int
    ) -> None:
        for state in states:
            for _ in range(rounds):
                begun_ns = self.now_ns
                stored, fresh = await self.both(first, second, attempts, state)
                if state == "ghz":
                    await self.fuse(stored, fresh)
                else:
                    outcome = await self.bell_measure(stored, fresh)
                    await self.broadcast(outcome, kind="outcome")
                self.record(f"{state}.wait_s", (self.now_ns - begun_ns) * 1e-9)

    async def both(
        self, first: str, second: str, attempts: int, state: str
    ) -> tuple[LinkPair, LinkPair]:
        """A half of each link: the first in a nuclear spin, the second in the electron spin."""
        link, heralding = self.service(LinkLayer), self.link_to(second).heralding
        assert heralding is not None
        for halves in range(1, 100_000):
            [stored] = [pair async for pair in link.pairs(first)]
            await stored.store()
            limit_s = attempts * heralding.attempt_ns * 1e-9
            try:
                [fresh] = [pair async for pair in link.pairs(second, deadline=limit_s)]
            except DeadlinePassed:
                await self.send(first, None, kind="outcome")
                await stored.discard()
                continue
            self.record(f"{state}.stored", halves)
            return stored, fresh
        raise RuntimeError("no pair came")

    async def fuse(self, stored: LinkPair, fresh: LinkPair) -> None:
        """One state of three nodes: the parity of both halves says what the last node has to flip."""
        await stored.qubit.cx(fresh.qubit)
        flip = await fresh.measure()
        await self.broadcast([0, flip], kind="outcome")
        await self.probe("ghz", stored.qubit, "ghz", parties=self.parties)
        await stored.discard()

    @property
    def parties(self) -> tuple[str, ...]:
        return tuple(sorted([self.name, *self.neighbours]))


class Outer(Agent):
    """Holds its half until the middle says what has become of the other; `corrects`: its half is turned.

    Has the recorder note each state: of three nodes, or the swapped pair.
    """

    async def run(
        self, middle: str, states: list[str], rounds: int, corrects: bool = False
    ) -> None:
        arriving = self.service(LinkLayer).arriving(middle)
        for state in states:
            parties = [name for name in self.nodes if state == "ghz" or name != middle]
            done = 0
            while done < rounds:
                half = await anext(arriving)
                outcome = (await self.receive(middle, kind="outcome")).body
                if outcome is not None:
                    if corrects:
                        half.shift(*outcome)
                    goal = "ghz" if state == "ghz" else "phi+"
                    await self.probe(state, half.qubit, goal, parties=parties)
                    done += 1
                await half.discard()

    @property
    def nodes(self) -> list[str]:
        return sorted([self.name, *self.peers])


class Teleporter(Agent):
    """Its half goes to a nuclear spin; once the pair reaches the far end, a cardinal state goes there."""

    async def run(self, middle: str, far: str, rounds: int) -> None:
        arriving = self.service(LinkLayer).arriving(middle)
        for number in range(rounds):
            half = await anext(arriving)
            await half.store()
            outcome = (await self.receive(middle, kind="outcome")).body
            half.shift(*outcome)
            qubit = await self.qubit()
            theta, phi = CARDINAL[number % len(CARDINAL)]
            await qubit.ry(theta)
            await qubit.rz(phi)
            bits = await self.bell_measure(qubit, half)
            await self.send(far, [*bits, theta, phi], kind="teleported")


class Receiver(Agent):
    """The far end: keeps its half until a state has come; the recorder notes each one's fidelity."""

    async def run(self, middle: str, sender: str, rounds: int) -> None:
        arriving, done = self.service(LinkLayer).arriving(middle), 0
        while done < rounds:
            half = await anext(arriving)
            if (await self.receive(middle, kind="outcome")).body is None:
                await half.discard()
                continue
            z, x, theta, phi = (await self.receive(sender, kind="teleported")).body
            half.shift(z, x)
            state: list[Any] = [
                math.cos(theta / 2),
                complex(math.cos(phi), math.sin(phi)) * math.sin(theta / 2),
            ]
            await self.probe("teleported", half.qubit, state)
            await half.discard()
            done += 1
