"""Repeaters that join in an order, and whose Bell measurements may fail: all pairs that come are good."""

from __future__ import annotations

import itertools
import json

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.protocols import teleportation
from qnetem.emulator import closed_forms
from qnetem.emulator.errors import OperationError

from ..physics.bench import Ran, attempt, play, program
from .test_swapping import Looker

NAMES = ("zoe", "r1", "m2", "a3", "r4", "b5", "bob")


def chain(
    hops: int,
    order: str,
    *,
    swap: float = 1.0,
    success: float = 0.3,
    rounds: int = 6,
    fidelity: float = 0.97,
    length: str = "10 km",
    devices: str = "",
    extra: str = "",
) -> str:
    """A row of nodes whose names are in no order, which hold a half with each neighbour."""
    path = [*NAMES[:hops], NAMES[-1]]
    lines = [
        f"  {name}: {{kind: repeater, bell_measurement: {{success: {swap}}}, {devices}"
        f"with: {json.dumps({'path': path, 'order': order})}}}"
        for name in path[1:-1]
    ]
    for name, peer in ((path[0], path[-1]), (path[-1], path[0])):
        options = json.dumps({"peer": peer, "rounds": rounds})
        lines.append(f'  {name}: {{program: "{program(Looker)}", with: {options}}}')
    quantum = f"{{entangle: {{success: {success}, fidelity: {fidelity}, attempt: 100 us}}}}"
    links = [
        f"  - {{between: [{one}, {other}], length: {length}, quantum: {quantum}}}"
        for one, other in itertools.pairwise(path)
    ]
    return "nodes:\n" + "\n".join(lines) + "\nlinks:\n" + "\n".join(links) + "\n" + extra


def looked_at(hops: int, order: str, seed: int = 1, **rest: object) -> Ran:
    ran = play(chain(hops, order, **rest), seed)  # type: ignore[arg-type]
    assert ran.left_in_slots() == {}
    names = ran.results["zoe"]
    assert names == ran.results["bob"]
    assert {len(name.split("+")) for name in names} == {hops}
    return ran


@pytest.mark.parametrize("hops", [2, 3, 5, 6])
@pytest.mark.parametrize("order", ["asap", "sequential", "nested"])
def test_in_any_order_the_ends_share_the_same_good_pair(order: str, hops: int) -> None:
    ran = looked_at(hops, order)
    expected = closed_forms.werner_join(*[0.97] * hops)
    for end in ("zoe", "bob"):
        assert ran.exact(f"{end}.pair.fidelity") == pytest.approx(expected)


@pytest.mark.parametrize("order", ["asap", "sequential", "nested"])
def test_a_join_that_fails_costs_time_and_no_fidelity(order: str) -> None:
    ran = looked_at(4, order, swap=0.6, rounds=10)
    assert ran.exact("bob.pair.fidelity") == pytest.approx(closed_forms.werner_join(*[0.97] * 4))
    failed = sum(ran.count(f"{name}.failed_bell_measurements") for name in NAMES[1:4])
    assert failed > 3


@pytest.mark.parametrize("order", ["asap", "nested"])
def test_cut_offs_and_failures_together_lose_no_pair(order: str) -> None:
    """Halves that are dropped while notices are under way: what arrives is whole all the same."""
    for seed in (1, 2):
        ran = looked_at(
            4, order, seed, swap=0.7, success=0.4, rounds=5, devices="memory: {cutoff: 1500 us}, "
        )
        fidelity = closed_forms.werner_join(*[0.97] * 4)
        assert ran.exact("bob.pair.fidelity") == pytest.approx(fidelity)


