"""What measurements say of entangled states: correlations, and nothing that could be a signal."""

from __future__ import annotations

import json
import math

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.qubits import Pair

from .bench import Ran, assert_frequency, play, program

ROUNDS = 500
AXES: list[tuple[float, float, float]] = [
    (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0.3, -0.4, 1.2), (-1, 2, -3),
]  # fmt: skip
FRAMES = [(z, x) for z in (0, 1) for x in (0, 1)]


class Rotated(Agent):
    """Prepares a state on the Bloch sphere and measures it along an axis."""

    async def run(
        self, theta: float, phi: float, axis: tuple[float, float, float], times: int
    ) -> int:
        ones = 0
        for _ in range(times):
            qubit = await self.qubit()
            await qubit.ry(theta)
            await qubit.rz(phi)
            ones += await qubit.measure(axis)
        return ones


class Measurer(Agent):
    """Measures its half of each pair: along `axis`, or an axis a round; `times` pairs an axis."""

    async def run(
        self,
        peer: str,
        axes: list[tuple[float, float, float]],
        times: int = 1,
        mirror: bool = False,
    ) -> list[int]:
        outcomes = []
        for x, y, z in axes:
            for _ in range(times):
                pair = await self.entangle(peer)
                outcomes.append(await pair.measure((x, -y if mirror else y, z)))
        return outcomes


class Idle(Agent):
    """Takes its half of each pair and throws it away."""

    async def run(self, peer: str, times: int) -> None:
        for _ in range(times):
            pair = await self.entangle(peer)
            await pair.discard()


class Framed(Agent):
    """Errs on purpose by a Pauli, notes it in the frame, and then measures as if nothing had been."""

    async def run(
        self, peer: str, axes: list[tuple[float, float, float]], physically: bool
    ) -> list[int]:
        outcomes = []
        for x, y, z in axes:
            for frame in FRAMES:
                pair = await self.entangle(peer)
                await err(pair, *frame)
                if physically:
                    await pair.correct()
                    assert pair.frame == (0, 0)
                outcomes.append(await pair.measure((x, -y, z)))
        return outcomes


async def err(pair: Pair, z: int, x: int) -> None:
    """X^x Z^z on the half here, and into the frame."""
    if z:
        await pair.qubit.z()
    if x:
        await pair.qubit.x()
    pair.shift(z, x)


class Joiner(Agent):
    """Joins pairs with errors noted in their frames; tells the far end what is left to be corrected."""

    async def run(self) -> None:
        for left_frame in FRAMES:
            for right_frame in FRAMES:
                left, right = await self.entangle("alice"), await self.entangle("bob")
                await err(left, *left_frame)
                await err(right, *right_frame)
                joined = await self.join(left, right)
                await self.send("bob", [joined.z, joined.x])


class Corrected(Agent):
    """Corrects and probes."""

    async def run(self, rounds: int) -> None:
        for _ in range(rounds):
            pair = await self.entangle("hub")
            z, x = (await self.receive("hub")).body
            pair.shift(z, x)
            await pair.correct()
            await self.probe("joined", pair)
            await pair.discard()
            await self.send("alice", "used")


class Waiting(Agent):
    """Keeps its half until bob has looked."""

    async def run(self, rounds: int) -> None:
        for _ in range(rounds):
            pair = await self.entangle("hub")
            await self.receive("bob")
            await pair.discard()


class GhzHub(Agent):
    """Makes one GHZ state of three pairs: cx from the first half to the others, which are measured."""

    async def run(self, rounds: int) -> None:
        for _ in range(rounds):
            control, *targets = [await self.entangle(peer) for peer in ("a", "b", "c")]
            for target in targets:
                await control.qubit.cx(target.qubit)
                x = await target.measure("Z")
                await self.send(target.peer, [0, x])
            await self.send(control.peer, [await control.measure("X"), 0])


class GhzLeaf(Agent):
    """Takes the correction into its frame and measures."""

    async def run(self, axes: str) -> list[int]:
        outcomes = []
        for axis in axes:
            pair = await self.entangle("hub")
            z, x = (await self.receive("hub")).body
            pair.shift(z, x)
            outcomes.append(await pair.measure(axis))
        return outcomes


class LocalGhz(Agent):
    """A GHZ state of n qubits in one node."""

    async def run(self, qubits: int) -> list[int]:
        held = [await self.qubit() for _ in range(qubits)]
        await held[0].h()
        for qubit in held[1:]:
            await held[0].cx(qubit)
        target = [0.0] * 2**qubits
        target[0] = target[-1] = 1.0
        await self.probe("ghz", held, target)
        return [await qubit.measure() for qubit in held]


class Raw(Agent):
    """Takes pairs as they were heralded."""

    async def run(self, peer: str) -> int:
        pair = await self.entangle(peer, raw=True)
        await self.probe("raw", pair)
        await self.send(peer, "seen")
        await self.receive(peer)
        await pair.discard()
        return pair.bell


def two(alice: type[Agent], bob: type[Agent], of_alice: object, of_bob: object) -> Ran:
    return play(f"""
nodes:
  alice: {{program: "{program(alice)}", with: {json.dumps(of_alice)}}}
  bob: {{program: "{program(bob)}", with: {json.dumps(of_bob)}}}
links:
  - {{between: [alice, bob], quantum: {{entangle: {{success: 1, fidelity: 1, attempt: 1 us}}}}}}
""")


