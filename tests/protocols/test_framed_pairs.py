"""What programs do with pairs over repeaters, whose frames are open, is as if those had been applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.protocols.swapping import LongPairs

from ..physics.bench import Ran, play, program

ROUNDS = 24


class End(Agent):
    """Uses `ROUNDS` pairs with `peer` in some way; alice begins, and bob holds the frames."""

    async def run(self, peer: str, use: str) -> list[Any]:
        pairs = LongPairs(self, peer)
        found = []
        frames = 0
        for _ in range(ROUNDS):
            pair = await pairs.obtain()
            frames += pair.frame != (0, 0)
            found.append(await USES[use](self, peer, pair, pairs))
        if self.name == "bob":
            assert frames > ROUNDS / 3, "there is something to account for"
        return found


async def hadamard(me: Agent, peer: str, pair: Any, _: LongPairs) -> int:
    if me.name == "bob":
        await pair.qubit.h()
    return int(await pair.measure("X" if me.name == "bob" else "Z"))


async def rotated(me: Agent, peer: str, pair: Any, _: LongPairs) -> int:
    """Phi+ is the same after ry on both, and after rz on one and rz back on the other."""
    await pair.qubit.ry(0.9)
    await pair.qubit.rz(0.7 if me.name == "bob" else -0.7)
    await (pair.qubit.t() if me.name == "bob" else pair.qubit.tdg())
    return int(await pair.qubit.measure("X"))


async def teleport(me: Agent, peer: str, pair: Any, _: LongPairs) -> int:
    """alice sends ry(0.7)|0>, bob turns it back; or bob sends, with the frame in his outcome."""
    sends = (int(pair.id.rpartition("#")[2]) % 2 == 0) == (me.name == "alice")
    if sends:
        qubit = await me.qubit()
        await qubit.ry(0.7)
        await me.send(peer, list(await me.bell_measure(qubit, pair.qubit)))
        return 0
    z, x = (await me.receive(peer)).body
    pair.shift(z, x)
    await pair.qubit.ry(-0.7)
    return int(await pair.qubit.measure("Z"))


async def purify(me: Agent, peer: str, keep: Any, pairs: LongPairs) -> list[int]:
    """Two ideal pairs: the spent one gives equal bits, and the kept one too."""
    spend = await pairs.obtain()
    await keep.qubit.cx(spend.qubit)
    return [await spend.measure("Z"), await keep.measure("X")]


USES: dict[str, Callable[..., Any]] = {
    use.__name__: use for use in (hadamard, rotated, teleport, purify)
}


class Middle(Agent):
    """Joins long pairs of its own, which have frames, and tells bob."""

    async def run(self) -> int:
        frames = 0
        for _ in range(ROUNDS):
            left = await LongPairs(self, "alice", via="r1").obtain()
            right = await LongPairs(self, "bob", via="r2").obtain()
            frames += left.frame != (0, 0) or right.frame != (0, 0)
            joined = await self.join(left, right)
            await self.send("bob", [joined.z, joined.x], kind="joined")
            await self.receive("bob", kind="used")
        return frames


class Outer(Agent):
    async def run(self) -> None:
        for _ in range(ROUNDS):
            pair = await LongPairs(self, "middle").obtain()
            if self.name == "bob":
                pair.shift(*(await self.receive("middle", kind="joined")).body)
                await self.probe("pair", pair)
                await self.send("middle", kind="used")
                await self.send("alice", kind="used")
            else:
                await self.receive("bob", kind="used")
            await pair.discard()


def over(nodes: dict[str, str], *links: tuple[str, str]) -> Ran:
    quantum = "{length: 1 km, entangle: {success: 1, fidelity: 1, attempt: 20 us}}"
    lines = "".join(f"  {name}: {{{text}}}\n" for name, text in nodes.items())
    between = "".join(f"  - {{between: [{a}, {b}], quantum: {quantum}}}\n" for a, b in links)
    return play(f"nodes:\n{lines}links:\n{between}")


@pytest.mark.parametrize("use", USES)
def test_nothing_that_is_done_with_a_half_overlooks_its_frame(use: str) -> None:
    ends = {
        name: f'program: "{program(End)}", with: {{peer: {peer}, use: {use}}}'
        for name, peer in (("alice", "bob"), ("bob", "alice"))
    }
    ran = over({**ends, "hub": "kind: repeater"}, ("alice", "hub"), ("hub", "bob"))
    assert ran.results["alice"] == ran.results["bob"]


def test_a_join_of_framed_halves_tells_a_frame_that_counts_theirs() -> None:
    outer = f'program: "{program(Outer)}"'
    ran = over(
        {
            "alice": outer,
            "r1": "kind: repeater",
            "middle": f'program: "{program(Middle)}"',
            "r2": "kind: repeater",
            "bob": outer,
        },
        ("alice", "r1"), ("r1", "middle"), ("middle", "r2"), ("r2", "bob"),
    )  # fmt: skip
    assert ran.results["middle"] > ROUNDS / 3
    assert ran.exact("bob.pair.fidelity") == pytest.approx(1)