def teleported(faults: str, seed: int) -> None:
    """Over a nested chain of four links under faults: all states arrive, and nothing is left behind."""
    path = ["alice", "r1", "r2", "r3", "bob"]
    repeaters = "".join(
        f"  {name}: {{kind: repeater, bell_measurement: {{success: 0.8}}, "
        f"with: {{path: {json.dumps(path)}, order: nested, timeout: 10 ms}}}}\n"
        for name in path[1:-1]
    )
    ends = "".join(
        f'  {name}: {{program: "{program(kind)}", with: {{peer: {peer}, rounds: 5, timeout: 20 ms}}}}\n'
        for name, peer, kind in (
            ("alice", "bob", teleportation.Sender),
            ("bob", "alice", teleportation.Receiver),
        )
    )
    quantum = "{length: 10 km, entangle: {success: 0.5, fidelity: 0.97, attempt: 100 us}}"
    links = "".join(
        f"  - {{between: [{one}, {other}], quantum: {quantum}}}\n"
        for one, other in itertools.pairwise(path)
    )
    ran = play(f"nodes:\n{repeaters}{ends}links:\n{links}faults:\n{faults}", seed)
    assert ran.results["alice"]["teleported"] == ran.results["bob"]["received"] == 5
    expected = closed_forms.teleported(closed_forms.werner_join(*[0.97] * 4))
    assert ran.exact("bob.teleported.fidelity") == pytest.approx(expected)
    assert ran.left_in_slots() == {}


def test_nested_joins_survive_messages_that_are_lost_doubled_and_overtaken() -> None:
    kinds = (("loss", 0.05, ""), ("duplicate", 0.2, ""), ("reorder", 0.2, ", by: 300 us"))
    faults = "".join(
        f"  - {{at: 0 s, {kind}: {link}, probability: {share}{more}}}\n"
        for link in ("alice-r1", "r1-r2", "r2-r3", "r3-bob")
        for kind, share, more in kinds
    )
    teleported(faults, 3)


@pytest.mark.parametrize("repeater", ["r1", "r2", "r3"])
@pytest.mark.parametrize("at_us", [700, 1400, 2600])
def test_a_repeater_that_is_killed_leaves_no_half_waiting_for_ever(
    repeater: str, at_us: int
) -> None:
    teleported(f"  - {{at: {at_us} us, kill: {repeater}, restart: 500 us}}\n", 1)


class Extending(Agent):
    """Extends a pair by a join that has failed; returns what came of it."""

    async def run(self) -> str:
        left, right = await self.entangle("a"), await self.entangle("b")
        joined = await self.join(left, right)
        assert (joined.ok, joined.left, joined.right) == (False, left.id, right.id)
        try:
            left.extend(joined, "b", correct=True)
        except OperationError as error:
            return str(error)
        return "extended"


class Idle(Agent):
    """Holds a pair."""

    async def run(self) -> None:
        await self.entangle("r")


def test_a_join_that_has_failed_extends_nothing() -> None:
    quantum = "{entangle: {success: 1, fidelity: 1, attempt: 1 us}}"
    links = "".join(f"  - {{between: [r, {name}], quantum: {quantum}}}\n" for name in "ab")
    idle = f'{{program: "{program(Idle)}"}}'
    ran = play(
        f'nodes:\n  r: {{program: "{program(Extending)}", bell_measurement: {{success: 0}}}}\n'
        f"  a: {idle}\n  b: {idle}\nlinks:\n{links}"
    )
    assert "its join has failed" in ran.results["r"]


def test_bell_measurements_fail_as_often_as_the_node_says() -> None:
    ran = looked_at(2, "asap", swap=0.5, success=1.0, rounds=150)
    failed = ran.count("r1.failed_bell_measurements")
    # 150 successes after the failures: a negative binomial, whose deviation is sqrt(150 q) / p.
    assert abs(failed - 150) < 3 * (150 * 0.5) ** 0.5 / 0.5


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("{order: nested}", "needs a `path`"),
        ("{path: [a, b], order: nested}", "leads over this node"),
        ("{path: [a, r, b], routes: [[a, b]]}", "stands alone"),
        ("{path: [a, r, a]}", "different nodes"),
        ("{path: [a, r, b], order: soon}", "soon"),
    ],
)
def test_a_path_that_is_none_is_refused(options: str, problem: str) -> None:
    quantum = "{entangle: {success: 1, fidelity: 1, attempt: 1 us}}"
    links = "".join(f"  - {{between: [r, {name}], quantum: {quantum}}}\n" for name in "ab")
    _, outcome = attempt(
        f"nodes:\n  r: {{kind: repeater, with: {options}}}\n  a: {{}}\n  b: {{}}\nlinks:\n{links}"
    )
    assert outcome.problem is not None
    assert problem in outcome.problem.text
