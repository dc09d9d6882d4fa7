"""Halves past a cut-off, at repeaters and at ends: replaced at their expiry, and never handed over."""

from __future__ import annotations

import asyncio
import io
import itertools
from typing import Any

import numpy as np
import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.protocols import teleportation
from qnetem.agents.protocols.swapping import LongPairs
from qnetem.emulator.closed_forms import waiting
from qnetem.emulator.errors import QubitError
from qnetem.emulator.loading import parse_topology
from qnetem.inprocess.network import InProcessNetwork

from ..harness import recorded
from ..physics.bench import Ran, assert_mean, play, program

ATTEMPT_NS = 250_000


class Counter(Agent):
    """Gets pairs one after the other, and counts for how many attempts it has waited for each."""

    async def run(self, peer: str, rounds: int) -> None:
        pairs = LongPairs(self, peer)
        for _ in range(rounds):
            begun_ns = self.now_ns
            pair = await pairs.obtain()
            self.record("attempts", (self.now_ns - begun_ns) / ATTEMPT_NS)
            await self.probe("pair", pair)
            await self.send(peer, kind="seen")
            await self.receive(peer, kind="seen")
            try:
                await pair.discard()
            except QubitError:
                assert pair.expired


class Watcher(Agent):
    """What a program learns of its half's cut-off, and when."""

    async def run(self, peer: str) -> list[Any]:
        kept, used = await self.entangle(peer), await self.entangle(peer)
        waits = asyncio.gather(kept.wait_expired(), used.wait_expired(), kept.wait_expired())
        await asyncio.sleep(1e-6)
        before = kept.expired
        await used.measure()
        found = await waits
        at_ns = self.now_ns - kept.emitted_ns
        return [before, found, at_ns, kept.expired, used.expired, await kept.wait_expired()]


class Idle(Agent):
    """Asks for pairs and keeps them."""

    async def run(self, peer: str) -> None:
        for _ in range(2):
            await self.entangle(peer)


def chain(
    programs: tuple[str, str],
    repeaters: int,
    cutoffs: dict[str, str],
    length_km: float = 0.0,
    success: float = 0.2,
    devices: str = "",
    end_link: bool = False,
) -> str:
    names = ["alice", *(f"r{number}" for number in range(1, repeaters + 1)), "bob"]
    memory = {name: f"memory: {{cutoff: {cutoff}}}, " for name, cutoff in cutoffs.items()}
    lines = [
        f"  {name}: {{{memory.get(name, '')}{text}}}"
        for name, text in zip(("alice", "bob"), programs, strict=True)
    ]
    for before, name, after in zip(names, names[1:], names[2:], strict=False):
        options = f"routes: [[{before}, {after}]], ends: [alice, bob]"
        lines.append(
            f"  {name}: {{kind: repeater, {devices}{memory.get(name, '')}with: {{{options}}}}}"
        )
    source = f"{{success: {success}, fidelity: 1, attempt: 250 us}}"
    links = [
        f"  - {{between: [{one}, {other}], length: {length_km} km, quantum: {{entangle: {source}}}}}"
        for one, other in itertools.pairwise(names)
    ]
    if end_link:
        links.append("  - {between: [alice, bob], quantum: none, length: 0 km}")
    return (
        "time: {until: 1000 s}\nnodes:\n"
        + "\n".join(lines)
        + "\nlinks:\n"
        + "\n".join(links)
        + "\n"
    )


def counters(rounds: int) -> tuple[str, str]:
    alice, bob = (
        f'program: "{program(Counter)}", with: {{peer: {peer}, rounds: {rounds}}}'
        for peer in ("bob", "alice")
    )
    return alice, bob


def markov(success: float, cutoff: int, second_too: bool = True) -> tuple[float, float]:
    """Mean and spread of the attempts of two links, by the chain itself: step by step until both have halves.

    State 0: none has; 1 + k: one has, which has seen k attempts of the other fail. At `cutoff` of them it
    is dropped, and both try in the next one. The last state, without `second_too`: the second link has a
    half, which is kept for as long as it takes.
    """
    p, q = success, 1 - success
    states = 1 + cutoff + (not second_too)
    move = np.zeros((states, states))
    move[0, 0], move[0, 1] = q * q, 2 * p * q
    if not second_too:
        move[0, 1] = move[0, -1] = p * q
        move[-1, -1] = q
    for k in range(cutoff):
        move[1 + k, (2 + k) % (cutoff + 1)] = q
    mean = np.linalg.solve(np.eye(states) - move, np.ones(states))
    square = np.linalg.solve(np.eye(states) - move, 1 + 2 * move @ mean)
    return float(mean[0]), float(np.sqrt(square[0] - mean[0] ** 2))


@pytest.mark.parametrize(("success", "cutoff"), [(0.02, 40), (0.1, 5), (0.3, 1)])
def test_the_closed_form_is_that_of_the_markov_chain(success: float, cutoff: int) -> None:
    assert waiting.mean_attempts_with_cutoff(success, cutoff) == pytest.approx(
        markov(success, cutoff)[0]
    )


def test_a_window_of_forty_attempts_takes_94_287() -> None:
    assert waiting.mean_attempts_with_cutoff(0.02, 40) == pytest.approx(94.287, abs=5e-4)


