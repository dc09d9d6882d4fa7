"""Entanglement swapping: the Repeater program over the real plane gives what theory gives."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.protocols.swapping import long_pair
from qnetem.agents.roles.repeater import Repeater
from qnetem.emulator import closed_forms

from ..physics.bench import Ran, assert_mean, attempt, play, program


class Looker(Agent):
    """Gets long pairs and has them looked at, with the frame corrected by gates."""

    async def run(self, peer: str, rounds: int, at_once: int = 1) -> list[str]:
        names = []
        for _ in range(rounds):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(long_pair(self, peer)) for _ in range(at_once)]
            pairs = [task.result() for task in tasks]
            for pair in pairs:
                await pair.correct()
                assert pair.peer == peer
            await self.send(peer, kind="here")
            await self.receive(peer, kind="here")
            for pair in pairs:
                names.append(pair.id)
                await self.probe("pair", pair)
            await self.send(peer, kind="seen")
            await self.receive(peer, kind="seen")
            await self.memory.discard(*pairs)
        return names


class Impatient(Agent):
    """Is interrupted at each moment of getting a pair, and then wants a good one."""

    async def run(self, peer: str, patience_us: list[int]) -> int:
        interrupted = 0
        for patience in patience_us:
            try:
                async with asyncio.timeout(patience / 1e6):
                    pair = await long_pair(self, peer)
                    await pair.discard()
            except TimeoutError:
                interrupted += 1
        await self.compute("1 ms")
        return interrupted


def chain(
    fidelities: list[float],
    rounds: int = 3,
    success: float = 1.0,
    at_once: int = 1,
    ends: tuple[str, str] = ("alice", "bob"),
    devices: str = "",
    multiplexing: int = 1,
) -> str:
    """A row of nodes with a link of each fidelity between neighbours."""
    first, last = ends
    names = [first, *(f"r{number}" for number in range(1, len(fidelities))), last]
    lines = []
    for before, name, after in zip(names, names[1:], names[2:], strict=False):
        routes = [[before, after]] * at_once
        options = json.dumps({"routes": routes, "ends": [first, last]})
        lines.append(f"  {name}: {{kind: repeater, with: {options}, {devices}}}")
    for name, peer in ((first, last), (last, first)):
        options = json.dumps({"peer": peer, "rounds": rounds, "at_once": at_once})
        lines.append(f'  {name}: {{program: "{program(Looker)}", with: {options}}}')
    links = []
    for (one, other), fidelity in zip(itertools.pairwise(names), fidelities, strict=True):
        source = (
            f"{{success: {success}, fidelity: {fidelity}, attempt: 100 us, "
            f"multiplexing: {multiplexing}}}"
        )
        links.append(
            f"  - {{between: [{one}, {other}], length: 10 km, quantum: {{entangle: {source}}}}}"
        )
    return "nodes:\n" + "\n".join(lines) + "\nlinks:\n" + "\n".join(links) + "\n"


def joined(fidelities: list[float], seed: int = 1, **rest: object) -> Ran:
    ran = play(chain(fidelities, **rest), seed)  # type: ignore[arg-type]
    assert ran.left_in_slots() == {}
    return ran


@pytest.mark.parametrize(
    ("fidelities", "fidelity"),
    [
        ([0.9, 0.9], 0.813333),
        ([0.8, 0.95], 0.763333),
        ([0.98] * 8, 0.854163),
        ([0.97], 0.97),
        ([0.9, 0.95, 0.8], 0.25 + 0.75 * (2.6 * 2.8 * 2.2) / 27),
    ],
)
def test_werner_pairs_join_to_a_werner_pair(fidelities: list[float], fidelity: float) -> None:
    ran = joined(fidelities)
    for end in ("alice", "bob"):
        assert ran.exact(f"{end}.pair.fidelity") == pytest.approx(fidelity, abs=1e-6)
        assert ran.exact(f"{end}.pair.fidelity") == pytest.approx(
            closed_forms.werner_join(*fidelities)
        )


@pytest.mark.parametrize(("links", "vector"), [(2, 0.897756), (4, 0.789161)])
def test_imperfect_joins_follow_briegel_and_duer(links: int, vector: float) -> None:
    """p2 is the probability that the two-qubit gate does not depolarise, eta that a bit is read right.

    Here: `two_error` = 1 - p2, measurement `error` = 1 - eta. A misread bit leaves one pair in the wrong
    Bell state, so single rounds differ, and the mean counts.
    """
    assert closed_forms.werner_chain(0.96, links, 0.99, 0.99) == pytest.approx(vector, abs=1e-6)
    p2, eta = 0.95, 0.9
    devices = f"gates: {{two_error: {1 - p2:.6g}}}, measurement: {{error: {1 - eta:.6g}}}"
    rounds = 600 if links == 2 else 300
    series = joined([0.96] * links, rounds=rounds, devices=devices).series("bob.pair.fidelity")
    expected = closed_forms.werner_chain(0.96, links, p2, eta)
    assert_mean(series["mean"], series["count"], expected, series["std"])
    # Every round is one of two Werner states: all bits read right, or not.
    visibility = p2 ** (links - 1) * ((4 * 0.96 - 1) / 3) ** links
    assert series["max"] == pytest.approx((1 + 3 * visibility) / 4)
    assert series["min"] == pytest.approx((1 - visibility) / 4)


def test_both_ends_name_the_same_pairs_in_the_same_order() -> None:
    ran = joined([0.9] * 4, rounds=10, success=0.3)
    names = ran.results["alice"]
    assert names == ran.results["bob"]
    assert len(set(names)) == 10
    assert all(len(name.split("+")) == 4 for name in names)


@pytest.mark.parametrize("ends", [("alice", "bob"), ("zoe", "bob")])
def test_whichever_end_comes_first_by_name_the_correction_is_made_once(
    ends: tuple[str, str],
) -> None:
    ran = joined([1.0] * 3, rounds=16, ends=ends)
    assert ran.exact(f"{ends[1]}.pair.fidelity") == pytest.approx(1.0)


def test_pairs_asked_for_at_once_do_not_take_each_others_notices() -> None:
    ran = joined([0.97] * 3, rounds=6, success=0.2, at_once=3, multiplexing=3)
    expected = closed_forms.werner_join(*[0.97] * 3)
    assert ran.exact("bob.pair.fidelity") == pytest.approx(expected)
    assert sorted(ran.results["alice"]) == sorted(ran.results["bob"])


@pytest.mark.parametrize("seed", range(1, 6))
def test_repeaters_that_run_ahead_do_no_harm(seed: int) -> None:
    """A notice about the next pair may overtake one about this pair; it must not get lost."""
    ran = joined([0.99] * 5, rounds=25, success=0.5, seed=seed)
    assert ran.exact("alice.pair.fidelity") == pytest.approx(closed_forms.werner_join(*[0.99] * 5))


def test_an_end_that_is_interrupted_at_any_moment_leaves_nothing_behind() -> None:
    patience = list(range(10, 900, 45))
    nodes = "".join(
        f'  {name}: {{program: "{program(Impatient)}", '
        f"with: {{peer: {peer}, patience_us: {patience}}}}}\n"
        for name, peer in (("alice", "bob"), ("bob", "alice"))
    )
    quantum = "{length: 10 km, entangle: {success: 0.5, fidelity: 0.9, attempt: 100 us}}"
    for seed in (1, 2, 3):
        ran = play(
            f"""
nodes:
  r: {{kind: repeater}}
{nodes}links:
  - {{between: [alice, r], quantum: {quantum}}}
  - {{between: [r, bob], quantum: {quantum}}}
""",
            seed,
        )
        assert ran.left_in_slots() == {}
        assert 0 < ran.results["alice"] < len(patience)


def test_a_repeater_of_three_neighbours_must_be_told_its_routes() -> None:
    quantum = "{entangle: {success: 1, fidelity: 1, attempt: 1 us}}"
    links = "".join(f"  - {{between: [r, {name}], quantum: {quantum}}}\n" for name in "abc")
    _, outcome = attempt(
        f'nodes:\n  r: {{program: "{program(Repeater)}"}}\n  a: {{}}\n  b: {{}}\n  c: {{}}\n'
        f"links:\n{links}"
    )
    assert outcome.problem is not None
    assert "routes" in outcome.problem.text