def star(hub: str, leaves: dict[str, str]) -> Ran:
    nodes = "".join(f"  {name}: {leaf}\n" for name, leaf in leaves.items())
    quantum = "{entangle: {success: 1, fidelity: 1, attempt: 1 us}}"
    links = "".join(f"  - {{between: [hub, {leaf}], quantum: {quantum}}}\n" for leaf in leaves)
    return play(f"nodes:\n  hub: {hub}\n{nodes}links:\n{links}")


def plain(axes: list[tuple[float, float, float]]) -> list[list[float]]:
    return [list(axis) for axis in axes]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(("theta", "phi"), [(0.0, 0.0), (1.1, 0.7), (2.5, -2.0)])
def test_born_rule_along_any_axis(
    axis: tuple[float, float, float], theta: float, phi: float
) -> None:
    options = {"theta": theta, "phi": phi, "axis": list(axis), "times": 300}
    ran = play(f'nodes:\n  alice: {{program: "{program(Rotated)}", with: {options}}}\n')
    bloch = (math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta))
    along = sum(a * b for a, b in zip(axis, bloch, strict=True)) / math.hypot(*axis)
    assert_frequency(ran.results["alice"], 300, (1 - along) / 2)


def test_phi_plus_is_correlated_along_every_axis() -> None:
    """Along (x, y, z) here and (x, -y, z) there the outcomes are the same: XX = ZZ = 1, YY = -1."""
    options = {"axes": plain(AXES), "times": 20}
    ran = two(
        Measurer, Measurer, options | {"peer": "bob"}, options | {"peer": "alice", "mirror": True}
    )
    assert ran.results["alice"] == ran.results["bob"]
    assert 0 < sum(ran.results["alice"]) < 20 * len(AXES)


@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 0, 0), (0.6, 0, 0.8)])
def test_no_signalling(axis: tuple[float, float, float]) -> None:
    """Whatever alice measures, or if she does not: bob's outcomes stay fifty-fifty."""
    bob = {"peer": "alice", "axes": [list(axis)], "times": ROUNDS}
    for alice in (AXES[0], AXES[2]):
        ran = two(Measurer, Measurer, {"peer": "bob", "axes": [list(alice)], "times": ROUNDS}, bob)
        assert_frequency(sum(ran.results["bob"]), ROUNDS, 0.5)
    ran = two(Idle, Measurer, {"peer": "bob", "times": ROUNDS}, bob)
    assert_frequency(sum(ran.results["bob"]), ROUNDS, 0.5)


@pytest.mark.parametrize("physically", [True, False])
def test_measuring_with_a_frame_equals_correcting_first(physically: bool) -> None:
    ran = two(
        Measurer,
        Framed,
        {"peer": "bob", "axes": plain(AXES), "times": len(FRAMES)},
        {"peer": "alice", "axes": plain(AXES), "physically": physically},
    )
    assert ran.results["alice"] == ran.results["bob"]


def test_joining_takes_the_frames_of_both_pairs_into_account() -> None:
    rounds = len(FRAMES) ** 2
    ran = star(
        f'{{program: "{program(Joiner)}"}}',
        {
            "alice": f'{{program: "{program(Waiting)}", with: {{rounds: {rounds}}}}}',
            "bob": f'{{program: "{program(Corrected)}", with: {{rounds: {rounds}}}}}',
        },
    )
    assert ran.count("bob.joined.fidelity") == rounds
    assert ran.exact("bob.joined.fidelity") == pytest.approx(1.0)
    assert ran.left_in_slots() == {}


@pytest.mark.parametrize("qubits", [2, 3, 6])
def test_ghz_over_cx_gates_in_one_node(qubits: int) -> None:
    for _ in range(3):
        ran = play(
            f'nodes:\n  alice: {{program: "{program(LocalGhz)}", with: {{qubits: {qubits}}}}}\n'
        )
        assert ran.exact("alice.ghz.fidelity") == pytest.approx(1.0)
        assert len(set(ran.results["alice"])) == 1


@pytest.mark.parametrize(
    ("axes", "parity"), [("XXX", 0), ("XYY", 1), ("YXY", 1), ("YYX", 1), ("ZZZ", None)]
)
def test_ghz_of_three_nodes_has_mermins_parities(axes: str, parity: int | None) -> None:
    """Mermin, Am. J. Phys. 58, 731 (1990): XXX = 1 and XYY = YXY = YYX = -1 for certain."""
    leaves = {
        name: f'{{program: "{program(GhzLeaf)}", with: {{axes: {axis * 12}}}}}'
        for name, axis in zip("abc", axes, strict=True)
    }
    ran = star(f'{{program: "{program(GhzHub)}", with: {{rounds: 12}}}}', leaves)
    rounds = list(zip(*(ran.results[name] for name in "abc"), strict=True))
    if parity is None:
        assert all(len(set(outcomes)) == 1 for outcomes in rounds)
    else:
        assert [sum(outcomes) % 2 for outcomes in rounds] == [parity] * 12
    assert len(set(rounds)) > 1
    assert ran.left_in_slots() == {}


def test_a_raw_herald_says_which_bell_state_it_is() -> None:
    """The simple link makes Phi+ as it is: nothing to correct."""
    ran = two(Raw, Raw, {"peer": "bob"}, {"peer": "alice"})
    assert ran.results["alice"] == ran.results["bob"] == 0
    assert ran.exact("alice.raw.fidelity") == pytest.approx(1.0)