@pytest.mark.parametrize("where", ["r1", "alice", "bob"])
def test_an_expired_half_is_replaced_at_its_expiry(where: str) -> None:
    """At the repeater both halves have the cut-off, at an end its own alone."""
    success, cutoff, rounds = 0.3, 1, 250
    cutoffs = {where: f"{cutoff * 250 + 1} us"}
    ran = play(chain(counters(rounds), 1, cutoffs, success=success, end_link=True))
    mean, spread = markov(success, cutoff, second_too=where == "r1")
    series = ran.series("bob.attempts")
    assert_mean(series["mean"], series["count"], mean, spread)
    assert ran.count(f"{where}.expired") > rounds / 10
    assert ran.exact("bob.pair.fidelity") == pytest.approx(1)


def test_a_program_can_wait_for_the_cut_off() -> None:
    ran = play(f"""
nodes:
  alice: {{program: "{program(Watcher)}", with: {{peer: bob}}, memory: {{cutoff: 7 us}}}}
  bob: {{program: "{program(Idle)}", with: {{peer: alice}}}}
links:
  - {{between: [alice, bob], quantum: {{entangle: {{success: 1, fidelity: 1, attempt: 1 us}}}}}}
""")
    assert ran.results["alice"] == [False, [True, False, True], 7_000, True, False, True]


@pytest.mark.parametrize("repeaters", [1, 3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_pair_is_handed_over_unless_the_news_of_its_loss_is_still_on_the_way(
    repeaters: int, seed: int
) -> None:
    """All have a cut-off of 10 attempts: light, and so a message, takes 100 us over the whole chain."""
    names = ["alice", *(f"r{number}" for number in range(1, repeaters + 1)), "bob"]
    length_km = 20.0 / (repeaters + 1)
    text = chain(counters(15), repeaters, dict.fromkeys(names, "2.6 ms"), length_km)
    topology = parse_topology(f"name: bench\nseed: {seed}\n{text}")
    network = InProcessNetwork(topology, log_stream=lambda node, incarnation: io.StringIO())
    events = recorded(network.world)
    outcome = network.run()
    assert outcome.problem is None
    lost_ns: dict[str, int] = {
        qubit: t_ns for t_ns, _, _, kind, *fields in events if kind == "expired" for qubit in fields
    }
    handed_over = [(t_ns, fields) for t_ns, _, _, kind, *fields in events if kind == "fidelity"]
    assert len(handed_over) == 30 and lost_ns
    latest_ns = 105_000
    for t_ns, (_, _, fidelity) in handed_over:
        recent = [each for each in lost_ns.values() if t_ns - latest_ns < each <= t_ns]
        is_lost = fidelity == pytest.approx(0.25)  # 0: the other end has not yet heard of its frame
        assert recent or not is_lost
    assert sum(fidelity == pytest.approx(1) for _, (_, _, fidelity) in handed_over) > 10


def teleporters(rounds: int) -> tuple[str, str]:
    alice, bob = (
        f'program: "{program(kind)}", with: {{peer: {peer}, rounds: {rounds}}}'
        for peer, kind in (("bob", teleportation.Sender), ("alice", teleportation.Receiver))
    )
    return alice, bob


def assert_all_arrived(ran: Ran, rounds: int) -> None:
    assert ran.results["alice"]["teleported"] == ran.results["bob"]["received"] == rounds
    assert ran.exact("bob.teleported.fidelity") == pytest.approx(1)
    assert ran.left_in_slots() == {}


@pytest.mark.parametrize("repeaters", [0, 1, 3])
@pytest.mark.parametrize("where", ["alice", "bob", "r1", "all"])
def test_cut_offs_anywhere_leave_nothing_waiting_for_ever(repeaters: int, where: str) -> None:
    """Without a timeout: the news of an expiry alone gets everything going again."""
    names = ["alice", *(f"r{number}" for number in range(1, repeaters + 1)), "bob"]
    if where == "r1" and not repeaters:
        where = "all"
    cutoffs = {name: "1.6 ms" for name in names if where in ("all", name)}
    for seed in (1, 2):
        text = chain(teleporters(5), repeaters, cutoffs, length_km=10.0)
        assert_all_arrived(play(text, seed), 5)


@pytest.mark.parametrize("cutoff_us", [260, 380, 500, 760])
def test_an_expiry_during_a_join_costs_the_join_alone(cutoff_us: int) -> None:
    """A join takes 200 us: halves that are then too old are replaced at that instant."""
    devices = "gates: {two: 100 us}, measurement: {duration: 100 us}, "
    text = chain(
        counters(40), 1, {"r1": f"{cutoff_us} us"}, success=0.5, devices=devices, end_link=True
    )
    ran = play(text)
    assert ran.count("r1.expired") > 0
    assert ran.exact("bob.pair.fidelity") == pytest.approx(1)


def test_halves_that_expire_at_once_at_both_of_their_nodes_are_replaced() -> None:
    cutoffs = dict.fromkeys(("alice", "r1", "bob"), "700 us")
    ran = play(chain(counters(40), 1, cutoffs, end_link=True))
    assert ran.count("r1.expired") > 0 and ran.count("alice.expired") > 0
    assert ran.exact("bob.pair.fidelity") == pytest.approx(1)
